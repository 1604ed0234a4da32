/** HTTP/2 from clients, over real sockets: bodies and trailers both ways, flow control, resets, time-outs, ends. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { answerOf, Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import { CODE, connectHttp2, FRAME, get } from '../support/http2-raw.ts';
import {
  type Echo,
  type RawPeer,
  scripted,
  startEcho,
  startHttpUpstream,
  startRawUpstream,
} from '../support/upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

const POST = { ':method': 'POST', ':path': '/' };
const MIB = 1024 * 1024;

test('a request and its answer mean the same on both sides', async () => {
  await using echo = await startEcho();
  await using plane = await startHttp2Plane(echo.port);
  await using client = new Http2Client(plane.port);
  const { status, headers, body } = await client.ask(
    { ':path': '/a/b?c=d', 'x-a': '1', cookie: ['a=1', 'b=2'], te: 'trailers' },
    null,
  );
  const seen = JSON.parse(body.toString()) as Echo;
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['connection'], undefined);
  assert.deepEqual(
    [
      seen.method,
      seen.url,
      seen.httpVersion,
      seen.headers['x-a'],
      seen.headers['cookie'],
      seen.headers['te'],
    ],
    ['GET', '/a/b?c=d', '1.1', '1', 'a=1; b=2', 'trailers'],
  );
  assert.match(String(seen.headers['via']), /^2 /);
  assert.equal(seen.headers['x-forwarded-host'], '127.0.0.1');
  await client[Symbol.asyncDispose]();
  await plane.settled();
});

test('bodies of all sizes, buffered and streamed, both ways', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    response.writeHead(
      200,
      request.headers['content-length'] === undefined
        ? {}
        : {
            'content-length': request.headers['content-length'],
          },
    );
    request.pipe(response);
  });
  for (const requestBuffering of [true, false]) {
    await using plane = await startHttp2Plane(upstream.port, { route: { requestBuffering } });
    await using client = new Http2Client(plane.port);
    await Promise.all(
      [0, 1, 1000, 65_535, 65_536, 300_000, 5 * MIB].map(async (size) => {
        const sent = randomBytes(size);
        for (const declared of [true, false]) {
          const length = declared ? { 'content-length': String(size) } : {};
          const { status, body } = await client.ask({ ...POST, ...length }, sent);
          assert.deepEqual([status, sha(body)], [200, sha(sent)], `${size} octets`);
        }
      }),
    );
    await client[Symbol.asyncDispose]();
    await plane.settled();
  }
});

/** Answers nothing, and goes when the gateway goes. */
async function untilGone(peer: RawPeer): Promise<void> {
  await peer.heads(1);
  await once(peer.socket, 'end');
  peer.end();
}

const sha = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex');

test('trailers both ways', async () => {
  await using upstream = await startHttpUpstream(async (request, response) => {
    for await (const _ of request);
    response.writeHead(200, { trailer: 'x-got' });
    response.write('body');
    response.addTrailers({ 'x-got': request.rawTrailers.join('='), 'x-twice': 'b' });
    response.end();
  });
  await using plane = await startHttp2Plane(upstream.port);
  await using client = new Http2Client(plane.port);
  const stream = client.open({ ...POST, te: 'trailers' }, { endStream: false, waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
  stream.end('hello');
  const answer = await answerOf(stream);
  assert.equal(answer.body.toString(), 'body');
  assert.equal(answer.trailers?.['x-got'], 'x-sum=1');
  // A client that did not say that it reads them gets none.
  assert.equal((await client.ask({ ':path': '/' })).trailers, null);
});

test('bodies that are kept for their upstream: what all of a connection keep has a bound, and the rest streams', async () => {
  let begun = 0;
  await using upstream = await startHttpUpstream(async (request, response) => {
    begun++;
    let length = 0;
    for await (const chunk of request) length += (chunk as Buffer).length;
    response.end(String(length));
  });
  await using plane = await startHttp2Plane(upstream.port, { settings: { http2_session_memory: '2' } });
  await using client = new Http2Client(plane.port);
  const half = Buffer.alloc(MIB / 2);
  for (let round = 0; round < 2; round++) {
    begun = 0;
    const streams = Array.from({ length: 12 }, () => client.open(POST, { endStream: false }));
    const answers = streams.map(answerOf);
    for (const stream of streams) stream.write(half);
    await waitFor(() => begun >= 7, { what: 'bodies over the bound to be sent to their upstream' });
    assert.ok(begun <= 10, `${begun} of 12: those within the bound are kept`);
    for (const stream of streams) stream.end(half);
    for (const answer of await Promise.all(answers)) assert.equal(answer.body.toString(), String(MIB));
  }
});

test('HEAD, 204, 304, interim responses and expectations', async () => {
  await using upstream = await startHttpUpstream(async (request, response) => {
    if (request.url === '/early') response.writeEarlyHints({ link: '</a>; rel=preload' });
    for await (const _ of request);
    const status = Number(request.url?.slice(1)) || 200;
    response.writeHead(status, status === 204 || status === 304 ? {} : { 'content-length': 5 });
    response.end(status === 204 || status === 304 ? undefined : 'hello');
  });
  await using plane = await startHttp2Plane(upstream.port);
  await using client = new Http2Client(plane.port);
  const head = await client.ask({ ':method': 'HEAD', ':path': '/' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '5', 0]);
  for (const status of [204, 304]) {
    const answer = await client.ask({ ':path': `/${status}` });
    assert.deepEqual([answer.status, answer.body.length], [status, 0]);
  }
  const early = await client.ask({ ':path': '/early' });
  assert.deepEqual([early.status, early.informed, early.body.toString()], [200, [103], 'hello']);
  const stream = client.open({ ...POST, expect: '100-continue' }, { endStream: false });
  await once(stream, 'continue');
  stream.end('body');
  assert.equal((await answerOf(stream)).status, 200);
});

test('all streams of a connection share the upstream connections of the pool', async () => {
  await using echo = await startEcho();
  await using plane = await startHttp2Plane(echo.port);
  await using client = new Http2Client(plane.port);
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 8 }, () => client.ask({ ':path': '/' })));
  assert.ok(echo.connections <= 8, `${echo.connections} connections for 8 requests at once`);
  assert.equal(plane.zone.get(CELL.active), 1);
});

test('a client that takes its request back: the upstream is cancelled, 499 in the log', async () => {
  await using folder = await tempDir();
  const log = join(folder.path, 'access.log');
  await using upstream = await startRawUpstream(untilGone);
  await using plane = await startHttp2Plane(upstream.port, { settings: { proxy_access_log: log } });
  await using client = new Http2Client(plane.port);
  const stream = client.open({ ':path': '/gone' });
  await waitFor(() => upstream.open === 1 && upstream.peers[0]?.received.includes('\r\n\r\n'));
  stream.close(constants.NGHTTP2_CANCEL);
  await waitFor(() => upstream.open === 0, { what: 'the upstream connection to be closed' });
  await plane.plane.reopenLogs();
  const line = await waitFor(async () => (await readFile(log, 'utf8')) || null);
  assert.match(line, /"GET \/gone HTTP\/2\.0" 499 /);
});

const BROKEN: ReadonlyArray<readonly [what: string, answer: string]> = [
  ['closes before the length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
  ['closes within chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ['breaks its chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
];

for (const [what, answer] of BROKEN) {
  test(`an upstream that ${what}: the stream is reset, the connection goes on`, async () => {
    await using upstream = await startRawUpstream(scripted([answer], { thenClose: true }));
    await using plane = await startHttp2Plane(upstream.port);
    await using client = new Http2Client(plane.port);
    await assert.rejects(client.ask({ ':path': '/' }), /reset 2/);
    await assert.rejects(client.ask({ ':path': '/' }), /reset 2/);
    assert.equal(plane.zone.get(CELL.active), 1);
    assert.equal(plane.zone.get(CELL.broken), 2);
  });
}

test('answers of our own: no upstream, too large a body, fields that HTTP/2 does not have', async () => {
  await using gone = await startRawUpstream((peer) => peer.reset());
  await using plane = await startHttp2Plane(gone.port, {
    settings: { nginx_http_client_max_body_size: '1000' },
  });
  await using client = new Http2Client(plane.port);
  assert.equal((await client.ask({ ':path': '/' })).status, 502);
  assert.equal((await client.ask(POST, Buffer.alloc(1001))).status, 413);
  const late = client.open(POST, { endStream: false });
  late.write(Buffer.alloc(1001));
  assert.equal((await answerOf(late)).status, 413);
  // Not `Connection: Upgrade` as in HTTP/1.1.
  await using https = await startHttp2Plane(gone.port, { route: { protocols: 2 } });
  await using other = new Http2Client(https.port);
  const redirected = await other.ask({ ':path': '/' });
  assert.deepEqual([redirected.status, redirected.headers['upgrade']], [426, undefined]);
});

test('an upstream that is faster than the client, and one that is slower: little waits in the gateway', async () => {
  let sent = 0;
  await using upstream = await startHttpUpstream((request, response) => {
    if (request.method === 'POST') {
      request.pause();
      setImmediate(() => response.writeHead(200).flushHeaders());
      return;
    }
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      for (let taken = true; taken && sent < 64 * MIB; sent += chunk.length) taken = response.write(chunk);
    };
    response.on('drain', more);
    more();
  });
  await using plane = await startHttp2Plane(upstream.port, {
    route: { requestBuffering: false, responseBuffering: false },
  });
  await using client = new Http2Client(plane.port);
  // Else its own window of the connection holds back all of its streams.
  await once(client.session, 'connect');
  client.session.setLocalWindowSize(MIB);
  const down = client.open({ ':path': '/' });
  down.pause();
  await once(down, 'response');
  const stands = async (value: () => number): Promise<number> => {
    for (let last = -1; ;) {
      const now = value();
      if (now === last) return now;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  };
  const ahead = await stands(() => sent);
  assert.ok(ahead < 16 * MIB, `${ahead} octets were read ahead of a client that takes none`);
  const up = client.open(POST, { endStream: false });
  await once(up, 'response');
  let written = 0;
  const push = (): void => {
    for (let took = true; took && written < 64 * MIB; written += 64 * 1024)
      took = up.write(Buffer.alloc(64 * 1024));
  };
  up.on('drain', push);
  push();
  const accepted = await stands(() => written);
  assert.ok(accepted < 16 * MIB, `${accepted} octets were accepted for an upstream that takes none`);
  // Others are served meanwhile.
  const before = sent;
  const other = client.open({ ':path': '/' });
  other.on('data', () => {});
  await waitFor(() => sent > before + MIB, { what: 'another stream to move' });
});

test('a client with a window of zero is cut off after send_timeout, and no other stream is', async () => {
  await using upstream = await startHttpUpstream((request, response) => {
    response.end(request.url === '/small' ? '' : Buffer.alloc(100_000));
  });
  await using plane = await startHttp2Plane(upstream.port, {
    settings: { nginx_http_send_timeout: '300ms' },
  });
  // SETTINGS_INITIAL_WINDOW_SIZE 0
  await using client = await connectHttp2(plane.port, [4, 0]);
  const stream = client.request(get('/large'));
  assert.deepEqual(await client.outcome(stream), { status: 200 });
  await waitFor(() => client.of(FRAME.reset, stream).length > 0, { what: 'the slow stream to be reset' });
  assert.equal(client.of(FRAME.reset, stream)[0]?.payload.readUInt32BE(0), CODE.internal);
  assert.deepEqual(await client.outcome(client.request(get('/small'))), { status: 200 });
  await waitFor(() => plane.zone.get(CELL.http2Streams) === 0);
});

test('a body that does not come: 408 and the stream ends; one that comes slowly is taken', async () => {
  await using echo = await startEcho();
  await using plane = await startHttp2Plane(echo.port, {
    settings: { nginx_http_client_body_timeout: '2s' },
  });
  await using client = new Http2Client(plane.port);
  const late = client.open(POST, { endStream: false });
  late.write('half');
  assert.equal((await answerOf(late)).status, 408);
  const slow = client.open(POST, { endStream: false });
  // Well within the time each, together more than it.
  for (let piece = 0; piece < 30; piece++) {
    slow.write('x');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  slow.end();
  const { status, body } = await answerOf(slow);
  assert.deepEqual([status, (JSON.parse(body.toString()) as Echo).bodyLength], [200, 30]);
  await waitFor(() => plane.zone.get(CELL.http2Streams) === 0);
});

const IDLE: ReadonlyArray<
  readonly [what: string, settings: Readonly<Record<string, string>>, requests: number]
> = [
  ['says nothing', { nginx_http_client_header_timeout: '200ms' }, 0],
  ['is idle', { nginx_http_keepalive_timeout: '200ms' }, 1],
  ['has brought keepalive_requests', { nginx_http_keepalive_requests: '2' }, 2],
  ['must not stay', { nginx_http_keepalive_timeout: '0' }, 1],
];

for (const [what, settings, requests] of IDLE) {
  test(`a connection that ${what} is closed with GOAWAY`, async () => {
    await using echo = await startEcho();
    await using plane = await startHttp2Plane(echo.port, { settings });
    await using client = await connectHttp2(plane.port);
    for (let i = 0; i < requests; i++)
      assert.deepEqual(await client.outcome(client.request(get())), { status: 200 });
    await waitFor(() => client.closed, { what: 'the connection to end' });
    assert.equal(client.of(FRAME.goaway).at(-1)?.payload.readUInt32BE(4), CODE.none);
    await plane.settled();
  });
}

test('drain: streams in flight end, then the connection; the client is told which were taken', async () => {
  const answers: Array<() => void> = [];
  await using upstream = await startHttpUpstream(
    (_, response) => void answers.push(() => response.end('done')),
  );
  const plane = await startHttp2Plane(upstream.port);
  await using client = await connectHttp2(plane.port);
  await using idle = await connectHttp2(plane.port);
  await idle.ping();
  const first = client.request(get('/first'));
  await waitFor(() => answers.length === 1);
  const drained = plane.plane.drain(20_000);
  for (const each of [client, idle]) {
    await waitFor(() => each.of(FRAME.goaway).length > 0, { what: 'GOAWAY' });
    const { payload } = each.of(FRAME.goaway)[0] ?? { payload: Buffer.alloc(8) };
    assert.deepEqual(
      [payload.readUInt32BE(0), payload.readUInt32BE(4)],
      [each === client ? first : 0, CODE.none],
    );
  }
  for (const answer of answers) answer();
  assert.deepEqual(await client.outcome(first), { status: 200 });
  await drained;
  await waitFor(() => client.closed && idle.closed);
  assert.equal(plane.zone.get(CELL.active), 0);
  await plane[Symbol.asyncDispose]();
});

test('a connection that breaks, or half of it: its requests are cancelled', async () => {
  for (const how of ['reset', 'fin'] as const) {
    await using upstream = await startRawUpstream(untilGone);
    await using plane = await startHttp2Plane(upstream.port);
    await using client = await connectHttp2(plane.port);
    for (let i = 0; i < 3; i++) client.request(get());
    await waitFor(() => upstream.open === 3);
    if (how === 'reset') client.socket.resetAndDestroy();
    else client.socket.end();
    await waitFor(() => upstream.open === 0, { what: `upstream connections to go after ${how}` });
    await plane.settled();
    assert.equal(plane.zone.get(CELL.http2Streams), 0);
  }
});

test('HTTP/1.1 and HTTP/2 on one port, and a preface that comes in pieces', async () => {
  await using echo = await startEcho();
  await using plane = await startHttp2Plane(echo.port);
  assert.equal((await fetch(`http://127.0.0.1:${plane.port}/`)).status, 200);
  await using client = await connectHttp2(plane.port);
  assert.deepEqual(await client.outcome(client.request(get())), { status: 200 });
});
