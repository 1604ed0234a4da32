/** WebSocket through the gateway, with a real client and server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { startGateway } from '../support/gateway.ts';
import { connectRaw, RawConnection } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, type SeenHead } from './support/ask.ts';
import { answer, startPuppet } from './support/puppet.ts';

const http = createServer((_, response) => response.end('plain'));
const server = new WebSocketServer({ server: http, handleProtocols: (names) => [...names].at(-1) ?? false });
const requests: IncomingMessage[] = [];
const accepted: WebSocket[] = [];
server.on('connection', (socket, request) => {
  requests.push(request);
  accepted.push(socket);
  socket.on('error', () => {});
  socket.on('message', (data: RawData, binary) => {
    const text = binary ? '' : (data as Buffer).toString();
    if (text.startsWith('close ')) socket.close(Number(text.slice(6)), 'as asked');
    else if (text === 'terminate') socket.terminate();
    else socket.send(data, { binary });
  });
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const puppet = await startPuppet();
/** Switches, and then each test holds both ends. */
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const raw = await startRawUpstream(async (peer) => {
  await peer.heads(1);
  peer.write(SWITCH);
});
const service = { host: '127.0.0.1', retries: 0 };
const config = {
  _format_version: '3.0',
  services: [
    {
      ...service,
      name: 'ws',
      port: (http.address() as AddressInfo).port,
      routes: [{ name: 'ws', paths: ['/ws'] }],
    },
    {
      ...service,
      name: 'short',
      port: (http.address() as AddressInfo).port,
      read_timeout: 2000,
      routes: [{ name: 'short', paths: ['/short'] }],
    },
    { ...service, name: 'puppet', port: puppet.port, routes: [{ name: 'puppet', paths: ['/puppet'] }] },
    { ...service, name: 'raw', port: raw.port, routes: [{ name: 'raw', paths: ['/raw'] }] },
  ],
};
const gateway = await startGateway({ config });
const port = gateway.proxyPort;

after(async () => {
  await gateway[Symbol.asyncDispose]();
  await puppet[Symbol.asyncDispose]();
  await raw[Symbol.asyncDispose]();
  for (const client of server.clients) client.terminate();
  server.close();
  http.close();
});

async function open(path: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, {
    headers: { 'x-forwarded-for': '10.0.0.1' },
  });
  await once(socket, 'open');
  return socket;
}

async function echoOf(socket: WebSocket, data: string | Buffer): Promise<Buffer> {
  socket.send(data);
  const [answer] = (await once(socket, 'message')) as [Buffer];
  return answer;
}

test('text, binary and large frames come back', async () => {
  const socket = await open('/ws/room?x=1');
  assert.equal((await echoOf(socket, 'hello')).toString(), 'hello');
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
    const data = randomBytes(size);
    assert.ok((await echoOf(socket, data)).equals(data), `${size} bytes`);
  }
  socket.ping('p');
  const [payload] = (await once(socket, 'pong')) as [Buffer];
  assert.equal(payload.toString(), 'p');
  socket.close();
  await once(socket, 'close');
});

test('the handshake: path, headers, subprotocol', async () => {
  const socket = await open('/ws/room?x=1', ['one', 'two']);
  const request = requests.at(-1);
  assert.equal(request?.url, '/room?x=1');
  assert.equal(request?.headers['connection'], 'keep-alive, Upgrade');
  assert.equal(request?.headers['upgrade'], 'websocket');
  assert.equal(request?.headers['x-forwarded-for'], '10.0.0.1, 127.0.0.1');
  assert.match(String(request?.headers['x-kong-request-id']), /^[0-9a-f]{32}$/);
  assert.equal(socket.protocol, 'two');
  socket.close();
  await once(socket, 'close');
});

test('the client closes first: its code arrives', async () => {
  const socket = await open('/ws');
  const other = accepted.at(-1) as WebSocket;
  const closed = once(other, 'close');
  socket.close(4001, 'bye');
  const [code, reason] = (await closed) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [4001, 'bye']);
});

test('the server closes first: its code arrives', async () => {
  const socket = await open('/ws');
  socket.send('close 4002');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [4002, 'as asked']);
});

test('either side breaks: the other one learns', async () => {
  const first = await open('/ws');
  const other = accepted.at(-1) as WebSocket;
  const closed = once(other, 'close');
  first.terminate();
  assert.equal(((await closed) as [number])[0], 1006);
  const second = await open('/ws');
  second.on('error', () => {});
  second.send('terminate');
  assert.equal(((await once(second, 'close')) as [number])[0], 1006);
});

test('read_timeout ends a connection on which nothing moves, and only such a one', async () => {
  const socket = await open('/short');
  let closed = false;
  socket.on('close', () => (closed = true));
  // Well within the time each, together more than it.
  for (let n = 0; n < 30; n++) {
    assert.equal(closed, false, 'it moves');
    await echoOf(socket, 'still here');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [code] = (await once(socket, 'close')) as [number];
  assert.equal(code, 1006);
  await waitFor(() => accepted.at(-1)?.readyState === WebSocket.CLOSED);
});

test('a WebSocket stays with its upstream through reloads that take its route and service away', async () => {
  const socket = await open('/ws');
  await gateway.reload({ ...config, services: config.services.filter(({ name }) => name !== 'ws') });
  await assert.rejects(open('/ws'), /404/);
  assert.equal((await echoOf(socket, 'still here')).toString(), 'still here');
  await gateway.reload(config);
  assert.equal((await echoOf(socket, 'and now')).toString(), 'and now');
  socket.close(4003, 'done');
  const [code] = (await once(socket, 'close')) as [number];
  assert.equal(code, 4003);
});

test('a server that does not switch answers like any other', async () => {
  await using connection = await connectRaw(port);
  const upgrade = ['Connection: Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Version: 13'];
  const from = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno';
  connection.write(requestText({ target: '/puppet', lines: [...upgrade, ...answer(from)] }));
  const response = await connection.readResponse();
  assert.equal(response.status, 403);
  assert.equal(response.text(), 'no');
  const head = puppet.seen.at(-1) as SeenHead;
  assert.equal(head.one('upgrade'), 'websocket');
  connection.write(requestText({ target: '/nowhere' }));
  assert.equal((await connection.readResponse()).status, 404);
});

test('the head of the 101', async () => {
  await using connection = await connectRaw(port);
  connection.write(requestText({ target: '/raw', lines: ['Connection: upgrade', 'Upgrade: websocket'] }));
  const response = await connection.readResponse();
  assert.equal(response.status, 101);
  assert.deepEqual(response.all('connection'), ['Upgrade']);
  assert.deepEqual(response.all('upgrade'), ['websocket']);
  assert.match(String(response.header('via')), /^1\.1 sluice\//);
  assert.match(String(response.header('x-kong-request-id')), /^[0-9a-f]{32}$/);
  assert.deepEqual([response.all('content-length'), response.all('transfer-encoding')], [[], []]);
});

/** A client that may go on sending when the gateway has ended its side. */
async function halfOpen(): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return new RawConnection(socket);
}

test('bytes behind either head belong to the tunnel; each side may end first', async () => {
  for (const first of ['client', 'upstream'] as const) {
    await using connection = await halfOpen();
    const seen = raw.peers.length;
    const head = requestText({ target: '/raw', lines: ['Connection: upgrade', 'Upgrade: websocket'] });
    connection.write(`${head}from the client`);
    await connection.readResponse();
    const peer = raw.peers[seen];
    assert.ok(peer);
    await waitFor(() => peer.received.toString('latin1').endsWith('\r\n\r\nfrom the client'));
    peer.write('from the upstream');
    assert.equal((await connection.readBytes(17)).toString(), 'from the upstream');
    if (first === 'client') {
      connection.end();
      await waitFor(() => peer.socket.readableEnded);
      peer.end('last words');
      assert.equal((await connection.readBytes(10)).toString(), 'last words');
    } else {
      peer.end('last words');
      assert.equal((await connection.readBytes(10)).toString(), 'last words');
      assert.equal(await connection.closed(), 'end');
      connection.write('and mine');
      connection.end();
      await waitFor(() => peer.received.toString('latin1').endsWith('and mine'));
    }
    await waitFor(() => peer.socket.closed || peer.socket.destroyed || peer.socket.readableEnded);
  }
});

test('what an upstream sent before it went arrives, also at a slow client that has ended its side', async () => {
  // Somewhere between them the kernel's buffers are full and the gateway holds the rest.
  for (const size of [2, 3, 4, 5, 6, 7, 8, 12].map((count) => count << 20)) {
    await using connection = await connectRaw(port);
    const { socket } = connection;
    const seen = raw.peers.length;
    connection.write(requestText({ target: '/raw', lines: ['Connection: upgrade', 'Upgrade: websocket'] }));
    await connection.readResponse();
    socket.pause();
    const peer = raw.peers[seen];
    assert.ok(peer);
    connection.end();
    await waitFor(() => peer.socket.readableEnded);
    const before = connection.received.length;
    peer.end(Buffer.alloc(size, 'x'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.resume();
    await connection.closed();
    assert.equal(connection.received.length - before, size);
  }
});

test('a slow side stops the other one', async () => {
  await using connection = await connectRaw(port);
  const seen = raw.peers.length;
  connection.write(requestText({ target: '/raw', lines: ['Connection: upgrade', 'Upgrade: websocket'] }));
  await connection.readResponse();
  connection.socket.pause();
  const peer = raw.peers[seen];
  assert.ok(peer);
  const piece = Buffer.alloc(1 << 20, 'x');
  let given = 0;
  while (given < 200 && !(peer.socket.writableLength > 8 << 20)) {
    peer.socket.write(piece);
    given++;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(given < 100, `${given} MiB went into the tunnel`);
  connection.socket.resume();
  const head = connection.received.length;
  await waitFor(() => connection.received.length - head > 0 && peer.socket.writableLength === 0);
});
