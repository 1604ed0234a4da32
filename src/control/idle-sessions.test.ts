import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ServerHttp2Stream, connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { endIdleSessions } from './idle-sessions.ts';

const IDLE = 1000;

test('a session without requests ends, one with a request that takes long goes on', async () => {
  const server = createServer();
  // Longer than this process may take from a session's beginning to its request.
  endIdleSessions(server, IDLE);
  let pending: ServerHttp2Stream | undefined;
  server.on('stream', (stream: ServerHttp2Stream) => {
    pending = stream;
    stream.respond({ ':status': 200 });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [idle, busy] = [connect(url), connect(url)];
  const request = busy.request({ ':path': '/events' });
  await once(request, 'response');
  await once(idle, 'close');
  // Much longer than the other was let be.
  await new Promise((resolve) => setTimeout(resolve, 2 * IDLE));
  assert.equal(busy.destroyed, false);
  pending?.end('done');
  request.resume();
  await once(request, 'end');
  await once(busy, 'close');
  server.close();
});
