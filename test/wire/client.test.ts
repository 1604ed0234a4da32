/** The client's leg on real sockets: how requests are read, one after the other, and how their connection ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { scripted, startEcho, startHttpUpstream, startRawUpstream } from '../support/upstream.ts';
import type { Echo } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;

function get(target: string, lines = ''): string {
  return `GET ${target} HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

/** TCP sockets that this process holds open. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

test('a thousand requests in one packet are answered in order', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const bytes = Array.from({ length: 1000 }, (_, index) => get(`/${index}`)).join('');
  const { responses } = await rawRequest(plane.port, bytes, { until: 1000, timeout: 30_000 });
  assert.deepEqual(
    responses.map((response) => (response.json() as Echo).url),
    Array.from({ length: 1000 }, (_, index) => `/${index}`),
  );
  await plane.settled();
});

test('a thousand requests that the gateway answers itself, in one packet, with and without a body', async () => {
  await using plane = await startPlane(1, { route: { service: null } });
  const post = `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`;
  const { responses } = await rawRequest(plane.port, (GET + post).repeat(500), {
    until: 1000,
    timeout: 30_000,
  });
  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([503]));
  assert.equal(responses.length, 1000);
  await plane.settled();
});

test('requests cut at every byte', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const post = `POST /p HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n`;
  await using client = await connectRaw(plane.port);
  for (let cut = 1; cut < post.length; cut++) {
    client.write(post.slice(0, cut));
    await delay(1);
    client.write(post.slice(cut));
    const response = await client.readResponse({ method: 'POST' });
    assert.equal((response.json() as Echo).bodyLength, 3, `cut at ${cut}`);
  }
});

test('pipelined requests behind a slow one wait, and cost one read', async () => {
  let release = (): void => {};
  await using upstream = await startHttpUpstream(async (request, response) => {
    if (request.url === '/slow') await new Promise<void>((resolve) => (release = resolve));
    response.end(request.url);
  });
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  client.write(get('/slow') + get('/2'));
  await waitFor(() => upstream.requests === 1);
  client.write(get('/3').repeat(400_000));
  await waitFor(() => client.socket.writableLength > 0, { what: 'the gateway to stop reading' });
  assert.equal(upstream.requests, 1);
  release();
  for (const wanted of ['/slow', '/2', '/3']) assert.equal((await client.readResponse()).text(), wanted);
});

test('pipelined requests that come in pieces behind a slow one', async () => {
  let release = (): void => {};
  await using upstream = await startHttpUpstream(async (request, response) => {
    if (request.url === '/slow') await new Promise<void>((resolve) => (release = resolve));
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    response.end(`${request.url} ${body}`);
  });
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  client.write(get('/slow'));
  await waitFor(() => upstream.requests === 1);
  const post = `POST /2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
  for (const piece of [...post.split(''), get('/3'), get('/4'), get('/5').slice(0, 9)]) {
    client.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  release();
  for (const wanted of ['/slow ', '/2 abc', '/3 ', '/4 ']) {
    if (wanted === '/4 ') client.write(get('/5').slice(9));
    assert.equal((await client.readResponse()).text(), wanted);
  }
  assert.equal((await client.readResponse()).text(), '/5 ');
});

const PERSISTENCE: ReadonlyArray<
  readonly [what: string, head: string, stays: boolean, connection: string | undefined]
> = [
  ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', true, undefined],
  ['HTTP/1.1 close', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', false, 'close'],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', false, 'close'],
  ['HTTP/1.0 keep-alive', 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', true, 'keep-alive'],
];

test('what keeps a connection', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  for (const [what, head, stays, connection] of PERSISTENCE) {
    const { responses, ending } = await rawRequest(plane.port, head + head, { until: stays ? 2 : 'close' });
    assert.equal(responses.length, stays ? 2 : 1, what);
    assert.equal(responses[0]?.header('connection'), connection, what);
    if (!stays) assert.equal(ending, 'end', what);
  }
  await plane.settled();
});

test('an HTTP/1.0 client never gets a chunked body', async () => {
  await using upstream = await startRawUpstream(
    scripted(['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n']),
  );
  await using plane = await startPlane(upstream.port);
  const head = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const { text, responses } = await rawRequest(plane.port, head, { until: 'close' });
  assert.equal(responses[0]?.framing, 'close');
  assert.match(text, /\r\nConnection: close\r\n(?:.*\r\n)*\r\nabcde$/);
});

test('HEAD, 204 and 304 have no body, and the connection goes on', async () => {
  await using upstream = await startRawUpstream(
    scripted([
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    ]),
  );
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  const lengths: Array<string | undefined> = [];
  for (const method of ['HEAD', 'HEAD', 'HEAD', 'GET', 'GET']) {
    client.write(`${method} / HTTP/1.1\r\n${HOST}\r\n`);
    const response = await client.readResponse({ method });
    lengths.push(response.header('content-length'));
    assert.equal(response.header('transfer-encoding'), undefined);
  }
  assert.deepEqual(lengths, ['5', undefined, undefined, undefined, '5']);
  assert.equal(upstream.connections, 1);
});

test('keepalive_requests: the last answer says so, what was pipelined behind it is not read', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { settings: { nginx_http_keepalive_requests: '3' } });
  const { responses } = await rawRequest(plane.port, GET.repeat(5), { until: 'close' });
  assert.deepEqual(
    responses.map((response) => response.header('connection')),
    [undefined, undefined, 'close'],
  );
  assert.equal(upstream.requests, 3);
  await plane.settled();
});

test('an early answer to a short body keeps the connection: the body is read and dropped', async () => {
  await using plane = await startPlane(1, { route: { service: null } });
  await using client = await connectRaw(plane.port);
  client.write(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`);
  assert.equal((await client.readResponse()).status, 503);
  client.write(`GET / HTTP${GET}`);
  assert.equal((await client.readResponse()).status, 503);
  assert.equal(plane.zone.get(CELL.requests), 2);
});

const LONG_BODIES = [`Content-Length: ${100 * 1024 * 1024}\r\n\r\n`, 'Transfer-Encoding: chunked\r\n\r\n'];

test('an early answer to a long body closes, and arrives: the client may still be sending', async () => {
  await using plane = await startPlane(1, { route: { service: null } });
  for (const framing of LONG_BODIES) {
    await using client = await connectRaw(plane.port);
    client.write(`POST / HTTP/1.1\r\n${HOST}${framing}`);
    const response = await client.readResponse();
    assert.deepEqual([response.status, response.header('connection')], [503, 'close']);
    for (let i = 0; i < 20; i++) {
      client.write(Buffer.alloc(64 * 1024, '0'));
      await delay(1);
    }
    assert.equal(await client.closed(), 'end', 'a reset would have overtaken the answer');
    client.end();
  }
  await plane.settled();
});

test('Expect: 100-continue is answered by the gateway, and by no upstream', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write('HTTP/1.1 100 Continue\r\n\r\n');
    await peer.bytes(peer.received.indexOf('\r\n\r\n') + 4 + 5);
    peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  client.write(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
  assert.equal((await client.readBytes(25)).toString(), 'HTTP/1.1 100 Continue\r\n\r\n');
  client.write('hello');
  const response = await client.readResponse();
  assert.deepEqual([response.status, response.interim.length, response.text()], [200, 0, 'ok']);
  assert.doesNotMatch(upstream.peers[0]?.received.toString('latin1') ?? '', /expect/i);
});

test('Expect: 100-continue with the body sent at once', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const request = `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello${GET}`;
  const { responses } = await rawRequest(plane.port, request, { until: 2 });
  assert.deepEqual(
    responses.map((response) => (response.json() as Echo).bodyLength),
    [5, 0],
  );
});

test('Expect: 100-continue refused by a final answer: no body is waited for, the connection closes', async () => {
  await using plane = await startPlane(1, { route: { service: null } });
  const request = `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
  const { responses, ending } = await rawRequest(plane.port, request, { until: 'close' });
  assert.deepEqual([responses.length, responses[0]?.status, responses[0]?.interim.length], [1, 503, 0]);
  assert.equal(responses[0]?.header('connection'), 'close');
  assert.equal(ending, 'end');
  await plane.settled();
});

const MALFORMED: ReadonlyArray<readonly [what: string, bytes: string, status: number]> = [
  ['bare LF', `GET / HTTP/1.1\n${HOST}\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 400],
  [
    'length and coding',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['coding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['unknown coding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip\r\n\r\n`, 501],
  ['expectation', `POST / HTTP/1.1\r\n${HOST}Expect: x\r\nContent-Length: 1\r\n\r\na`, 417],
  ['CONNECT', `CONNECT a.test:443 HTTP/1.1\r\n${HOST}\r\n`, 405],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['long target', get(`/${'a'.repeat(9000)}`), 414],
  ['long field', get('/', `X: ${'a'.repeat(9000)}\r\n`), 400],
  ['many fields', get('/', 'X: 1\r\n'.repeat(300)), 400],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['bad chunk size', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n`, 400],
  ['bad trailer', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n`, 400],
];

test('a malformed request gets its status, closes its connection, and nothing is forwarded', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  for (const [what, bytes, status] of MALFORMED) {
    // A good request behind it must not be read.
    const { responses, ending } = await rawRequest(plane.port, bytes + GET, { until: 'close' });
    assert.deepEqual([responses.length, responses[0]?.status], [1, status], what);
    assert.equal(responses[0]?.header('connection'), 'close', what);
    assert.equal(ending, 'end', what);
  }
  assert.equal(upstream.requests, 0);
  await plane.settled();
});

test('slow clients: head and body time out with 408, an idle connection just ends', async () => {
  await using upstream = await startEcho();
  const settings = {
    // Longer than this process, which is both sides, may stand still on a busy machine.
    nginx_http_client_header_timeout: '2s',
    nginx_http_client_body_timeout: '2s',
    nginx_http_keepalive_timeout: '2s',
  };
  await using plane = await startPlane(upstream.port, { settings });
  const cases: ReadonlyArray<readonly [bytes: string, statuses: readonly number[]]> = [
    ['', []],
    ['G', [408]],
    [`GET / HTTP/1.1\r\n${HOST}`, [408]],
    [`POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`, [408]],
    [`POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nabcd`, [408]],
    [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nab`, [408]],
    [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: `, [408]],
    [GET, [200]],
    [`${GET}\r\n`, [200, 408]],
  ];
  await Promise.all(
    cases.map(async ([bytes, statuses]) => {
      const { responses } = await rawRequest(plane.port, bytes, { until: 'close' });
      assert.deepEqual(
        responses.map(({ status }) => status),
        statuses,
        JSON.stringify(bytes),
      );
    }),
  );
  // A byte now and then does not help a head.
  await using dripping = await connectRaw(plane.port);
  const drip = setInterval(() => dripping.write('X'), 20);
  const response = await dripping.readResponse();
  clearInterval(drip);
  assert.equal(response.status, 408);
  dripping.end();
  await plane.settled();
});

test('a request body that streams and stops times out, and its upstream connection ends', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await once(peer.socket, 'end');
    peer.end();
  });
  await using plane = await startPlane(upstream.port, {
    settings: { nginx_http_client_body_timeout: '150ms' },
    route: { requestBuffering: false },
  });
  const request = `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`;
  const { responses } = await rawRequest(plane.port, request, { until: 'close' });
  assert.deepEqual(
    responses.map(({ status }) => status),
    [408],
  );
  await waitFor(() => upstream.open === 0, { what: 'the upstream connection to close' });
  await plane.settled();
});

test('a client that closes its sending side gets its answers', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const post = `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`;
  for (const [bytes, count] of [
    [GET, 1],
    [GET.repeat(3), 3],
    [post, 1],
    [post.repeat(3), 3],
  ] as const) {
    const { responses, ending } = await rawRequest(plane.port, bytes, { halfClose: true, until: 'close' });
    assert.deepEqual([responses.length, ending], [count, 'end'], bytes);
  }
  await plane.settled();
});

test('a half-closed client whose whole body waits for a slow upstream is served', async () => {
  await using upstream = await startEcho();
  for (const requestBuffering of [true, false]) {
    await using plane = await startPlane(upstream.port, { route: { requestBuffering } });
    for (const body of [5, 300_000]) {
      const request = `POST / HTTP/1.1\r\n${HOST}Content-Length: ${body}\r\n\r\n${'x'.repeat(body)}`;
      const { responses } = await rawRequest(plane.port, request, { halfClose: true, until: 'close' });
      assert.deepEqual(
        responses.map((response) => [response.status, (response.json() as Echo).bodyLength]),
        [[200, body]],
        `buffering ${requestBuffering}, ${body} octets`,
      );
    }
    await plane.settled();
  }
});

test('a half-closed client whose message is cut short is let go at once', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  for (const bytes of [
    '',
    'GET',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`,
    `${GET}GET`,
    `${GET}POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`,
  ]) {
    const { responses } = await rawRequest(plane.port, bytes, { halfClose: true, until: 'close' });
    assert.equal(responses.length, bytes.startsWith(GET) ? 1 : 0, bytes);
  }
  await plane.settled();
});

test('a client that resets, at each moment', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    request.resume();
    if (request.url === '/never') return;
    response.write('x'.repeat(100_000));
    if (request.url === '/whole') response.end();
  });
  await using plane = await startPlane(upstream.port, { route: { requestBuffering: false } });
  const moments: readonly string[] = [
    '',
    'GET / HT',
    get('/never'),
    get('/never') + get('/never'),
    `POST /never HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nabc`,
    `POST /never HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nab`,
    `POST /never HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
    get('/part'),
    get('/whole'),
    get('/whole').repeat(10),
    get('/whole', 'Connection: close\r\n'),
  ];
  for (const bytes of moments) {
    for (const wait of [0, 20]) {
      await using client = await connectRaw(plane.port);
      client.write(bytes);
      await delay(wait);
      client.reset();
    }
  }
  await plane.settled();
  const { responses } = await rawRequest(plane.port, get('/whole'));
  assert.equal(responses[0]?.body.length, 100_000);
  await waitFor(() => upstream.open <= 32, { what: 'abandoned upstream connections to close' });
});

test('a client that goes behind pipelined requests takes the upstream connection with it', async () => {
  await using upstream = await startHttpUpstream(() => {});
  await using plane = await startPlane(upstream.port, {
    service: { timeouts: { connect: 60_000, write: 60_000, read: 60_000 } },
  });
  for (const leave of ['end', 'reset'] as const) {
    await using client = await connectRaw(plane.port);
    client.write(GET.repeat(3));
    await waitFor(() => upstream.open === 1, { what: 'the first request' });
    client.write(GET);
    client[leave]();
    await waitFor(() => upstream.open === 0, { what: `the upstream to be let go after ${leave}` });
    await plane.settled();
  }
});

test('a client that never reads is let go after send_timeout, socket and all', async () => {
  const before = openSockets();
  await using upstream = await startHttpUpstream((_request, response) => {
    response.end(Buffer.alloc(30 * 1024 * 1024));
  });
  await using plane = await startPlane(upstream.port, { settings: { nginx_http_send_timeout: '200ms' } });
  let asked = 0;
  for (const head of [GET, get('/', 'Connection: close\r\n'), GET + GET]) {
    const client = connect({ port: plane.port, host: '127.0.0.1' });
    client.on('error', () => {});
    client.pause();
    client.write(head);
    // What only counts upwards: that it is active may be over before one looks.
    await waitFor(() => plane.zone.get(CELL.requests) > asked, { what: 'the request' });
    await plane.settled();
    asked = plane.zone.get(CELL.requests);
    // Listener, upstream listener and this client's socket are what may be left.
    await waitFor(() => openSockets() <= before + 1, { what: "the gateway's socket to be gone" });
    client.destroy();
  }
});

test('a client that sends FIN and never reads is let go, too', async () => {
  const before = openSockets();
  await using upstream = await startHttpUpstream((_request, response) => {
    response.end(Buffer.alloc(6 * 1024 * 1024));
  });
  await using plane = await startPlane(upstream.port, {
    settings: {
      nginx_http_send_timeout: '200ms',
      response_buffer_size: '16m',
      upstream_keepalive_pool_size: '0',
    },
  });
  const client = connect({ port: plane.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  client.pause();
  client.end(get('/', 'Connection: close\r\n'));
  await waitFor(() => plane.zone.get(CELL.requests) === 1);
  await plane.settled();
  await waitFor(() => openSockets() <= before + 1, { what: "the gateway's socket to be gone" });
  client.destroy();
});

test('draining: what is in flight is finished and told to close, idle connections end', async () => {
  let release = (): void => {};
  await using upstream = await startHttpUpstream(async (_request, response) => {
    await new Promise<void>((resolve) => (release = resolve));
    response.end('done');
  });
  await using plane = await startPlane(upstream.port);
  await using idle = await connectRaw(plane.port);
  await using busy = await connectRaw(plane.port);
  busy.write(GET);
  await waitFor(() => upstream.requests === 1);
  const drained = plane.plane.drain(10_000);
  release();
  const response = await busy.readResponse();
  assert.deepEqual([response.text(), response.header('connection')], ['done', 'close']);
  busy.end();
  assert.equal(await idle.closed(), 'end');
  idle.end();
  await drained;
  await plane.settled();
});

test('draining cuts what is left after the grace time', async () => {
  await using upstream = await startHttpUpstream(() => {});
  await using plane = await startPlane(upstream.port);
  await using busy = await connectRaw(plane.port);
  busy.write(GET);
  await waitFor(() => upstream.requests === 1);
  await plane.plane.drain(50);
  await busy.closed();
  await plane.settled();
});

test('a HEAD that is refused by its head gets no body', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port);
  const { text } = await rawRequest(plane.port, 'HEAD / HTTP/1.1\r\n\r\n', { until: 'close' });
  assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(text, /\r\nContent-Length: [1-9]/);
  assert.ok(text.endsWith('\r\n\r\n'), text);
});
