/** Plugins on a request that asks for WebSocket: all phases run, and one that refuses ends it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { refuse } from '../../src/plugins/kit/reply.ts';
import { startPlane } from '../support/data-plane.ts';
import type { InlinePlugin } from '../support/plugins.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const ASK =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

const plugin = (name: string, priority: number, filters: Filters): InlinePlugin => ({
  name,
  priority,
  filters,
});

/** Says what runs. */
function telling(name: string, heard: string[], more: Filters = {}): InlinePlugin {
  return plugin(name, 10, {
    rewrite: () => void heard.push('rewrite'),
    async access(exchange) {
      await Promise.resolve();
      heard.push(`access ${exchange.request.path}`);
      exchange.upstreamRequest.headers.set('X-From', name);
    },
    headerFilter(exchange) {
      heard.push(`headerFilter ${exchange.response.status}`);
      exchange.response.headers.set('X-Told', name);
    },
    bodyFilter: () => void heard.push('bodyFilter'),
    log: (exchange) => void heard.push(`log ${exchange.response.status}`),
    ...more,
  });
}

test('rewrite, access and headerFilter run before bytes pass, log when all is over', async () => {
  const heard: string[] = [];
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write(SWITCH);
  });
  await using plane = await startPlane(upstream.port, { plugins: [telling('teller', heard)] });
  await using client = await connectRaw(plane.port);
  client.write(ASK);
  const switched = await client.readResponse();
  assert.equal(switched.status, 101);
  assert.equal(switched.header('x-told'), 'teller');
  const [peer] = upstream.peers;
  assert.match(peer?.received.toString() ?? '', /\r\nX-From: teller\r\n/i);
  assert.deepEqual(heard, ['rewrite', 'access /chat', 'headerFilter 101']);
  client.write('ping');
  await waitFor(() => peer?.received.toString().endsWith('ping'));
  peer?.write('pong');
  assert.equal((await client.readBytes(4)).toString(), 'pong');
  peer?.end();
  client.end();
  await client.closed();
  await waitFor(() => heard.length === 4, { what: 'the log phase' });
  // What passes behind a 101 is no body.
  assert.deepEqual(heard.slice(3), ['log 101']);
});

const REFUSALS: ReadonlyArray<readonly [string, Filters, number]> = [
  ['access', { access: () => refuse(403, 'no sockets') }, 403],
  ['access, later', { access: async () => refuse(401, 'no sockets') }, 401],
  ['rewrite', { rewrite: () => refuse(503, 'no sockets') }, 503],
  [
    'a throw in access',
    {
      access() {
        throw new Error('boom');
      },
    },
    500,
  ],
];

for (const [what, filters, status] of REFUSALS) {
  test(`refused in ${what}: no upstream is asked, and the connection goes on with HTTP`, async () => {
    const heard: string[] = [];
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(SWITCH);
    });
    const refusing = plugin('refuser', 100, filters);
    await using plane = await startPlane(upstream.port, { plugins: [refusing, telling('teller', heard)] });
    await using client = await connectRaw(plane.port);
    client.write(ASK);
    const response = await client.readResponse();
    assert.equal(response.status, status);
    assert.equal(upstream.peers.length, 0);
    await waitFor(() => heard.includes(`log ${status}`), { what: 'the log phase' });
    assert.ok(heard.includes(`headerFilter ${status}`));
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await client.readResponse()).status, status);
  });
}
