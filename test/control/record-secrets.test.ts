/** Rotation reaches records: `sluice secrets status` counts them, and after `rotate` none needs an older key. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { prepare } from '../store/support/log.ts';
import { type StandInGateway, startStandIn } from './support/gateway.ts';
import {
  allThere,
  ask,
  command,
  fill,
  idOf,
  makeToken,
  NAMES,
  NEW,
  OLD,
  restartWith,
  TOKENS,
} from './support/token-rotation.ts';

/** @param where what status calls the place of the records. */
async function rotation(gateway: StandInGateway, where: string): Promise<void> {
  await fill(gateway);
  const rows = (key: string, records: number): RegExp =>
    new RegExp(`^${where} +${key} +\\d+ +\\d+ +${records}$`, 'm');
  await restartWith(gateway, OLD);
  assert.match((await command(gateway, 'status')).stdout, rows('in clear', TOKENS));
  const sealed = await command(gateway, 'rotate');
  assert.equal(sealed.code, 0, sealed.stderr);
  assert.match(sealed.stdout, new RegExp(`sealed anew: .*, ${TOKENS} records$`, 'm'));
  await restartWith(gateway, NEW, OLD);
  assert.match((await command(gateway, 'status')).stdout, rows(idOf(OLD), TOKENS));
  const late = Array.from({ length: 20 }, (_, n) => `late-${n}`);
  const [rotated] = await Promise.all([
    command(gateway, 'rotate'),
    ...late.map((name) => makeToken(gateway, name)),
    ...NAMES.slice(0, 20).map((name) => ask(gateway, 'PATCH', `/oauth2_tokens/${name}`, { scope: 's' })),
  ]);
  assert.equal(rotated.code, 0, rotated.stderr);
  const status = await command(gateway, 'status');
  assert.match(status.stdout, rows(idOf(NEW), TOKENS + 20));
  assert.ok(!status.stdout.includes(idOf(OLD)), status.stdout);
  assert.match((await command(gateway, 'rotate')).stdout, /sealed anew: .*, 0 records$/m);
  await restartWith(gateway, NEW);
  await allThere(gateway, NAMES.concat(late));
  assert.equal((await ask(gateway, 'GET', '/oauth2_tokens/t3')).body['scope'], 's');
  // Whatever is removed later leaves its values to others.
  assert.equal((await ask(gateway, 'DELETE', '/oauth2_tokens/t0')).status, 204);
  await makeToken(gateway, 't0');
}

test('on SQLite; then nothing of the old key is in the prefix', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await rotation(gateway, 'store');
  await gateway.stop();
  const files = await readdir(gateway.prefix, { recursive: true, withFileTypes: true });
  for (const one of files.filter((entry) => entry.isFile())) {
    const octets = await readFile(join(one.parentPath, one.name));
    assert.ok(!octets.includes(`${idOf(OLD)}$`), one.name);
    assert.ok(!octets.includes('t21-r'), one.name);
  }
});

test('on Postgres', async () => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret' };
  await using gateway = await startStandIn({ settings });
  await rotation(gateway, 'database');
});
