/**
 * Time-outs run between two operations on the side that is late, never over a whole exchange, and never because the
 * other side is slow. They are short here, and yet long enough that a machine with other things to do does not make a
 * side late that is not: a tick is a twenty-fifth of the limit.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startRawUpstream, type RawPeer } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText } from './support/ask.ts';

/** Milliseconds. */
const LIMIT = 2000;
const TICK = 80;
/** As many as make more than the limit. */
const TICKS = 32;
const LARGE = 24 << 20;

/** A test holds both ends. */
const upstream = await startRawUpstream(({ socket }) => void socket.setMaxListeners(0));
const gateway = await startGateway({
  config: {
    _format_version: '3.0',
    services: [
      {
        name: 'short',
        url: upstream.url,
        retries: 0,
        connect_timeout: LIMIT,
        write_timeout: LIMIT,
        read_timeout: LIMIT,
        routes: [
          { name: 'kept', paths: ['/kept'] },
          { name: 'streamed', paths: ['/streamed'], request_buffering: false, response_buffering: false },
        ],
      },
      {
        name: 'patient',
        url: upstream.url,
        routes: [{ name: 'patient', paths: ['/patient'], request_buffering: false }],
      },
    ],
  },
  settings: {
    nginx_http_client_body_timeout: `${LIMIT}ms`,
    nginx_http_client_header_timeout: `${LIMIT}ms`,
    // Longer than an upstream is let wait for its client below.
    nginx_http_send_timeout: `${2 * LIMIT}ms`,
  },
});
const port = gateway.proxyPort;

after(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

async function nextPeer(seen: number): Promise<RawPeer> {
  return waitFor(() => upstream.peers[seen], { what: 'a connection to the upstream' });
}

/** Lets a socket flow that stood still, and counts what comes instead of keeping it. */
function counted(socket: Socket): () => number {
  let octets = 0;
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => (octets += chunk.length));
  socket.resume();
  return () => octets;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

test('a response that drips goes on as long as it drips', async () => {
  await using connection = await connectRaw(port);
  const seen = upstream.peers.length;
  connection.write(requestText({ target: '/kept' }));
  const peer = await nextPeer(seen);
  await peer.heads(1);
  const body = 'drip'.repeat(TICKS / 4);
  for (const byte of `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`) {
    peer.write(byte);
    await delay(TICK / 2);
  }
  for (const byte of body) {
    await delay(TICK);
    peer.write(byte);
  }
  assert.equal((await connection.readResponse()).text(), body);
});

test('a request that drips goes on as long as it drips, and the upstream does not wait meanwhile', async () => {
  for (const target of ['/kept', '/streamed']) {
    await using connection = await connectRaw(port);
    const seen = upstream.peers.length;
    connection.write(requestText({ method: 'POST', target, lines: [`Content-Length: ${TICKS}`] }));
    for (let i = 0; i < TICKS; i++) {
      await delay(TICK);
      connection.write('x');
    }
    const peer = await nextPeer(seen);
    await waitFor(() => peer.received.toString('latin1').endsWith(`\r\n\r\n${'x'.repeat(TICKS)}`));
    peer.end(OK);
    assert.equal((await connection.readResponse()).text(), 'ok', target);
  }
});

test('an upstream is not late while the client is the slow one', async () => {
  for (const target of ['/kept', '/streamed']) {
    await using connection = await connectRaw(port);
    const seen = upstream.peers.length;
    connection.write(requestText({ target }));
    const peer = await nextPeer(seen);
    await peer.heads(1);
    connection.socket.pause();
    peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\nConnection: close\r\n\r\n`);
    peer.write(Buffer.alloc(LARGE, 'x'));
    await delay(TICK * TICKS);
    const count = counted(connection.socket);
    await waitFor(() => count() > LARGE, { timeout: 30_000, what: `the whole of ${target}` });
  }
});

test('a client is not late while the upstream is the slow one', async () => {
  await using connection = await connectRaw(port);
  const seen = upstream.peers.length;
  connection.write(requestText({ method: 'POST', target: '/patient', lines: [`Content-Length: ${LARGE}`] }));
  const peer = await nextPeer(seen);
  await peer.heads(1);
  peer.socket.pause();
  const sender = connection.socket;
  sender.write(Buffer.alloc(LARGE, 'x'));
  await delay(TICK * TICKS);
  assert.equal(connection.ending, 'open');
  assert.ok(peer.socket.bytesRead < LARGE);
  counted(peer.socket);
  await waitFor(() => peer.socket.bytesRead > LARGE, { timeout: 30_000, what: 'the whole' });
  peer.end(OK);
  assert.equal((await connection.readResponse()).text(), 'ok');
});

test('an upstream that stops within its response breaks it off', async () => {
  await using connection = await connectRaw(port);
  const seen = upstream.peers.length;
  connection.write(requestText({ target: '/kept' }));
  const peer = await nextPeer(seen);
  await peer.heads(1);
  peer.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
  assert.notEqual(await connection.closed(), 'open');
  assert.match(connection.received.toString('latin1'), /^HTTP\/1\.1 200 [^]*\r\n\r\nabc$/);
  await waitFor(() => peer.socket.readableEnded || peer.socket.destroyed);
});

test('a client that takes nothing is cut after send_timeout, and its upstream with it', async () => {
  await using connection = await connectRaw(port);
  const seen = upstream.peers.length;
  connection.write(requestText({ target: '/streamed' }));
  const peer = await nextPeer(seen);
  await peer.heads(1);
  connection.socket.pause();
  peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\nConnection: close\r\n\r\n`);
  peer.write(Buffer.alloc(LARGE, 'x'));
  await waitFor(() => peer.socket.destroyed || peer.socket.readableEnded, {
    what: 'the upstream connection to end',
  });
  connection.socket.resume();
  await connection.closed();
  assert.ok(connection.received.length < LARGE);
});

test('a head that drips is cut by client_header_timeout all the same: it is for the whole', async () => {
  await using connection = await connectRaw(port);
  const bytes = requestText({ target: '/kept', lines: [`X: ${'x'.repeat(200)}`] });
  for (const byte of bytes) {
    if (connection.ending !== 'open' || connection.unread.length > 0) break;
    connection.write(byte);
    await delay(20);
  }
  assert.equal((await connection.readResponse()).status, 408);
});

test('a connection that never says anything is closed without a word', async () => {
  await using connection = await connectRaw(port);
  assert.equal(await connection.closed(), 'end');
  assert.equal(connection.received.length, 0);
});
