/** Server-sent events and other streams: what comes goes on at once, for as long as it comes, to clients of any speed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { connectRaw, RawConnection } from '../support/raw-client.ts';
import { startTlsFront } from '../support/tls-front.ts';
import { startRawUpstream, type RawPeer, type RawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const own = selfSigned({
  names: ['localhost'],
  from: new Date(Date.now() - 1000),
  until: new Date(Date.now() + 3_600_000),
});
const REQUEST = 'GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n';
const TYPE = 'Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n';

interface Framing {
  readonly title: string;
  readonly head: string;
  /** An event as it stands on the wire. */
  readonly event: (text: string) => string;
  readonly end: string;
}

const FRAMINGS: readonly Framing[] = [
  {
    title: 'chunked',
    head: `HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n`,
    event: (text) => `${text.length.toString(16)}\r\n${text}\r\n`,
    end: '0\r\n\r\n',
  },
  {
    title: 'until close',
    head: `HTTP/1.1 200 OK\r\n${TYPE}Connection: close\r\n\r\n`,
    event: (text) => text,
    end: '',
  },
  {
    title: 'of a known length',
    head: `HTTP/1.1 200 OK\r\n${TYPE}Content-Length: 1000\r\n\r\n`,
    event: (text) => text,
    end: ' '.repeat(1000 - 5 * 'data: 0\n\n'.length),
  },
];

async function upstreamOf(tls: boolean): Promise<RawUpstream> {
  return startRawUpstream(async (peer) => peer.heads(1), tls ? { tls: own } : {});
}

/** The upstream's side of the request that is under way. */
async function asked(upstream: RawUpstream): Promise<RawPeer> {
  const found = await waitFor(
    () => upstream.peers.find((peer) => peer.received.toString('latin1').includes('\r\n\r\n')),
    { what: 'the request' },
  );
  return found;
}

async function clientOf(port: number, tls: boolean): Promise<RawConnection> {
  if (!tls) return connectRaw(port);
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return new RawConnection(socket);
}

/** Client leg, upstream leg. */
const LEGS = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

for (const [clientTls, upstreamTls] of LEGS) {
  for (const buffering of [true, false]) {
    for (const { title, head, event, end } of FRAMINGS) {
      const legs = `${clientTls ? 'https' : 'http'} to ${upstreamTls ? 'https' : 'http'}`;
      test(`${legs}, ${title}, response_buffering ${buffering}: each event before the next one is sent`, async () => {
        await using upstream = await upstreamOf(upstreamTls);
        await using plane = await startPlane(upstream.port, {
          service: { tls: upstreamTls },
          route: { responseBuffering: buffering },
        });
        await using front = await startTlsFront(plane.plane, own);
        await using client = await clientOf(clientTls ? front.port : plane.port, clientTls);
        client.write(REQUEST);
        const peer = await asked(upstream);
        const has = async (text: string): Promise<void> => {
          await waitFor(() => client.received.toString('latin1').includes(text), { what: text });
        };
        // The head alone, then one event after the other; nothing of what is to come is there yet.
        peer.write(head);
        await has('\r\n\r\n');
        for (let number = 0; number < 5; number++) {
          peer.write(event(`data: ${number}\n\n`));
          await has(`data: ${number}\n\n`);
          assert.ok(!client.received.includes(`data: ${number + 1}`));
        }
        if (title === 'until close') peer.end();
        else peer.write(end);
        const response = await client.readResponse();
        assert.equal(response.header('content-type'), 'text/event-stream');
        assert.match(response.text(), /^(?:data: \d\n\n){5} *$/);
      });
    }
  }
}

test('no time-out ends a stream on which something comes, however long it takes', async () => {
  await using upstream = await upstreamOf(true);
  const timeouts = { connect: 5000, write: 2000, read: 2000 };
  await using plane = await startPlane(upstream.port, {
    service: { tls: true, timeouts },
    settings: { nginx_http_client_body_timeout: '2s', nginx_http_send_timeout: '2s' },
  });
  await using client = await connectRaw(plane.port);
  client.write(REQUEST);
  const peer = await asked(upstream);
  peer.write(`HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n`);
  const events = 50;
  // Well within the time-out each, and beyond it together.
  for (let event = 0; event < events; event++) {
    peer.write('3\r\n:\n\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 80));
  }
  peer.write('0\r\n\r\n');
  assert.equal((await client.readResponse()).text(), ':\n\n'.repeat(events));
});

test('a stream that falls silent ends with the read time-out', async () => {
  await using upstream = await upstreamOf(true);
  await using plane = await startPlane(upstream.port, {
    service: { tls: true, timeouts: { connect: 5000, write: 5000, read: 2000 } },
  });
  await using client = await connectRaw(plane.port);
  client.write(REQUEST);
  const peer = await asked(upstream);
  peer.write(`HTTP/1.1 200 OK\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n`);
  await client.closed();
  assert.ok(!client.received.toString('latin1').endsWith('0\r\n\r\n'), 'it does not look whole');
  assert.equal(plane.zone.get(CELL.broken), 1);
});

for (const [clientTls, upstreamTls] of LEGS) {
  for (const buffering of [true, false]) {
    test(`a client that does not read stops the upstream: TLS ${clientTls}, ${upstreamTls}, buffering ${buffering}`, async () => {
      await using upstream = await upstreamOf(upstreamTls);
      await using plane = await startPlane(upstream.port, {
        service: { tls: upstreamTls },
        route: { responseBuffering: buffering },
      });
      await using front = await startTlsFront(plane.plane, own);
      await using client = await clientOf(clientTls ? front.port : plane.port, clientTls);
      client.write(REQUEST.replace('Accept', 'Connection: close\r\nAccept'));
      const { socket } = await asked(upstream);
      client.socket.pause();
      socket.write(`HTTP/1.1 200 OK\r\n${TYPE}Connection: close\r\n\r\n`);
      const piece = Buffer.alloc(64 * 1024, 'x');
      let given = 0;
      // Until nothing has moved for a while: the kernel's buffers and ours are full.
      for (let still = 0, waiting = -1; still < 20;) {
        assert.ok(given < 1000, `${given} pieces went in`);
        if (socket.writableLength < 1 << 20) {
          socket.write(piece);
          given++;
        } else {
          await new Promise((resolve) => setTimeout(resolve, 5));
          still = socket.writableLength === waiting ? still + 1 : 0;
          waiting = socket.writableLength;
        }
      }
      let got = 0;
      client.socket.removeAllListeners('data').on('data', (chunk: Buffer) => (got += chunk.length));
      client.socket.resume();
      socket.end();
      await once(client.socket, 'close');
      // The head, and for HTTP/1.1 clients the frames of chunks, come on top.
      assert.ok(got >= given * piece.length, `${got} of ${given * piece.length}`);
    });
  }
}
