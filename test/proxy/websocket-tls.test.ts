/** WebSocket with TLS on neither, either and both legs, by the `ws` package: everything passes untouched. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { RawConnection } from '../support/raw-client.ts';
import { startTlsFront } from '../support/tls-front.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const own = selfSigned({
  names: ['localhost'],
  from: new Date(Date.now() - 1000),
  until: new Date(Date.now() + 3_600_000),
});

/** Echoes messages; some of them are commands. */
async function startEcho(server: Server): Promise<{ port: number; accepted: WebSocket[] }> {
  const accepted: WebSocket[] = [];
  new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } }).on('connection', (socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.on('message', (data: RawData, binary) => {
      const text = binary ? '' : (data as Buffer).toString();
      if (text.startsWith('close ')) socket.close(Number(text.slice(6)), 'as asked');
      else if (text === 'ping') socket.ping('from the server');
      else socket.send(data, { binary });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, accepted };
}

const plainServer = createHttp();
const tlsServer = createHttps(own);
const upstreams = { ws: await startEcho(plainServer), wss: await startEcho(tlsServer) };
after(() => {
  for (const { accepted } of Object.values(upstreams)) for (const socket of accepted) socket.terminate();
  plainServer.close();
  tlsServer.close();
});

const SIZES = [0, 1, 125, 126, 1024, 1500, 1536, 4096, 16_384, 65_535, 65_536, 3_000_000];

for (const client of ['ws', 'wss'] as const) {
  for (const server of ['ws', 'wss'] as const) {
    describe(`${client} to ${server}`, async () => {
      const upstream = upstreams[server];
      const plane = await startPlane(upstream.port, { service: { tls: server === 'wss' } });
      const front = await startTlsFront(plane.plane, own);
      after(async () => {
        await front[Symbol.asyncDispose]();
        await plane[Symbol.asyncDispose]();
      });
      const url = client === 'wss' ? `wss://127.0.0.1:${front.port}/` : `ws://127.0.0.1:${plane.port}/`;
      const open = async (deflate: boolean): Promise<WebSocket> => {
        const socket = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate: deflate });
        await once(socket, 'open');
        return socket;
      };

      for (const deflate of [false, true]) {
        test(`messages of all sizes, ${deflate ? 'compressed' : 'plain'}`, async () => {
          const socket = await open(deflate);
          assert.equal(socket.extensions.includes('permessage-deflate'), deflate);
          for (const size of SIZES) {
            for (const data of [randomBytes(size), Buffer.alloc(size, 'a')]) {
              socket.send(data);
              const [echo] = (await once(socket, 'message')) as [Buffer];
              assert.ok(echo.equals(data), `${size} octets`);
            }
          }
          socket.terminate();
        });
      }

      test('many at once, in order', async () => {
        const socket = await open(false);
        const sent = Array.from({ length: 300 }, (_, index) => randomBytes((index * 7919) % 20_000));
        const got: Buffer[] = [];
        const all = new Promise<void>((resolve) => {
          socket.on('message', (data: Buffer) => {
            got.push(data);
            if (got.length === sent.length) resolve();
          });
        });
        for (const data of sent) socket.send(data);
        await all;
        assert.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
        socket.terminate();
      });

      test('pings, pongs and close codes of either side', async () => {
        const socket = await open(false);
        socket.ping('from the client');
        const [pong] = (await once(socket, 'pong')) as [Buffer];
        assert.equal(pong.toString(), 'from the client');
        const pinged = once(socket, 'ping');
        socket.send('ping');
        assert.equal(String((await pinged)[0]), 'from the server');
        socket.send('close 4002');
        const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
        assert.deepEqual([code, reason.toString()], [4002, 'as asked']);
        const second = await open(false);
        const other = upstream.accepted.at(-1) as WebSocket;
        const closed = once(other, 'close');
        second.close(4001, 'bye');
        const [theirs, why] = (await closed) as [number, Buffer];
        assert.deepEqual([theirs, why.toString()], [4001, 'bye']);
      });

      test('a side that breaks ends the other, and nothing stays', async () => {
        const socket = await open(false);
        const other = upstream.accepted.at(-1) as WebSocket;
        const closed = once(other, 'close');
        socket.terminate();
        await closed;
        const second = await open(false);
        second.on('error', () => {});
        const gone = once(second, 'close');
        (upstream.accepted.at(-1) as WebSocket).terminate();
        await gone;
        await plane.settled();
      });
    });
  }
}

const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

async function rawTls(port: number): Promise<RawConnection> {
  // `allowHalfOpen` is node's, and missing in its types for TLS.
  const options = { port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true };
  const socket = connectTls(options);
  await once(socket, 'secureConnect');
  return new RawConnection(socket);
}

async function bothLegs(
  port: number,
): Promise<{ plane: TestPlane; client: RawConnection } & AsyncDisposable> {
  const plane = await startPlane(port, { service: { tls: true } });
  const front = await startTlsFront(plane.plane, own);
  const client = await rawTls(front.port);
  return {
    plane,
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
      await plane[Symbol.asyncDispose]();
    },
  };
}

test('TLS on both legs: either side ends first with close_notify, and the other still speaks', async () => {
  for (const first of ['client', 'upstream'] as const) {
    await using upstream = await startRawUpstream(
      async (peer) => {
        await peer.heads(1);
        peer.write(SWITCH);
      },
      { tls: own },
    );
    await using legs = await bothLegs(upstream.port);
    const { client, plane } = legs;
    client.write(`${UPGRADE}early`);
    assert.equal((await client.readResponse()).status, 101);
    const [peer] = upstream.peers;
    assert.ok(peer);
    await waitFor(() => peer.received.toString('latin1').endsWith('early'), { what: 'what came early' });
    if (first === 'client') {
      client.end();
      await waitFor(() => peer.socket.readableEnded, { what: 'the end of the client' });
      peer.end('last words');
      assert.equal((await client.readBytes(10)).toString(), 'last words');
    } else {
      peer.end('last words');
      assert.equal((await client.readBytes(10)).toString(), 'last words');
      await waitFor(() => client.socket.readableEnded, { what: 'the end of the upstream' });
      client.write('and mine');
      client.end();
      await waitFor(() => peer.received.toString('latin1').endsWith('and mine'), { what: 'the rest' });
    }
    await plane.settled();
  }
});

test('TLS on both legs: a slow side stops the other one', async () => {
  await using upstream = await startRawUpstream(
    async (peer) => {
      await peer.heads(1);
      peer.write(SWITCH);
    },
    { tls: own },
  );
  await using legs = await bothLegs(upstream.port);
  const { client, plane } = legs;
  client.write(UPGRADE);
  await client.readResponse();
  client.socket.pause();
  const [peer] = upstream.peers;
  assert.ok(peer);
  const piece = Buffer.alloc(1 << 20, 'x');
  let given = 0;
  // Until nothing has moved for a while.
  for (let still = 0, waiting = -1; still < 20;) {
    assert.ok(given < 200, `${given} MiB went into the tunnel`);
    if (peer.socket.writableLength < 8 << 20) {
      peer.socket.write(piece);
      given++;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = peer.socket.writableLength === waiting ? still + 1 : 0;
    waiting = peer.socket.writableLength;
  }
  let got = 0;
  client.socket.removeAllListeners('data').on('data', (chunk: Buffer) => (got += chunk.length));
  client.socket.resume();
  peer.end();
  await once(client.socket, 'end');
  assert.equal(got, given * piece.length);
  client.end();
  await plane.settled();
});

test('an idle WebSocket ends with the read time-out of its service, also over TLS', async () => {
  await using upstream = await startRawUpstream(
    async (peer) => {
      await peer.heads(1);
      peer.write(SWITCH);
    },
    { tls: own },
  );
  const service = { tls: true, timeouts: { connect: 5000, write: 5000, read: 2000 } };
  await using plane = await startPlane(upstream.port, { service });
  await using front = await startTlsFront(plane.plane, own);
  await using client = await rawTls(front.port);
  client.write(UPGRADE);
  assert.equal((await client.readResponse()).status, 101);
  await client.closed();
  await plane.settled();
});
