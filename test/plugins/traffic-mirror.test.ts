/** traffic-mirror through sockets: what is copied where, and that requests are none the wiser. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { servicesOf, upstreamsOf } from '../support/other-services.ts';
import { pluginProblems } from '../support/plugins.ts';
import { freePort } from '../support/ports.ts';
import {
  type Echo,
  type RawHandler,
  startEcho,
  startHttpUpstream,
  startRawUpstream,
  type Upstream,
} from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { type Answer, ask, type Got, type Question } from './support.ts';

/** Long enough never to end by itself. */
const NEVER_MS = 3_600_000;

/** Counters of the plugin: `sent 2xx`, `failed timeout`, `dropped loop` and so on. */
function counts({ plane }: TestPlane): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { name, type, series } of plane.services.metrics.report.families) {
    const [, kind] = /^sluice_plugin_traffic_mirror_(.*)_total$/.exec(name) ?? [];
    if (kind === undefined || type !== 'counter') continue;
    for (const { values, value } of series) all[`${kind} ${values[2]}`] = value;
  }
  return all;
}

async function counted(plane: TestPlane, wanted: Readonly<Record<string, number>>): Promise<void> {
  const total = (all: Readonly<Record<string, number>>): number =>
    Object.values(all).reduce((sum, count) => sum + count, 0);
  await waitFor(() => total(counts(plane)) >= total(wanted), { what: JSON.stringify(wanted) });
  assert.deepEqual(counts(plane), wanted);
}

/** Keeps what it got. */
async function startRecorder(): Promise<Upstream & { readonly got: Got[] }> {
  const got: Got[] = [];
  const upstream = await startHttpUpstream(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    got.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers as Got['headers'],
      body: Buffer.concat(chunks).toString('latin1'),
    });
    response.end('thrown away');
  });
  return Object.defineProperty(upstream, 'got', { value: got }) as Upstream & { readonly got: Got[] };
}

const mirrorTo = (port: number, config: object = {}) => ({
  name: 'traffic-mirror',
  config: { url: `http://127.0.0.1:${port}`, ...config },
});

interface Manner {
  /** Null: nobody listens. */
  readonly handler: RawHandler | null;
  readonly config?: object;
  /** What is counted in the end; null: the copy stays under way. */
  readonly counted: Readonly<Record<string, number>> | null;
  /** Its connection is given up, since the rest of the answer is not wanted. */
  readonly closes?: true;
}

const hang: RawHandler = async () => {};
const answer =
  (text: string, end = false): RawHandler =>
  async (peer) => {
    await peer.heads(1);
    peer.socket.on('end', () => peer.end());
    if (end) peer.end(text);
    else peer.write(text);
  };
const endless: RawHandler = async (peer) => {
  await peer.heads(1);
  peer.write('HTTP/1.1 200 OK\r\n\r\n');
  const chunk = Buffer.alloc(64 * 1024);
  const more = (): void => {
    while (!peer.socket.destroyed && peer.socket.write(chunk));
  };
  peer.socket.on('drain', more);
  more();
};

const MANNERS: Readonly<Record<string, Manner>> = {
  'that answers': {
    handler: answer('HTTP/1.1 204 No Content\r\n\r\n'),
    counted: { 'sent 2xx': 1 },
  },
  'that answers with an error': {
    handler: answer('HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno'),
    counted: { 'sent 5xx': 1 },
  },
  'that refuses connections': { handler: null, counted: { 'failed upstream_connect_failed': 1 } },
  'that never answers': { handler: hang, config: { timeout: NEVER_MS }, counted: null },
  'that answers too late': { handler: hang, config: { timeout: 30 }, counted: { 'failed timeout': 1 } },
  'that stops in the middle of a head': {
    handler: answer('HTTP/1.1 200 OK\r\nContent-'),
    config: { timeout: NEVER_MS },
    counted: null,
  },
  'that stops in the middle of a body': {
    handler: answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc'),
    config: { timeout: 30 },
    counted: { 'failed timeout': 1 },
  },
  'that closes at once': {
    handler: async (peer) => peer.end(),
    counted: { 'failed upstream_closed': 1 },
  },
  'that resets the connection': {
    handler: async (peer) => {
      await peer.heads(1);
      peer.reset();
    },
    counted: { 'failed upstream_closed': 1 },
  },
  'that closes within the body': {
    handler: answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc', true),
    counted: { 'failed upstream_closed_early': 1 },
  },
  'that answers with garbage': {
    handler: answer('220 smtp.test ESMTP\r\n\r\n'),
    counted: { 'failed malformed_response': 1 },
  },
  'whose answer is announced as huge': {
    handler: answer('HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n'),
    counted: { 'sent 2xx': 1 },
    closes: true,
  },
  'whose answer has no end': { handler: endless, counted: { 'sent 2xx': 1 }, closes: true },
  'that switches protocols': {
    handler: answer('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    counted: { 'failed malformed_response': 1 },
  },
};

const QUESTION: Question = { target: '/a?b=c', body: 'x'.repeat(5000), headers: ['X-One: 1'] };

/** All that the client got, but for what is another with each response. */
function facts({ response }: Answer): unknown {
  const changing = /^(?:date|x-kong-.*|via|server)$/i;
  const headers = response.headers.filter(([name]) => !changing.test(name));
  const { method, url, bodySha256 } = response.json() as Echo;
  return [response.status, headers, method, url, bodySha256];
}

describe('a request gets the same answer beside a mirror', () => {
  for (const [what, { handler, config = {}, counted: wanted, closes }] of Object.entries(MANNERS)) {
    test(what, async () => {
      await using own = await startEcho();
      await using alone = await startPlane(own.port);
      await using mirror = handler === null ? null : await startRawUpstream(handler);
      const port = mirror?.port ?? (await freePort());
      await using plane = await startPlane(own.port, {
        plugins: [mirrorTo(port, { max_response_size: 1000, ...config })],
      });
      assert.deepEqual(facts(await ask(plane.port, QUESTION)), facts(await ask(alone.port, QUESTION)));
      if (wanted !== null) await counted(plane, wanted);
      else await waitFor(() => (mirror?.connections ?? 0) === 1, { what: 'the copy to be sent' });
      if (wanted === null) assert.deepEqual(counts(plane), {});
      if (closes === true) await waitFor(() => mirror?.open === 0, { what: 'the connection to be closed' });
      // Neither is it kept waiting by the copies of others.
      assert.equal((await ask(plane.port, QUESTION)).status, 200);
    });
  }
});

test('a request whose own upstream fails is copied all the same', async () => {
  await using mirror = await startRecorder();
  await using plane = await startPlane(await freePort(), { plugins: [mirrorTo(mirror.port)] });
  assert.equal((await ask(plane.port)).status, 502);
  await counted(plane, { 'sent 2xx': 1 });
});

test('a request that is tried again is copied once', async () => {
  let tries = 0;
  await using own = await startHttpUpstream((request, response) => {
    if (++tries < 3) request.socket.destroy();
    else response.end();
  });
  await using mirror = await startRecorder();
  await using plane = await startPlane(own.port, {
    service: { retries: 5 },
    plugins: [mirrorTo(mirror.port)],
  });
  assert.equal((await ask(plane.port)).status, 200);
  await counted(plane, { 'sent 2xx': 1 });
  assert.deepEqual([tries, mirror.requests], [3, 1]);
});

interface Copied {
  readonly config?: object;
  readonly question?: Question;
  readonly options?: PlaneOptions;
  readonly check: (copy: Got, port: number) => unknown;
  readonly wanted: unknown;
}

const header =
  (...names: string[]) =>
  ({ headers }: Got): unknown =>
    names.map((name) => headers[name]);

const COPIES: Readonly<Record<string, Copied>> = {
  'method, path and query': {
    question: { method: 'DELETE', target: '/a/b?c=d&e' },
    check: ({ method, url }) => [method, url],
    wanted: ['DELETE', '/a/b?c=d&e'],
  },
  'a body with a length': {
    question: { body: 'abc' },
    check: ({ body, headers }) => [body, headers['content-length'], headers['transfer-encoding']],
    wanted: ['abc', '3', undefined],
  },
  'a body in chunks': {
    question: { body: 'abc', chunked: true },
    check: ({ body, headers }) => [body, headers['content-length'], headers['transfer-encoding']],
    wanted: ['abc', '3', undefined],
  },
  'a body of many reads': {
    question: { body: 'y'.repeat(900_000) },
    check: ({ body }) => createHash('md5').update(body, 'latin1').digest('hex'),
    wanted: createHash('md5').update('y'.repeat(900_000)).digest('hex'),
  },
  'what plugins have made of it': {
    options: {
      plugins: [
        {
          name: 'p',
          priority: 100,
          filters: {
            access({ upstreamRequest }) {
              upstreamRequest.path = '/edited';
              upstreamRequest.headers.set('X-New', '1');
              upstreamRequest.setBody('another');
            },
          },
        },
      ],
    },
    question: { target: '/a?b=c', body: 'abc' },
    check: ({ url, body, headers }) => [url, body, headers['x-new']],
    wanted: ['/edited?b=c', 'another', '1'],
  },
  'its own Host, a mark, and who the client is': {
    question: { headers: ['X-Two: 2'] },
    check: (copy, port) => [
      copy.headers['host'] === `127.0.0.1:${port}`,
      ...(header('x-mirrored-by', 'x-forwarded-for', 'x-forwarded-host', 'x-two')(copy) as unknown[]),
    ],
    wanted: [true, 'sluice', '127.0.0.1', 'a.test', '2'],
  },
  'another mark': {
    config: { mark_header: 'X-Shadow' },
    check: header('x-mirrored-by', 'x-shadow'),
    wanted: [undefined, 'sluice'],
  },
  'no credentials': {
    question: {
      target: '/?apikey=1&a=2&access_token=3',
      headers: ['Authorization: a', 'Cookie: b=c', 'apikey: d', 'X_API_Key: e', 'X-Other: f'],
    },
    check: (copy) => [
      copy.url,
      ...(header('authorization', 'cookie', 'apikey', 'x_api_key', 'x-other')(copy) as unknown[]),
    ],
    wanted: ['/?a=2', undefined, undefined, undefined, undefined, 'f'],
  },
  'credentials, when they are wanted': {
    config: { strip_credentials: false },
    question: { target: '/?apikey=1', headers: ['Authorization: a', 'Cookie: b=c'] },
    check: (copy) => [copy.url, ...(header('authorization', 'cookie')(copy) as unknown[])],
    wanted: ['/?apikey=1', 'a', 'b=c'],
  },
  'less than there is': {
    config: { strip_credentials: false, remove_headers: ['X-One'], remove_args: ['one'] },
    question: { target: '/?one=1', headers: ['x_one: 1', 'X-Two: 2'] },
    check: (copy) => [copy.url, ...(header('x_one', 'x-two')(copy) as unknown[])],
    wanted: ['/', undefined, '2'],
  },
};

describe('a copy has', () => {
  for (const [what, { config, question, options, check, wanted }] of Object.entries(COPIES)) {
    test(what, async () => {
      await using own = await startEcho();
      await using mirror = await startRecorder();
      await using plane = await startPlane(own.port, {
        ...options,
        plugins: [...(options?.plugins ?? []), mirrorTo(mirror.port, config)],
      });
      assert.equal((await ask(plane.port, question)).status, 200);
      const [copy] = await waitFor(() => mirror.got.length > 0 && mirror.got);
      assert.ok(copy !== undefined);
      assert.deepEqual(check(copy, mirror.port), wanted);
      await counted(plane, { 'sent 2xx': 1 });
    });
  }
});

const PLACES: ReadonlyArray<readonly [what: string, configOf: (port: number) => object, url: string]> = [
  ['a URL', (port) => ({ url: `http://127.0.0.1:${port}` }), '/a?b=c'],
  ['a URL with a path', (port) => ({ url: `http://127.0.0.1:${port}/shadow/` }), '/shadow/a?b=c'],
  ['an upstream', () => ({ url: 'http://Next.up/x' }), '/x/a?b=c'],
  ['a service', () => ({ service: 'next' }), '/v2/a?b=c'],
  ['a service with an upstream', () => ({ service: 'next-up' }), '/a?b=c'],
];

describe('copies go to', () => {
  for (const [what, configOf, url] of PLACES) {
    test(what, async () => {
      await using own = await startEcho();
      await using mirror = await startRecorder();
      await using plane = await startPlane(own.port, {
        services: servicesOf({ next: { port: mirror.port, path: '/v2' }, 'next-up': { host: 'Next.up' } }),
        upstreams: upstreamsOf({ 'Next.up': { ports: [mirror.port] } }),
        plugins: [{ name: 'traffic-mirror', config: configOf(mirror.port) }],
      });
      for (let n = 1; n <= 3; n++) {
        assert.equal((await ask(plane.port, { target: '/a?b=c' })).status, 200);
        await counted(plane, { 'sent 2xx': n });
      }
      assert.deepEqual(
        mirror.got.map((copy) => copy.url),
        [url, url, url],
      );
      // Connections are kept and used again.
      assert.equal(mirror.connections, 1);
    });
  }

  test('all targets of an upstream', async () => {
    await using own = await startEcho();
    await using one = await startRecorder();
    await using two = await startRecorder();
    await using plane = await startPlane(own.port, {
      upstreams: upstreamsOf({ 'next.up': { ports: [one.port, two.port] } }),
      plugins: [{ name: 'traffic-mirror', config: { url: 'http://next.up' } }],
    });
    for (let n = 1; n <= 4; n++) {
      await ask(plane.port);
      await counted(plane, { 'sent 2xx': n });
    }
    assert.deepEqual([one.requests, two.requests], [2, 2]);
  });

  test('a new connection, when the kept one is dead', async () => {
    await using own = await startEcho();
    await using mirror = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write('HTTP/1.1 204 No Content\r\n\r\n');
      await peer.heads(2);
      peer.reset();
    });
    await using plane = await startPlane(own.port, { plugins: [mirrorTo(mirror.port)] });
    for (let n = 1; n <= 2; n++) {
      await ask(plane.port);
      await counted(plane, { 'sent 2xx': n });
    }
    assert.equal(mirror.connections, 2);
  });
});

interface Dropped {
  readonly config?: object;
  readonly question?: Question;
  readonly options?: PlaneOptions;
  readonly reason: string | null;
}

const DROPS: Readonly<Record<string, Dropped>> = {
  'that was not drawn': { config: { percentage: 0 }, reason: null },
  'whose body is too large': {
    config: { max_body_size: 4999 },
    question: QUESTION,
    reason: 'body_too_large',
  },
  'whose body turns out to be too large': {
    config: { max_body_size: 4999 },
    question: { ...QUESTION, chunked: true },
    reason: 'body_too_large',
  },
  'whose body is larger than what the gateway keeps': {
    options: { settings: { request_buffer_size: '4k', nginx_http_client_body_buffer_size: '4k' } },
    question: { ...QUESTION, chunked: true },
    reason: 'body_streamed',
  },
  'whose body streams': {
    options: { route: { requestBuffering: false } },
    question: QUESTION,
    reason: 'body_streamed',
  },
  'that is a copy': { question: { headers: ['x-mirrored-by: sluice'] }, reason: 'loop' },
  'that asks for a WebSocket': {
    question: {
      headers: [
        'Connection: upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    },
    reason: 'upgrade',
  },
  'for a service that is not there': { config: { url: null, service: 'none' }, reason: 'no_service' },
};

describe('no copy is made of a request', () => {
  for (const [what, { config, question, options, reason }] of Object.entries(DROPS)) {
    test(what, async () => {
      await using own = await startEcho();
      await using mirror = await startRecorder();
      await using plane = await startPlane(own.port, {
        ...options,
        plugins: [mirrorTo(mirror.port, config)],
      });
      assert.equal((await ask(plane.port, question)).status, 200);
      assert.deepEqual(counts(plane), reason === null ? {} : { [`dropped ${reason}`]: 1 });
      assert.equal(mirror.connections, 0);
    });
  }
});

test('copies under way are bounded, and those beyond are counted', async () => {
  await using own = await startEcho();
  const gate = Promise.withResolvers<void>();
  await using mirror = await startHttpUpstream(async (_, response) => {
    await gate.promise;
    response.end();
  });
  await using plane = await startPlane(own.port, {
    plugins: [mirrorTo(mirror.port, { max_in_flight: 2, timeout: NEVER_MS })],
  });
  for (let n = 0; n < 5; n++) assert.equal((await ask(plane.port)).status, 200);
  assert.deepEqual(counts(plane), { 'dropped in_flight': 3 });
  gate.resolve();
  await counted(plane, { 'dropped in_flight': 3, 'sent 2xx': 2 });
  await ask(plane.port);
  await counted(plane, { 'dropped in_flight': 3, 'sent 2xx': 3 });
});

test('a copy outlives a client that is gone', async () => {
  const gate = Promise.withResolvers<void>();
  await using own = await startHttpUpstream(async (_, response) => {
    await gate.promise;
    response.end();
  });
  await using mirror = await startRecorder();
  await using plane = await startPlane(own.port, { plugins: [mirrorTo(mirror.port)] });
  const client = new AbortController();
  const asked = fetch(`http://127.0.0.1:${plane.port}/`, {
    method: 'POST',
    body: 'abc',
    signal: client.signal,
  });
  await waitFor(() => own.requests === 1);
  client.abort();
  await assert.rejects(asked);
  await counted(plane, { 'sent 2xx': 1 });
  assert.equal(mirror.got[0]?.body, 'abc');
  gate.resolve();
});

const URL_TO = { url: 'http://a.test' };

const PROBLEMS: ReadonlyArray<readonly [config: object, problem: RegExp | null]> = [
  [URL_TO, null],
  [{ service: 's' }, null],
  [{}, /at least one of these fields must be non-empty: .*service.*url/],
  [{ ...URL_TO, service: 's' }, /only one or none of these fields must be set/],
  [{ url: 'ftp://a.test' }, /must begin with http/],
  [{ url: 'http://' }, /is not a URL/],
  [{ url: 'http://u:p@a.test' }, /must have no user and password/],
  [{ url: 'http://a.test/?b' }, /must have no query/],
  [{ url: 'http://a.test/#b' }, /must have no fragment/],
  [{ ...URL_TO, percentage: 101 }, /percentage/],
  [{ ...URL_TO, max_in_flight: 0 }, /max_in_flight/],
  [{ ...URL_TO, max_body_size: -1 }, /max_body_size/],
  [{ ...URL_TO, timeout: 0 }, /timeout/],
  [{ ...URL_TO, mark_header: 'a b' }, /bad header name/],
];

test('what cannot work is refused', () => {
  for (const [config, problem] of PROBLEMS) {
    const text = pluginProblems({ name: 'traffic-mirror', config });
    if (problem === null) assert.equal(text, 'null');
    else assert.match(text, problem);
  }
});
