/** The HTTP/2 leg to upstreams on real sockets: sessions and their streams, and what a server may do to them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { echo, startHttp2Upstream } from '../support/http2-upstream.ts';
import { connectRaw, rawRequest } from '../support/raw-client.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { startRawUpstream, scripted } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;

const post = (body: string, more = ''): string =>
  `POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n${more}\r\n${body}`;

function startH2Plane(port: number, options: PlaneOptions = {}): Promise<TestPlane> {
  return startPlane(port, { ...options, service: { upstreamProtocol: 'h2', ...options.service } });
}

/** `count` requests at once, each on a connection of its own; answers their statuses and bodies. */
async function together(port: number, count: number, request = GET): Promise<string[]> {
  const results = Array.from({ length: count }, async () => {
    const { responses } = await rawRequest(port, request);
    return `${responses[0]?.status} ${responses[0]?.text()}`;
  });
  return Promise.all(results);
}

test('a request and its response, with what HTTP/2 calls them', async () => {
  await using upstream = await startHttp2Upstream((stream, headers) => {
    stream.respond({ ':status': 200, 'content-length': '99', 'set-cookie': ['a=1', 'b=2'] });
    stream.end(JSON.stringify(headers).padEnd(99).slice(0, 99));
  });
  await using second = await startHttp2Upstream((stream, headers) => {
    stream.respond({ ':status': 201 });
    stream.end(JSON.stringify(headers));
  });
  await using plane = await startH2Plane(upstream.port);
  const { responses } = await rawRequest(plane.port, post('abc', 'TE: trailers\r\nX-A: 1\r\nX-A: 2\r\n'));
  assert.equal(responses[0]?.status, 200);
  assert.deepEqual(
    responses[0].headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  );
  assert.ok(responses[0].headers.some(([name, value]) => name === 'Via' && value.startsWith('2 ')));
  await using other = await startH2Plane(second.port, { service: { hostHeader: 'other.test' } });
  const more = 'TE: trailers\r\nX-A: 1\r\nX-A: 2\r\nHTTP2-Settings: x\r\nConnection: close\r\n';
  const answer = await rawRequest(other.port, post('abc', more));
  const got = JSON.parse(answer.responses[0]?.text() ?? '') as Record<string, string>;
  assert.equal(answer.responses[0]?.status, 201);
  const { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme } = got;
  assert.deepEqual([method, path, authority, scheme], ['POST', '/', 'other.test', 'http']);
  assert.deepEqual([got['te'], got['content-length'], got['x-a']], ['trailers', '3', '1, 2']);
  assert.deepEqual(
    [got['connection'], got['http2-settings'], got['host']],
    [undefined, undefined, undefined],
  );
});

test('trailers both ways', async () => {
  await using upstream = await startHttp2Upstream((stream) => {
    stream.on('trailers', (trailers) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ back: trailers['x-sum'] ?? 'none', two: ['1', '2'] }),
      );
      stream.end('body');
    });
    stream.resume();
  });
  await using plane = await startH2Plane(upstream.port);
  const request = `POST / HTTP/1.1\r\n${HOST}TE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n`;
  const { responses } = await rawRequest(plane.port, request);
  assert.deepEqual([responses[0]?.status, responses[0]?.text()], [200, 'body']);
  assert.deepEqual(responses[0]?.trailers, [
    ['back', '7'],
    ['two', '1'],
    ['two', '2'],
  ]);
});

test('one session for all that the peer takes at once, and more when it is full', async () => {
  for (const [most, sessions] of [
    [100, 1],
    [2, 3],
    [1, 6],
  ] as const) {
    let open = 0;
    const full = Promise.withResolvers<void>();
    await using upstream = await startHttp2Upstream(
      async (stream) => {
        if (++open === 6) full.resolve();
        await full.promise;
        stream.respond({ ':status': 200 });
        stream.end('ok');
      },
      { settings: { maxConcurrentStreams: most } },
    );
    await using plane = await startH2Plane(upstream.port);
    assert.deepEqual(await together(plane.port, 6), Array(6).fill('200 ok'));
    assert.equal(upstream.connections, sessions, `at most ${most}`);
    assert.deepEqual(await together(plane.port, 1), ['200 ok']);
    assert.equal(upstream.connections, sessions, 'an idle session is used again');
    await waitFor(() => plane.zone.get(CELL.upstreamIdle) === sessions, { what: 'idle sessions' });
  }
});

test('a peer that takes no streams now is waited for, on one connection', async () => {
  await using upstream = await startHttp2Upstream(echo, { settings: { maxConcurrentStreams: 0 } });
  await using plane = await startH2Plane(upstream.port);
  const answers = together(plane.port, 5, post('x'));
  await waitFor(() => upstream.connections === 1, { what: 'the session' });
  for (const session of upstream.sessions) session.settings({ maxConcurrentStreams: 10 });
  assert.deepEqual(await answers, Array(5).fill('200 x'));
  assert.equal(upstream.connections, 1);
});

test('a peer that never takes a stream is a connect time-out', async () => {
  await using upstream = await startHttp2Upstream(echo, { settings: { maxConcurrentStreams: 0 } });
  await using plane = await startH2Plane(upstream.port, {
    service: { timeouts: { connect: 100, write: 5000, read: 5000 } },
  });
  assert.deepEqual(
    (await together(plane.port, 2)).map((answer) => answer.slice(0, 3)),
    ['504', '504'],
  );
});

test('a stream that the peer refuses goes to another session, whatever its method', async () => {
  await using upstream = await startHttp2Upstream(async (stream, _, number) => {
    if (number === 2) stream.close(NGHTTP2_REFUSED_STREAM);
    else await echo(stream);
  });
  await using plane = await startH2Plane(upstream.port);
  assert.deepEqual(await together(plane.port, 1, post('one')), ['200 one']);
  assert.deepEqual(await together(plane.port, 1, post('two')), ['200 two']);
  assert.equal(upstream.connections, 2);
});

test('a peer that refuses each stream ends with the tries', async () => {
  await using upstream = await startHttp2Upstream((stream) => stream.close(NGHTTP2_REFUSED_STREAM));
  await using plane = await startH2Plane(upstream.port, { service: { retries: 3 } });
  assert.match((await together(plane.port, 1, post('x')))[0] ?? '', /^502/);
  assert.equal(upstream.streams.length, 4);
});

test('GOAWAY: what the peer has begun is finished, the rest goes to another session', async () => {
  const held: http2.ServerHttp2Stream[] = [];
  await using upstream = await startHttp2Upstream(async (stream, _, number) => {
    if (number > 3) return echo(stream);
    held.push(stream);
    return undefined;
  });
  await using plane = await startH2Plane(upstream.port);
  const answers = together(plane.port, 3, post('x'));
  await waitFor(() => held.length === 3, { what: 'three streams' });
  const [first, second] = held;
  first?.session?.goaway(0, second?.id);
  await waitFor(() => upstream.connections === 2, { what: 'another session' });
  for (const stream of held.slice(0, 2)) await echo(stream);
  assert.deepEqual(await answers, Array(3).fill('200 x'));
  assert.deepEqual(await together(plane.port, 1, post('y')), ['200 y']);
  assert.equal(upstream.connections, 2);
});

test('GOAWAY with an error: what was not begun is repeated, what was is 502 unless it may be repeated', async () => {
  for (const [request, expected] of [
    [post('x'), ['200', '502']],
    [GET, ['200', '200']],
  ] as const) {
    await using upstream = await startHttp2Upstream(async (stream, _, number) => {
      if (number > 2) return echo(stream);
      if (number === 2) stream.session?.goaway(NGHTTP2_ENHANCE_YOUR_CALM, 1);
      return undefined;
    });
    await using plane = await startH2Plane(upstream.port, { service: { retries: 1 } });
    const answers = await together(plane.port, 2, request);
    assert.deepEqual(answers.map((answer) => answer.slice(0, 3)).sort(), expected);
  }
});

test('RST_STREAM before the head: repeated as any failure is; behind it: the response breaks off', async () => {
  await using upstream = await startHttp2Upstream(async (stream, headers, number) => {
    if (headers[':path'] === '/late') {
      stream.respond({ ':status': 200 });
      stream.write('some');
      await once(stream, 'drain').catch(() => {});
      return;
    }
    if (number % 2 === 1) stream.close(NGHTTP2_CANCEL);
    else await echo(stream);
  });
  await using plane = await startH2Plane(upstream.port, { service: { retries: 1 } });
  assert.deepEqual(await together(plane.port, 1, GET), ['200 ']);
  assert.match((await together(plane.port, 1, post('x')))[0] ?? '', /^502/);
  await using client = await connectRaw(plane.port);
  client.write(`GET /late HTTP/1.1\r\n${HOST}\r\n`);
  await waitFor(() => client.received.includes('some'), { what: 'the first bytes' });
  upstream.streams.at(-1)?.destroy(new Error('a defect'));
  await client.closed();
  assert.doesNotMatch(client.received.toString('latin1'), /\r\n0\r\n\r\n/);
});

test('a client that goes away cancels its stream, and no other', async () => {
  await using upstream = await startHttp2Upstream(() => {});
  await using plane = await startH2Plane(upstream.port);
  await using staying = await connectRaw(plane.port);
  staying.write(GET);
  const going = await connectRaw(plane.port);
  going.write(GET);
  await waitFor(() => upstream.streams.length === 2, { what: 'both streams' });
  going.socket.destroy();
  const [first, second] = upstream.streams;
  await waitFor(() => first?.closed === true || second?.closed === true, { what: 'one to be cancelled' });
  const closed = upstream.streams.filter((stream) => stream.closed);
  assert.deepEqual(
    closed.map(({ rstCode }) => rstCode),
    [NGHTTP2_CANCEL],
  );
  const open = upstream.streams.find((stream) => !stream.closed);
  open?.respond({ ':status': 204 }, { endStream: true });
  assert.equal((await staying.readResponse()).status, 204);
});

test('no answer in time is 504; the peer is asked by PING, and one that answers keeps its session', async () => {
  await using upstream = await startHttp2Upstream((stream, _, number) =>
    number === 1 ? null : echo(stream),
  );
  await using plane = await startH2Plane(upstream.port, {
    service: { timeouts: { connect: 5000, write: 5000, read: 100 } },
  });
  assert.match((await together(plane.port, 1, post('x')))[0] ?? '', /^504/);
  await waitFor(() => upstream.pings === 1, { what: 'the PING' });
  await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 1, { what: 'the session to be idle' });
  await waitFor(() => upstream.streams[0]?.rstCode === NGHTTP2_CANCEL, {
    what: 'the stream to be cancelled',
  });
  assert.deepEqual(await together(plane.port, 1, post('x')), ['200 x']);
});

test('a peer that is dead is found by PING: its session ends with all streams, and others get a new one', async () => {
  await using upstream = await startHttp2Upstream((stream, headers) =>
    headers[':path'] === '/' ? echo(stream) : null,
  );
  await using between = await startTcpProxy(upstream.port);
  await using plane = await startH2Plane(between.port, {
    service: { timeouts: { connect: 200, write: 5000, read: 300 } },
  });
  assert.deepEqual(await together(plane.port, 1), ['200 ']);
  between.cut();
  const answers = together(plane.port, 3, GET.replace('/', '/silent'));
  assert.deepEqual(
    (await answers).map((answer) => answer.slice(0, 3)),
    ['504', '504', '504'],
  );
  await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 0, { what: 'the session to be given up' });
  between.mend();
  assert.deepEqual(await together(plane.port, 1, post('x')), ['200 x']);
  assert.equal(upstream.connections, 2);
});

test('a request that is cut off never looks whole to the upstream', async () => {
  const seen: string[] = [];
  await using upstream = await startHttp2Upstream((stream) => {
    stream.on('aborted', () => seen.push('aborted'));
    stream.on('end', () => seen.push(stream.aborted ? 'aborted end' : 'end'));
    stream.on('close', () => seen.push(`closed ${stream.rstCode}`));
    stream.resume();
  });
  await using plane = await startH2Plane(upstream.port, { route: { requestBuffering: false } });
  await using client = await connectRaw(plane.port);
  client.write(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  await waitFor(() => upstream.streams.length === 1, { what: 'the request' });
  client.reset();
  await waitFor(() => seen.includes(`closed ${NGHTTP2_CANCEL}`), { what: 'the stream to be cancelled' });
  assert.equal(seen.includes('end'), false, seen.join());
});

const ODD: ReadonlyArray<readonly [what: string, answer: string]> = [
  ['HTTP/1.1', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'],
  ['no protocol at all', 'SSH-2.0-OpenSSH_9.9\r\n'],
];

test('an upstream that does not speak HTTP/2 is 502', async () => {
  for (const [what, answer] of ODD) {
    await using upstream = await startRawUpstream(scripted([answer, answer, answer, answer]));
    await using plane = await startH2Plane(upstream.port, { service: { retries: 1 } });
    assert.match((await together(plane.port, 1, post('x')))[0] ?? '', /^502/, what);
  }
  await using closed = await startPlane(1, { service: { upstreamProtocol: 'h2' } });
  assert.match((await together(closed.port, 1))[0] ?? '', /^502/);
});

test('an upstream that says nothing is a connect time-out for all that wait', async () => {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => sockets.add(socket.on('error', () => {}).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await using plane = await startH2Plane(port, {
    service: { timeouts: { connect: 100, write: 5000, read: 5000 } },
  });
  const answers = await together(plane.port, 3);
  assert.deepEqual(
    answers.map((answer) => answer.slice(0, 3)),
    ['504', '504', '504'],
  );
  await waitFor(() => [...sockets].every((socket) => socket.destroyed || socket.readableEnded), {
    what: 'the connection to be given up',
  });
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('a head that is too large is 502', async () => {
  await using upstream = await startHttp2Upstream(
    (stream) => stream.respond({ ':status': 200, large: 'x'.repeat(40_000) }, { endStream: true }),
    { maxSendHeaderBlockLength: 100_000 },
  );
  await using plane = await startH2Plane(upstream.port);
  assert.match((await together(plane.port, 1, post('x')))[0] ?? '', /^502/);
});

test('idle sessions end in their time, after their requests, and when there are too many', async () => {
  await using upstream = await startHttp2Upstream(echo, { settings: { maxConcurrentStreams: 1 } });
  const settings = { upstream_keepalive_idle_timeout: '1' };
  await using plane = await startH2Plane(upstream.port, { settings });
  assert.deepEqual(await together(plane.port, 1), ['200 ']);
  await waitFor(() => upstream.sessions.size === 0, { what: 'the idle session to be closed' });
  await using used = await startH2Plane(upstream.port, {
    settings: { upstream_keepalive_max_requests: '2' },
  });
  for (let i = 0; i < 4; i++) assert.deepEqual(await together(used.port, 1), ['200 ']);
  assert.equal(upstream.connections, 3);
  await using none = await startH2Plane(upstream.port, { settings: { upstream_keepalive_pool_size: '0' } });
  for (let i = 0; i < 2; i++) assert.deepEqual(await together(none.port, 1), ['200 ']);
  assert.equal(upstream.connections, 5);
  await waitFor(() => upstream.sessions.size === 0, { what: 'all sessions to be closed' });
});

test('a drain lets streams end, also those that still wait for a session, and then ends sessions', async () => {
  const held: http2.ServerHttp2Stream[] = [];
  await using upstream = await startHttp2Upstream((stream) => held.push(stream), {
    settings: { maxConcurrentStreams: 1 },
  });
  await using plane = await startH2Plane(upstream.port);
  const first = together(plane.port, 1, post('a'));
  await waitFor(() => held.length === 1, { what: 'the first stream' });
  const second = together(plane.port, 1, post('b'));
  await waitFor(() => plane.zone.get(CELL.upstreamConnects) === 2, { what: 'the second to want a session' });
  const drained = plane.plane.drain(10_000);
  await waitFor(() => held.length === 2, { what: 'the second stream' });
  for (const stream of held) await echo(stream);
  assert.deepEqual([await first, await second], [['200 a'], ['200 b']]);
  await drained;
  await waitFor(() => upstream.sessions.size === 0, { what: 'all sessions to end' });
});

test('a session that the upstream closes while it is idle is replaced', async () => {
  await using upstream = await startHttp2Upstream(echo);
  await using plane = await startH2Plane(upstream.port);
  assert.deepEqual(await together(plane.port, 1), ['200 ']);
  for (const session of upstream.sessions) session.destroy();
  await waitFor(() => upstream.sessions.size === 0, { what: 'the session to be gone' });
  await waitFor(() => plane.zone.get(CELL.upstreamIdle) === 0, { what: 'the gateway to notice' });
  assert.deepEqual(await together(plane.port, 1, post('x')), ['200 x']);
  assert.equal(upstream.connections, 2);
});

test('a slow client stops its upstream stream within its window, and others go on', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const total = 32 * 1024 * 1024;
  let sent = 0;
  await using upstream = await startHttp2Upstream((stream, headers) => {
    if (headers[':path'] !== '/large') return echo(stream);
    stream.respond({ ':status': 200 });
    const more = (): void => {
      while (sent < total && stream.write(chunk, () => (sent += chunk.length))) if (sent >= total) return;
    };
    stream.on('drain', () => (sent < total ? more() : stream.end()));
    more();
    return undefined;
  });
  await using plane = await startH2Plane(upstream.port, { route: { responseBuffering: false } });
  await using slow = await connectRaw(plane.port);
  slow.socket.pause();
  slow.write(`GET /large HTTP/1.1\r\n${HOST}\r\n`);
  let before = -1;
  await waitFor(
    () => {
      const still = sent > 0 && sent === before;
      before = sent;
      return still;
    },
    { what: 'the upstream to be stopped', interval: 200 },
  );
  assert.ok(sent < total, `${sent} octets`);
  assert.deepEqual(await together(plane.port, 1, post('x')), ['200 x']);
  assert.equal(upstream.connections, 1);
});
