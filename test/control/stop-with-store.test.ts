/** Stopping a gateway that waits for its database, or that is in the middle of a transaction. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { Child } from '../support/child.ts';
import { sluice, startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

test('a start that waits for a database that says nothing ends when it is told to', async () => {
  const silent = createServer();
  const connections: Socket[] = [];
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  await using folder = await tempDir();
  const connected = once(silent, 'connection').then(([socket]) => connections.push(socket as Socket));
  const gateway = new Child('bin/sluice', ['start', '-p', folder.path], {
    env: {
      ...process.env,
      SLUICE_NO_RESTART: '1',
      SLUICE_DATABASE: 'postgres',
      SLUICE_PG_PORT: String((silent.address() as AddressInfo).port),
      SLUICE_PG_TIMEOUT: '100000',
      SLUICE_PROXY_LISTEN: 'off',
      SLUICE_ADMIN_LISTEN: 'off',
      SLUICE_STATUS_LISTEN: 'off',
    },
  });
  try {
    await connected;
    const exit = await gateway.stop('SIGTERM');
    assert.deepEqual([exit.code, exit.signal], [0, null], gateway.output);
    assert.equal(gateway.output, '');
  } finally {
    for (const socket of connections) socket.destroy();
    silent.close();
    await gateway.stop('SIGKILL');
  }
});

const LINES = Array.from({ length: 10_000 }, (_, n) =>
  JSON.stringify({ op: 'create', kind: 'services', entity: { name: `s${n}`, host: 'h.test' } }),
).join('\n');

test('a graceful stop waits for the transaction that is under way', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const outgoing = request(`${gateway.adminUrl}/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', expect: '100-continue' },
  });
  const answer = once(outgoing, 'response').then(([response]) => response as IncomingMessage);
  await once(outgoing, 'continue');
  outgoing.write(LINES);
  const exit = gateway.waitExit();
  const quit = sluice(['quit', '-c', gateway.conf, '-t', '60']);
  await waitFor(async () => (await fetch(`${gateway.statusUrl}/status/ready`)).status === 503);
  outgoing.end();
  const { statusCode } = await answer;
  assert.deepEqual([statusCode, (await quit).code, (await exit).code], [200, 0, 0]);
});
