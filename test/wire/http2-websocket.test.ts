/** WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes HTTP/1.1's upgrade, and its stream a tunnel. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { answerOf, Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { type RawPeer, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
const CONNECT = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'http',
  ':path': '/chat?a=b',
  ':authority': 'example.test',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'chat',
};

const acceptOf = (peer: RawPeer): string => {
  const key = /^sec-websocket-key: (\S+)\r$/im.exec(peer.received.toString('latin1'))?.[1] ?? '';
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
};

function collected(stream: ClientHttp2Stream): { text: string } {
  const seen = { text: '' };
  stream.on('data', (chunk: Buffer) => (seen.text += chunk.toString('latin1')));
  return seen;
}

async function opened(client: Http2Client): Promise<ClientHttp2Stream> {
  if (!client.session.remoteSettings.enableConnectProtocol) await once(client.session, 'remoteSettings');
  return client.open(CONNECT, { endStream: false });
}

test('accepted: 200, bytes both ways, and the end of either side', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write(
      `${SWITCH}Sec-WebSocket-Accept: ${acceptOf(peer)}\r\nSec-WebSocket-Protocol: chat\r\n\r\nfirst`,
    );
    const head = peer.received.indexOf('\r\n\r\n') + 4;
    await peer.bytes(head + 200_000);
    peer.write('x'.repeat(300_000));
    await once(peer.socket, 'end');
    peer.end();
  });
  await using plane = await startHttp2Plane(upstream.port);
  await using client = new Http2Client(plane.port);
  const stream = await opened(client);
  const [headers] = (await once(stream, 'response')) as [Record<string, string>];
  assert.deepEqual(
    [
      headers[':status'],
      headers['sec-websocket-protocol'],
      headers['sec-websocket-accept'],
      headers['upgrade'],
    ],
    [200, 'chat', undefined, undefined],
  );
  const seen = collected(stream);
  await waitFor(() => seen.text === 'first');
  assert.equal(plane.zone.get(CELL.tunnels), 1);
  const request = upstream.peers[0]?.received.toString('latin1') ?? '';
  assert.match(request, /^GET \/chat\?a=b HTTP\/1\.1\r\n/);
  assert.match(request, /\r\nUpgrade: websocket\r\n/);
  assert.doesNotMatch(request, /transfer-encoding|content-length|:protocol/i);
  stream.write('y'.repeat(200_000));
  await waitFor(() => seen.text.length === 300_005, { what: 'what the upstream sends' });
  stream.end();
  await once(stream, 'close');
  assert.equal(stream.rstCode, 0);
  await waitFor(() => plane.zone.get(CELL.tunnels) === 0);
  assert.equal(plane.zone.get(CELL.http2Streams), 0);
});

const REFUSED: ReadonlyArray<readonly [what: string, answer: string, status: number]> = [
  ['an answer without a switch', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', 403],
  ['a 200, which would mean a tunnel', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
  [
    'a wrong Sec-WebSocket-Accept',
    `${SWITCH}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`,
    502,
  ],
  ['no Sec-WebSocket-Accept', `${SWITCH}\r\n`, 502],
];

for (const [what, answer, status] of REFUSED) {
  test(`refused: ${what}`, async () => {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(answer);
      await once(peer.socket, 'end');
      peer.end();
    });
    await using plane = await startHttp2Plane(upstream.port);
    await using client = new Http2Client(plane.port);
    const stream = await opened(client);
    assert.equal((await answerOf(stream)).status, status);
    await waitFor(() => plane.zone.get(CELL.http2Streams) === 0 && plane.zone.get(CELL.tunnels) === 0);
  });
}

test('a tunnel whose ends break: the other end is told', async () => {
  for (const side of ['client', 'upstream'] as const) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(`${SWITCH}Sec-WebSocket-Accept: ${acceptOf(peer)}\r\n\r\n`);
      await once(peer.socket, 'end');
      peer.end();
    });
    await using plane = await startHttp2Plane(upstream.port);
    await using client = new Http2Client(plane.port);
    const stream = await opened(client);
    await once(stream, 'response');
    stream.resume();
    if (side === 'client') stream.close(8);
    else upstream.peers[0]?.reset();
    await waitFor(() => stream.closed && upstream.open === 0, { what: `both ends of the tunnel (${side})` });
    await waitFor(() => plane.zone.get(CELL.tunnels) === 0);
  }
});

test('an upstream that takes nothing and breaks: its client, whose bytes are held back, is let go', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.socket.pause();
    peer.write(`${SWITCH}Sec-WebSocket-Accept: ${acceptOf(peer)}\r\n\r\n`);
  });
  await using plane = await startHttp2Plane(upstream.port, {
    service: { timeouts: { connect: 5000, write: 600_000, read: 600_000 } },
  });
  await using client = new Http2Client(plane.port);
  const stream = await opened(client);
  await once(stream, 'response');
  stream.resume();
  // Until the gateway takes no more: a window's worth waits unread in the client's stream.
  let acknowledged = true;
  for (let at = 0; at < 400 && acknowledged; at++) {
    stream.write(Buffer.alloc(64 * 1024));
    await new Promise((resolve) => client.session.ping(resolve));
    acknowledged = stream.writableLength === 0;
  }
  assert.equal(acknowledged, false, 'the gateway takes whatever comes');
  upstream.peers[0]?.reset();
  await waitFor(() => plane.zone.get(CELL.tunnels) === 0, { what: 'the tunnel to be over' });
  assert.equal(plane.zone.get(CELL.http2Streams), 0);
});
