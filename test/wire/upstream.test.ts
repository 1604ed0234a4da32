/** The upstream's leg on real sockets: what a server may do to its response, and to the connection, at each moment. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { taken } from '../support/taken.ts';
import { scripted, startHttpUpstream, startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const CLOSE = `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('interim responses: 100 stays, 102 and 103 go on, only to HTTP/1.1', async () => {
  const answer = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n${OK}`;
  await using upstream = await startRawUpstream(scripted([answer]));
  await using plane = await startPlane(upstream.port);
  const { responses } = await rawRequest(plane.port, GET + GET, { until: 2 });
  for (const response of responses) {
    assert.deepEqual(
      response.interim.map(({ status, headers }) => [status, headers]),
      [
        [102, []],
        [103, [['Link', '</a>']]],
      ],
    );
    assert.deepEqual([response.status, response.text()], [200, 'ok']);
  }
  assert.equal(upstream.connections, 1);
  const old = await rawRequest(plane.port, 'GET / HTTP/1.0\r\n\r\n', { until: 'close' });
  assert.match(old.text, /^HTTP\/1\.1 200 OK/);
});

test('endless interim responses are refused', async () => {
  await using upstream = await startRawUpstream(scripted(['HTTP/1.1 103 E\r\n\r\n'.repeat(100)]));
  await using plane = await startPlane(upstream.port);
  const { responses } = await rawRequest(plane.port, GET);
  assert.equal(responses[0]?.status, 502);
});

const BROKEN: ReadonlyArray<readonly [what: string, answer: string]> = [
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok'],
  ['folding', 'HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok'],
  ['space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  [
    'length and coding',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['signed length', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok'],
  ['a large head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(200_000)}\r\n\r\n`],
  ['an endless status line', 'HTTP/1.1 200 '.padEnd(300_000, 'a')],
  ['101 that nobody asked for', 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['NUL', 'HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok'],
];

test('a head that cannot be read is 502, and its connection is never used again', async () => {
  await using upstream = await startRawUpstream(scripted([...BROKEN.map(([, answer]) => answer), OK]));
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  for (const [index, [what]] of BROKEN.entries()) {
    client.write(GET);
    const response = await client.readResponse();
    assert.equal(response.status, 502, what);
    const socket = upstream.peers[index]?.socket;
    assert.ok(socket !== undefined);
    await waitFor(() => socket.readableEnded || socket.destroyed, { what: `${what} to be closed` });
    socket.destroy();
  }
  client.write(GET);
  assert.equal((await client.readResponse()).text(), 'ok');
  assert.equal(upstream.connections, BROKEN.length + 1);
});

test('a body that cannot be read breaks the response off: it never looks whole', async () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const rest of [
    '3\r\nabc\r\n+1\r\na\r\n0\r\n\r\n',
    '3\r\nabc\r\nx',
    '3\r\nabc\r\n0\r\nX : 1\r\n\r\n',
    '3\r\nabcd\r\n',
  ]) {
    await using upstream = await startRawUpstream(scripted([head + rest]));
    await using plane = await startPlane(upstream.port);
    const { responses, text } = await rawRequest(plane.port, CLOSE, { until: 'close' });
    // What came before may have been sent; or nothing, and then it is an error.
    if (text.startsWith('HTTP/1.1 200')) assert.equal(responses.length, 0, rest);
    else assert.equal(responses[0]?.status, 502, rest);
    assert.doesNotMatch(text, /\r\n0\r\n\r\n/);
    await plane.settled();
  }
});

const ENDINGS = ['fin', 'reset'] as const;
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const CUT: ReadonlyArray<readonly [what: string, sent: string]> = [
  ['before the head', ''],
  ['in the status line', 'HTTP/1.1 2'],
  ['in the head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['behind an interim head', 'HTTP/1.1 103 E\r\n\r\n'],
  ['behind the head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'],
  ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no'],
  ['in a chunk size', `${CHUNKED}2`],
  ['in a chunk', `${CHUNKED}2\r\no`],
  ['behind a chunk', `${CHUNKED}2\r\nok\r\n`],
  ['in the last chunk', `${CHUNKED}2\r\nok\r\n0\r\n`],
  ['in the trailers', `${CHUNKED}2\r\nok\r\n0\r\nX: 1\r\n`],
];

test('an upstream that goes away, at each moment of its response', async (t) => {
  for (const ending of ENDINGS) {
    for (const [what, sent] of CUT) {
      await t.test(`${ending} ${what}`, async () => {
        await using upstream = await startRawUpstream(async (peer) => {
          await peer.heads(1);
          peer.write(sent);
          await taken(peer.socket);
          if (ending === 'fin') peer.end();
          else peer.reset();
        });
        await using plane = await startPlane(upstream.port);
        const { responses, text } = await rawRequest(plane.port, CLOSE, { until: 'close' });
        if (/^HTTP\/1\.1 200/m.test(text)) assert.equal(responses.length, 0, 'a broken response looks whole');
        else assert.equal(responses[0]?.status, 502);
        await plane.settled();
      });
    }
  }
});

test('a body without length is whole when the upstream closes, and broken when it resets', async () => {
  for (const ending of ENDINGS) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write('HTTP/1.1 200 OK\r\n\r\nabc');
      await taken(peer.socket);
      if (ending === 'fin') peer.end('def');
      else peer.reset();
    });
    await using plane = await startPlane(upstream.port);
    if (ending === 'fin') {
      const { responses } = await rawRequest(plane.port, GET);
      assert.deepEqual([responses[0]?.framing, responses[0]?.text()], ['chunked', 'abcdef']);
      const old = await rawRequest(plane.port, 'GET / HTTP/1.0\r\n\r\n', { until: 'close' });
      assert.deepEqual([old.ending, old.responses[0]?.text()], ['end', 'abcdef']);
    } else {
      const { responses } = await rawRequest(plane.port, GET, { until: 'close' });
      assert.equal(responses.length, 0);
      const old = await rawRequest(plane.port, 'GET / HTTP/1.0\r\n\r\n', { until: 'close' });
      assert.equal(old.ending, 'ECONNRESET', 'only a reset tells an HTTP/1.0 client that the body is broken');
    }
    await plane.settled();
  }
});

test('a kept connection that the upstream closes or resets is not used', async () => {
  for (const ending of ENDINGS) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(OK);
      await taken(peer.socket);
      if (ending === 'fin') peer.end();
      else peer.reset();
    });
    await using plane = await startPlane(upstream.port);
    await using client = await connectRaw(plane.port);
    for (let i = 1; i <= 3; i++) {
      client.write(GET);
      assert.equal((await client.readResponse()).text(), 'ok');
      await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 0);
      assert.equal(upstream.connections, i);
    }
  }
});

const GARBAGE: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
  'H',
  '\r\n',
  'x'.repeat(100_000),
  'HTTP/1.1 100 Continue\r\n\r\n',
];

/** Requests get distinct targets, and each answer names the request that it belongs to. */
test('bytes behind a response never become the next response', async () => {
  for (const garbage of GARBAGE) {
    for (const apart of [false, true]) {
      for (const framing of ['length', 'chunked', '204', '304', 'HEAD']) {
        const served: string[] = [];
        await using upstream = await startRawUpstream(async (peer) => {
          for (let request = 1; ; request++) {
            await peer.heads(request);
            const target = /GET|HEAD/.test(peer.received.toString('latin1'))
              ? (peer.received.toString('latin1').split('\r\n\r\n')[request - 1]?.split(' ')[1] ?? '')
              : '';
            served.push(target);
            const mark = `X-Target: ${target}\r\n`;
            const answer =
              framing === 'length' || framing === 'HEAD'
                ? `HTTP/1.1 200 OK\r\n${mark}Content-Length: 2\r\n\r\n${framing === 'HEAD' ? '' : 'ok'}`
                : framing === 'chunked'
                  ? `HTTP/1.1 200 OK\r\n${mark}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`
                  : `HTTP/1.1 ${framing} X\r\n${mark}\r\n`;
            if (apart) {
              peer.write(answer);
              await taken(peer.socket);
              peer.write(garbage);
            } else {
              peer.write(answer + garbage);
            }
          }
        });
        await using plane = await startPlane(upstream.port);
        await using client = await connectRaw(plane.port);
        const method = framing === 'HEAD' ? 'HEAD' : 'GET';
        for (const target of ['/1', '/2', '/3']) {
          client.write(`${method} ${target} HTTP/1.1\r\n${HOST}\r\n`);
          const response = await client.readResponse({ method });
          assert.equal(
            response.header('x-target'),
            target,
            `${framing} ${JSON.stringify(garbage.slice(0, 20))}`,
          );
          if (apart) await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 0);
        }
        assert.deepEqual(served, ['/1', '/2', '/3']);
      }
    }
  }
});

test('two pipelined client requests and garbage behind the first response', async () => {
  await using upstream = await startRawUpstream(
    scripted([`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`]),
  );
  await using plane = await startPlane(upstream.port);
  const { responses } = await rawRequest(plane.port, GET.repeat(5), { until: 5 });
  assert.deepEqual(
    responses.map((response) => response.text()),
    ['ok', 'ok', 'ok', 'ok', 'ok'],
  );
  assert.equal(upstream.connections, 5);
});

test('an early answer while the request body is still coming reaches the client', async () => {
  for (const close of [false, true]) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(`HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno`);
      if (close) peer.end();
    });
    await using plane = await startPlane(upstream.port, { route: { requestBuffering: false } });
    await using client = await connectRaw(plane.port);
    client.write(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100000000\r\n\r\nabc`);
    const response = await client.readResponse({ method: 'POST' });
    assert.deepEqual([response.status, response.text(), response.header('connection')], [413, 'no', 'close']);
    client.end();
    await plane.settled();
    await waitFor(() => upstream.peers[0]?.socket.readableEnded);
    upstream.peers[0]?.socket.destroy();
  }
});

const STOPS: ReadonlyArray<readonly [sent: string, wanted: number | null]> = [
  ['', 504],
  ['HTTP/1.1 200 OK\r\nContent-', 504],
  ['HTTP/1.1 103 E\r\n\r\n', 504],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no', null],
];

test('an upstream that never answers, never connects, stops in its body', async () => {
  // Longer than this process may stand still between what is sent and what it reads.
  const service = { timeouts: { connect: 2000, write: 2000, read: 2000 } };
  const stop = async ([sent, wanted]: (typeof STOPS)[number]): Promise<void> => {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(sent);
      await once(peer.socket, 'end');
      peer.end();
    });
    await using plane = await startPlane(upstream.port, { service });
    await using client = await connectRaw(plane.port);
    client.write(GET);
    if (wanted === null) await client.closed();
    else assert.equal((await client.readResponse()).status, wanted, sent);
    client.end();
    await plane.settled();
    await waitFor(() => upstream.open === 0, { what: 'the upstream connection to close' });
  };
  await Promise.all(STOPS.map(stop));
});

test('a client that goes away ends its upstream request', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    if (request.url === '/stream') {
      const timer = setInterval(() => response.write('x'.repeat(1000)), 5);
      response.on('close', () => clearInterval(timer));
    }
  });
  await using plane = await startPlane(upstream.port);
  for (const target of ['/never', '/stream']) {
    await using client = await connectRaw(plane.port);
    client.write(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`);
    await waitFor(() => upstream.open === 1);
    if (target === '/stream') await client.readBytes(5000);
    client.reset();
    await waitFor(() => upstream.open === 0, { what: 'the upstream connection to close' });
  }
  await plane.settled();
});

test('trailers reach a client that asked for them, and no other', async () => {
  const answer = `HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\nContent-Length: 9\r\n\r\n`;
  await using upstream = await startRawUpstream(scripted([answer]));
  await using plane = await startPlane(upstream.port);
  for (const [lines, wanted] of [
    ['TE: trailers\r\nConnection: TE\r\n', [['X-T', '1']]],
    ['', []],
  ] as const) {
    const { responses } = await rawRequest(plane.port, `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`);
    assert.deepEqual([responses[0]?.text(), responses[0]?.trailers], ['ok', wanted]);
    assert.equal(responses[0]?.header('trailer'), wanted.length === 0 ? undefined : 'X-T');
  }
});
