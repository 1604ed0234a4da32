/** A client that sends and never reads: what waits for it is bounded, and so is the time that it may wait. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientConnection } from '../../src/wire/http1/client-connection.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { startHttpUpstream, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const PEER = {
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 1,
  tls: null,
  trusted: false,
  publicPort: 1,
};

function deaf(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  return socket;
}

test('the end of a request body does not end the time-out of a response that nobody reads', async () => {
  const large = Buffer.alloc(16 << 20, 'x');
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n`);
    peer.write(large);
  });
  await using plane = await startPlane(upstream.port, {
    settings: { nginx_http_send_timeout: '500ms' },
    route: { requestBuffering: false },
    service: { timeouts: { connect: 5000, write: 60_000, read: 60_000 } },
  });
  const client = deaf(plane.port);
  try {
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
    await waitFor(() => upstream.peers[0], { what: 'the upstream to be asked' });
    await delay(200);
    client.write('67890');
    await plane.settled();
  } finally {
    client.destroy();
  }
});

test('an upstream that lets the client wait does not end the time-out of a response that nobody reads', async () => {
  const large = Buffer.alloc(16 << 20, 'x');
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.socket.pause();
    peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n`);
    peer.write(large);
    await delay(500);
    peer.socket.resume();
  });
  await using plane = await startPlane(upstream.port, {
    settings: { nginx_http_send_timeout: '1s' },
    route: { requestBuffering: false },
    service: { timeouts: { connect: 5000, write: 60_000, read: 60_000 } },
  });
  const client = deaf(plane.port);
  try {
    // More than the way to the upstream holds, and still not all of the body.
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${large.length + 1}\r\n\r\n`);
    client.write(large);
    await waitFor(() => upstream.peers[0], { what: 'the upstream to be asked' });
    await plane.settled();
  } finally {
    client.destroy();
  }
});

test('a body that stops times out, also when the response before it is still waiting', async () => {
  await using upstream = await startHttpUpstream((_request, response) => void response.end(body));
  const body = Buffer.alloc(60_000, 'x');
  await using plane = await startPlane(upstream.port, { settings: { nginx_http_send_timeout: '500ms' } });
  const { promise, resolve } = Promise.withResolvers<Socket>();
  await using server = createServer({ allowHalfOpen: true }, resolve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = deaf((server.address() as AddressInfo).port);
  try {
    const socket = await promise;
    const connection = new ClientConnection(socket, PEER, plane.plane);
    // Until the kernel takes no more: then a little waits here, and the connection serves on.
    for (let asked = 1; socket.writableLength === 0; asked++) {
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const answered = (): boolean => upstream.requests === asked && plane.zone.get(CELL.writing) === 0;
      await waitFor(answered, { interval: 1, what: 'an answer' });
    }
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
    await plane.settled();
    connection.destroy();
  } finally {
    client.destroy();
  }
});

test('pipelined requests with bodies wait for a client that does not read', async () => {
  await using plane = await startPlane(1, {
    settings: { nginx_http_keepalive_requests: '1000000' },
    // Answered before the body has been read.
    route: { service: null },
  });
  const many = 200_000;
  const client = deaf(plane.port);
  try {
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'.repeat(many));
    await waitFor(() => plane.zone.get(CELL.requests) > 0, { what: 'the first answer' });
    let seen = -1;
    // Until a while brings no request.
    for (let now = plane.zone.get(CELL.requests); now !== seen; now = plane.zone.get(CELL.requests)) {
      seen = now;
      await delay(500);
    }
    assert.ok(seen > 0 && seen < many, `${seen} of ${many} were answered`);
  } finally {
    client.destroy();
  }
});

test('a tunnel whose upstream has gone ends, although its client goes on sending and never reads', async () => {
  const block = Buffer.alloc(1 << 20, 'x');
  let full = false;
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    while (!peer.socket.writableNeedDrain || (await delay(100), peer.socket.writableLength === 0)) {
      peer.write(block);
    }
    full = true;
    peer.socket.destroy();
  });
  await using plane = await startPlane(upstream.port, {
    service: { timeouts: { connect: 5000, write: 5000, read: 500 } },
  });
  const client = deaf(plane.port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  const sending = setInterval(() => client.write('y'), 100);
  try {
    // Not that there is a tunnel: it may be over before one looks.
    await waitFor(() => plane.zone.get(CELL.requests) === 1, { what: 'the tunnel' });
    await plane.settled();
    assert.ok(full, 'the upstream filled it and has gone');
  } finally {
    clearInterval(sending);
    client.destroy();
  }
});
