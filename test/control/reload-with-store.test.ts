/** A reload of a gateway with a database: the settings are read again, and it is said that the file is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sluice, startGateway } from '../support/gateway.ts';

const config = (retries: number): Record<string, unknown> => ({
  _format_version: '3.0',
  services: [{ name: 's', host: 'h.test', retries }],
});

test('a declarative file beside a database is what an empty store begins with, and a reload says so', async () => {
  await using gateway = await startGateway({ config: config(1), settings: { database: 'sqlite' } });
  await gateway.writeConfig(config(2));
  const { code, stdout, stderr } = await sluice(['reload', '-c', gateway.conf]);
  assert.deepEqual([code, stdout.startsWith('Sluice reloaded, revision 1 ')], [0, true], stdout);
  assert.match(stderr, /^warning: the configuration is in the database \(sqlite\): .*kong\.yml was not read/);
  assert.match(stderr, /sluice config sync/);
  const service = await fetch(`${gateway.adminUrl}/services/s`);
  assert.equal(((await service.json()) as { retries: number }).retries, 1);
  await gateway.stop('SIGQUIT');
  assert.match(await gateway.logFile('error.log'), /\[warn\] .*kong\.yml was not read/);
});

test('without a file nothing is said', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const { code, stderr } = await sluice(['reload', '-c', gateway.conf]);
  assert.deepEqual([code, stderr], [0, '']);
});
