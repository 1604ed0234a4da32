/** pre-function and post-function through sockets. Facts: Kong 3.9's plugins and its plugin development kit. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import type { TestPlugin } from '../support/plugins.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const ENTITIES: PlaneOptions['entities'] = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: null, tags: null, created_at: 1, updated_at: 1 },
  },
];

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly echo: Echo;
}

async function ask(plane: TestPlane, head = 'GET /a/b?x=1&y=2&y=3 HTTP/1.1', rest = '\r\n'): Promise<Answer> {
  const { responses } = await rawRequest(plane.port, `${head}\r\nHost: A.test\r\n${rest}`);
  const [response] = responses;
  assert.ok(response !== undefined);
  const text = response.text();
  return {
    status: response.status,
    text,
    headers: new Map(response.headers.map(([name, value]) => [name.toLowerCase(), value])),
    echo: text.startsWith('{') ? (JSON.parse(text) as Echo) : ({ headers: {} } as Echo),
  };
}

const snippet = (config: object, name = 'pre-function'): TestPlugin => ({ name, config });

/** Each runs in `access`, and answers with what it found. */
const READS: ReadonlyArray<readonly [expression: string, value: unknown]> = [
  ['kong.request.getMethod()', 'GET'],
  ['kong.request.get_method()', 'GET'],
  ['kong.request.getScheme() + kong.request.getHost()', 'httpa.test'],
  ['kong.request.getPath()', '/a/b'],
  ['kong.request.getPathWithQuery()', '/a/b?x=1&y=2&y=3'],
  ['kong.request.getRawQuery()', 'x=1&y=2&y=3'],
  ['kong.request.getQueryArg("x") + kong.request.get_query_arg("y")', '12'],
  ['[kong.request.getQueryArg("z")]', [null]],
  ['kong.request.getQuery()', { x: '1', y: ['2', '3'] }],
  ['kong.request.getHeader("X-One") + kong.request.get_header("x-one")', 'unun'],
  ['[kong.request.getHeader("x-none")]', [null]],
  ['kong.request.getHeaders()["x-two"]', ['a', 'b']],
  ['kong.request.getHttpVersion()', 1.1],
  ['typeof kong.request.getStartTime()', 'number'],
  ['kong.request.getForwardedHost()', 'a.test'],
  ['kong.request.getForwardedScheme()', 'http'],
  ['kong.request.getUriCaptures()', { named: {}, unnamed: [] }],
  ['kong.request.getRawBody()', ''],
  ['kong.client.getIp() + kong.client.get_forwarded_ip()', '127.0.0.1127.0.0.1'],
  ['typeof kong.client.getPort()', 'number'],
  ['kong.client.getProtocol()', 'http'],
  ['[kong.client.getConsumer(), kong.client.get_credential()]', [null, null]],
  [`kong.client.loadConsumer("${ANNA}").username`, 'anna'],
  ['kong.client.load_consumer("anna", true).id', ANNA],
  [
    `kong.client.authenticate({ id: "${ANNA}" }, { id: "c" }), [kong.client.getConsumer().username, kong.client.getCredential().id]`,
    ['anna', 'c'],
  ],
  ['kong.ctx.shared.a = { b: [1] }, kong.ctx.shared.a.b.push(2), kong.ctx.shared.a', { b: [1] }],
  ['kong.ctx.plugin.a = 1, [kong.ctx.plugin.a, kong.ctx.shared.a, "a" in kong.ctx.plugin]', [1, null, true]],
  ['[delete kong.ctx.shared.a, kong.ctx.shared.a]', [true, null]],
  ['typeof kong.router.getRoute() + typeof kong.router.get_service()', 'objectobject'],
  ['typeof kong.node.getId() + typeof kong.plugin.get_id()', 'stringstring'],
  ['[kong.response.getStatus()]', [null]],
  ['kong.log("a"), kong.log.err("a", 1), kong.log.inspect({}), typeof kong.log.warn', 'function'],
  ['kong.service.setTimeouts(1, 2, 3), kong.service.setRetries(1), 1', 1],
];

/** One of many statements in a snippet, chosen by the request; nothing without one. */
function choice(statements: readonly string[]): string {
  const functions = statements.map((statement) => `() => { ${statement} }`).join(',\n');
  return `const all = [${functions}]\nreturn () => all[kong.request.getHeader('x-case')]?.()`;
}

test('what a snippet reads', async () => {
  await using upstream = await startEcho();
  const statements = READS.map(([expression]) => `kong.response.exit(200, { value: (${expression}) })`);
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [snippet({ access: [choice(statements)] })],
  });
  for (const [index, [expression, value]] of READS.entries()) {
    const rest = `X-Case: ${index}\r\nX-One: un\r\nX-Two: a\r\nX-Two: b\r\n\r\n`;
    const { status, text } = await ask(plane, undefined, rest);
    assert.equal(status, 200, `${expression}: ${text}`);
    const found: unknown = JSON.parse(text);
    assert.deepEqual(found, { value }, expression);
  }
});

const CHANGES: ReadonlyArray<
  readonly [statement: string, look: (answer: Answer) => unknown, value: unknown]
> = [
  ['kong.service.request.setHeader("X-A", "b")', ({ echo }) => echo.headers['x-a'], 'b'],
  ['kong.service.request.set_header("X-A", 1)', ({ echo }) => echo.headers['x-a'], '1'],
  ['kong.service.request.setHeader("X-A", ["b", true])', ({ echo }) => echo.headers['x-a'], ['b', 'true']],
  ['kong.service.request.addHeader("X-One", "b")', ({ echo }) => echo.headers['x-one'], ['un', 'b']],
  ['kong.service.request.clearHeader("x-one")', ({ echo }) => echo.headers['x-one'], undefined],
  [
    'kong.service.request.setHeaders({ a: "1", b: ["2", "3"] })',
    ({ echo: { headers } }) => [headers['a'], headers['b']],
    ['1', ['2', '3']],
  ],
  ['kong.service.request.setHeader("Host", "other.test")', ({ echo }) => echo.headers['host'], 'other.test'],
  ['kong.service.request.setMethod("PUT")', ({ echo }) => echo.method, 'PUT'],
  ['kong.service.request.setPath("/new/path")', ({ echo }) => echo.url, '/new/path?x=1&y=2&y=3'],
  ['kong.service.request.setRawQuery("q")', ({ echo }) => echo.url, '/a/b?q'],
  [
    'kong.service.request.setQuery({ b: ["1", "ä"], a: true, c: false })',
    ({ echo }) => echo.url,
    '/a/b?a&b=1&b=%C3%A4',
  ],
  ['kong.service.request.setRawBody("héllo\\0")', ({ echo }) => echo.bodySha256, sha256('héllo\0')],
  [
    'kong.service.request.setBody({ a: 1 })',
    ({ echo }) => [echo.bodySha256, echo.headers['content-type']],
    [sha256('{"a":1}'), 'application/json'],
  ],
  [
    'kong.service.request.setBody({ a: 1 }, "application/x-www-form-urlencoded")',
    ({ echo }) => echo.bodySha256,
    sha256('a=1'),
  ],
  [
    'kong.response.setHeader("X-Early", "1"); kong.response.addHeader("X-Early", "2")',
    ({ headers }) => headers.get('x-early'),
    '2',
  ],
  ['kong.response.exit(403)', ({ status, text }) => [status, text], [403, '']],
  [
    'kong.response.exit(200, "héllo", { "X-A": [1, 2] }); kong.response.exit(500)',
    ({ status, text }) => [status, text],
    [200, 'héllo'],
  ],
  [
    'try { kong.response.exit(418, { a: 1 }) } catch {}',
    ({ status, text }) => [status, text],
    [418, '{"a":1}'],
  ],
  [
    'kong.response.exit(200, "<p>", { "content-type": "text/html" })',
    ({ headers }) => headers.get('content-type'),
    'text/html',
  ],
  [
    'kong.response.error(404, "nothing here")',
    ({ status, text }) => [status, text.includes('nothing here')],
    [404, true],
  ],
  [
    'kong.response.setHeader("X-Kept", "1"); kong.response.exit(204)',
    ({ headers }) => headers.get('x-kept'),
    '1',
  ],
];

test('what a snippet changes', async () => {
  await using upstream = await startEcho();
  const access = [choice(CHANGES.map(([statement]) => statement))];
  await using plane = await startPlane(upstream.port, { plugins: [snippet({ access })] });
  for (const [index, [statement, look, value]] of CHANGES.entries()) {
    const answer = await ask(plane, undefined, `X-Case: ${index}\r\nX-One: un\r\n\r\n`);
    assert.deepEqual(look(answer), value, statement);
  }
});

/** A failure is a 500 for the request, and the next one finds the gateway as ever. */
const FAILURES: readonly string[] = [
  'throw new Error("secret")',
  'undefined.x',
  'for (;;);',
  '[].includes.call({ length: 2 ** 53 - 1 }, 1)',
  'const a = []; for (;;) a.push("x".repeat(1e5) + a.length)',
  '(function f() { f() })()',
  'kong.service.request.setHeader("a b", "c")',
  'kong.service.request.setHeader("a", "b\\r\\nc: d")',
  'kong.service.request.setHeader("a", "b\\0c")',
  'kong.service.request.setHeader("a", {})',
  'kong.service.request.setPath("/a b")',
  'kong.service.request.setMethod("A B")',
  'kong.service.request.setScheme("ftp")',
  'kong.service.request.enableBuffering()',
  'kong.service.setTarget("h", 0)',
  'kong.response.exit(99)',
  'kong.response.exit(200, { get a() { throw 1 } })',
  'kong.response.exit(200, "x", { "a\\n": "b" })',
  'kong.response.setHeader("a", "b\\n")',
  'kong.response.setStatus(200)',
  'kong.response.setRawBody("x")',
  'kong.client.authenticate({ id: "nobody" })',
  'kong.vault.get("{vault://env/home}")',
  'kong.nothing.getAtAll()',
  'return Promise.resolve(1)',
  'return (async () => 1)()',
  'for (let n = 0; n < 1000; n++) kong.ctx.shared[n] = n',
  'for (let n = 0; n < 1000; n++) kong.response.addHeader("x", "y")',
  'kong.ctx.shared.x = 1n',
];

test('a snippet that fails is a 500 for its request and tells the client nothing', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { plugins: [snippet({ access: [choice(FAILURES)] })] });
  for (const [index, statement] of FAILURES.entries()) {
    for (let round = 0; round < 2; round++) {
      const failed = await ask(plane, undefined, `X-Case: ${index}\r\n\r\n`);
      assert.equal(failed.status, 500, statement);
      assert.match(failed.text, /An unexpected error occurred/, statement);
      assert.doesNotMatch(failed.text, /secret|Error/, statement);
      assert.equal((await ask(plane)).status, 200, statement);
    }
  }
});

test('a snippet keeps what it likes, and the function that it answers runs for each request', async () => {
  await using upstream = await startEcho();
  const access = [
    'let count = 0; return () => { kong.service.request.setHeader("X-Count", String(++count)); if (kong.request.getHeader("x-break")) for (;;); }',
    'globalThis.total = (globalThis.total ?? 0) + 1; kong.service.request.setHeader("X-Total", total)',
  ];
  await using plane = await startPlane(upstream.port, { plugins: [snippet({ access })] });
  for (const n of ['1', '2', '3']) {
    const { echo } = await ask(plane);
    assert.deepEqual([echo.headers['x-count'], echo.headers['x-total']], [n, n]);
  }
  assert.equal((await ask(plane, undefined, 'X-Break: 1\r\n\r\n')).status, 500);
  // A new sandbox begins anew.
  assert.equal((await ask(plane)).echo.headers['x-count'], '1');
});

test('pre-function runs first, post-function last, and each phase has its place', async () => {
  await using upstream = await startEcho();
  const mark = (name: string) => ({
    rewrite: [`kong.ctx.shared.trail = (kong.ctx.shared.trail ?? "") + "${name}-rewrite "`],
    access: [`kong.ctx.shared.trail += "${name}-access "`],
    header_filter: [
      `kong.response.setHeader("X-Trail", kong.ctx.shared.trail); kong.response.setHeader("X-Seen", kong.service.response.getStatus() + kong.response.getSource()); kong.response.setStatus(202)`,
    ],
  });
  await using plane = await startPlane(upstream.port, {
    plugins: [snippet(mark('post'), 'post-function'), snippet(mark('pre'))],
  });
  const { headers, status } = await ask(plane);
  assert.equal(headers.get('x-trail')?.trim(), 'pre-rewrite post-rewrite pre-access post-access');
  assert.equal(headers.get('x-seen'), '200service');
  assert.equal(status, 202);
});

test('bodies of requests are there for snippets that name them', async () => {
  await using upstream = await startEcho();
  const access = ['kong.service.request.setHeader("X-Body", JSON.stringify(kong.request.get_body()))'];
  await using plane = await startPlane(upstream.port, { plugins: [snippet({ access })] });
  const post = (type: string, body: string): Promise<Answer> =>
    ask(
      plane,
      'POST / HTTP/1.1',
      `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  const json = await post('application/json', '{"a":[1]}');
  assert.deepEqual([json.echo.headers['x-body'], json.echo.bodySha256], ['{"a":[1]}', sha256('{"a":[1]}')]);
  const form = await post('application/x-www-form-urlencoded', 'a=1&b=%20&b=2');
  assert.deepEqual(
    [form.echo.headers['x-body'], form.echo.bodySha256],
    ['{"a":"1","b":[" ","2"]}', sha256('a=1&b=%20&b=2')],
  );
  assert.equal((await post('application/json', '{')).status, 500);
  assert.equal((await post('text/plain', 'x'.repeat(1024 * 1024 + 1))).status, 413);
});

const BODIES: ReadonlyArray<readonly [what: string, source: string, body: string]> = [
  ['nothing', 'void 0', 'aé€😀z'],
  ['pieces', 'return chunk.toUpperCase()', 'AÉ€😀Z'],
  ['the end', 'if (last) return chunk + "!"', 'aé€😀z!'],
  [
    'the whole',
    'const all = kong.response.getRawBody(); if (all !== undefined) return `[${all}]`',
    '[aé€😀z]',
  ],
  ['another', 'kong.response.setRawBody("new")', 'new'],
  ['the whole, looked at only', 'kong.response.getRawBody()', 'aé€😀z'],
];

test('bodies of responses, in pieces that end in the middle of characters', async () => {
  await using upstream = await startEcho();
  const bytes = Buffer.from('aé€😀z');
  for (const [what, source, body] of BODIES) {
    await using plane = await startPlane(upstream.port, {
      plugins: [snippet({ body_filter: [source] }), inPieces(bytes)],
    });
    for (let at = 1; at < bytes.length; at++) {
      assert.equal((await ask(plane, `GET /?${at} HTTP/1.1`)).text, body, `${what} at ${at}`);
    }
  }
});

/** A body in place of the upstream's, cut in two where the query says. */
function inPieces(bytes: Buffer): TestPlugin {
  return {
    name: 'pieces',
    priority: 2_000_000,
    filters: {
      bodyFilter({ request }, _, last) {
        const at = Number(request.query);
        return last ? bytes.subarray(at) : bytes.subarray(0, at);
      },
    },
  };
}
