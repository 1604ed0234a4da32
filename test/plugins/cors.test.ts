/** cors through sockets. Facts: Kong's plugin and its tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { refuse } from '../../src/plugins/kit/reply.ts';
import { ask, type Answer, startMirror } from './support.ts';

const DEFAULT_METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT';

/** Origins that the tables ask with, in the order of their answers. */
const ORIGINS = [
  'http://evil.test',
  'http://foo.test',
  'http://foo.test.evil.test',
  'http://something.foo.test',
  'http://evilfoo.test',
  'http://foo.test:80',
  'http://foo.test:8000',
  'https://foo.test:8000',
  'http://foo.test:90',
  'http://foobtest',
  'https://bar.test:1234',
] as const;

const FOO = 'http://foo.test';
const no = null;
/** The origin itself. */
const yes = true;

/** Configured origins, and what each of ORIGINS gets. */
const MATCHES: ReadonlyArray<
  readonly [origins: readonly string[], answers: ReadonlyArray<string | true | null>]
> = [
  [['foo.test'], ORIGINS.map(() => 'foo.test')],
  [['https://bar.test:1234'], ORIGINS.map(() => 'https://bar.test:1234')],
  [['foo\\.test'], [no, yes, no, no, no, FOO, yes, yes, yes, no, no]],
  [['(.*[./])?foo\\.test'], [no, yes, no, yes, no, FOO, yes, yes, yes, no, no]],
  [['(.*[./])?foo\\.test:8000'], [no, no, no, no, no, no, yes, yes, no, no, no]],
  [['https://(.*[.])?foo\\.test:8000'], [no, no, no, no, no, no, no, yes, no, no, no]],
  [['^http://(.*[.])?foo\\.test(:(80|90))?$'], [no, yes, no, yes, no, FOO, no, no, yes, no, no]],
  [['foo.test', 'bar.test'], ORIGINS.map(() => no)],
  [
    ['http://foo.test', 'https://bar.test:1234'],
    [no, yes, no, no, no, FOO, no, no, no, no, yes],
  ],
  [
    ['bar.test', 'foo\\.test'],
    [no, yes, no, no, no, FOO, yes, yes, yes, no, no],
  ],
  [
    ['bar.test', '(.*\\.)?foo\\.test'],
    [no, yes, no, yes, no, FOO, yes, yes, yes, no, no],
  ],
  [
    ['bar.test', '(.*[./])?foo\\.test:8000'],
    [no, no, no, no, no, no, yes, yes, no, no, no],
  ],
  [
    ['bar.test', 'https://(.*\\.)?foo\\.test:8000'],
    [no, no, no, no, no, no, no, yes, no, no, no],
  ],
  // Each alternative is anchored, which Kong's are not.
  [['foo\\.test|bar\\.test'], [no, yes, no, no, no, FOO, yes, yes, yes, no, yes]],
];

function preflight(port: number, origin: string, ...headers: readonly string[]): Promise<Answer> {
  const lines = [`Origin: ${origin}`, 'Access-Control-Request-Method: GET', ...headers];
  return ask(port, { method: 'OPTIONS', headers: lines });
}

test('which origins may: preflights and other requests', async () => {
  await using upstream = await startMirror({ 'access-control-allow-origin': 'upstream' });
  for (const [origins, answers] of MATCHES) {
    await using plane = await startPlane(upstream.port, { plugins: [{ name: 'cors', config: { origins } }] });
    for (const [at, origin] of ORIGINS.entries()) {
      const expected = answers[at] === true ? origin : answers[at];
      const what = `${origins.join(' ')} asked by ${origin}`;
      const answer = await preflight(plane.port, origin);
      assert.equal(answer.status, 200, what);
      assert.equal(answer.header('content-length'), '0', what);
      assert.equal(answer.header('access-control-allow-origin'), expected, what);
      assert.equal(answer.header('access-control-allow-methods'), DEFAULT_METHODS, what);
      assert.equal(answer.header('vary'), 'Origin', what);
      for (const name of ['allow-headers', 'expose-headers', 'allow-credentials', 'max-age']) {
        assert.equal(answer.header(`access-control-${name}`), null, what);
      }
      const other = await ask(plane.port, { headers: [`Origin: ${origin}`] });
      assert.deepEqual(
        other.response.all('access-control-allow-origin'),
        expected === null ? [] : [expected],
        what,
      );
    }
  }
});

const OPTIONS = {
  origins: ['example.test'],
  methods: ['GET'],
  headers: ['origin', 'type', 'accepts'],
  exposed_headers: ['x-auth-token'],
  max_age: 23,
};

/** Headers in order: origin, methods, headers, exposed, credentials, age, private network, vary. */
const NAMES = [
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-allow-private-network',
  'vary',
];
type Shown = ReadonlyArray<string | null>;

const PREFLIGHTS: ReadonlyArray<
  readonly [what: string, config: object, origin: string, headers: readonly string[], shown: Shown]
> = [
  ['defaults', {}, 'origin1.test', [], ['*', DEFAULT_METHODS, no, no, no, no, no, no]],
  ['no origins', { origins: [] }, 'o.test', [], ['*', DEFAULT_METHODS, no, no, no, no, no, no]],
  [
    'all, with credentials',
    { origins: ['*'], credentials: true },
    'o.test',
    [],
    ['o.test', DEFAULT_METHODS, no, no, 'true', no, no, 'Origin'],
  ],
  [
    'all among others',
    { origins: ['foo.bar', '*'] },
    'http://www.example.net',
    [],
    ['*', DEFAULT_METHODS, no, no, no, no, no, 'Origin'],
  ],
  [
    'all that there is',
    { ...OPTIONS, credentials: true },
    'o.test',
    [],
    ['example.test', 'GET', 'origin,type,accepts', no, 'true', '23', no, 'Origin'],
  ],
  [
    'asked headers',
    { origins: ['*'] },
    'o.test',
    ['Access-Control-Request-Headers: origin,accepts'],
    ['*', DEFAULT_METHODS, 'origin,accepts', no, no, no, no, no],
  ],
  [
    'asked headers that are not on the list',
    OPTIONS,
    'o.test',
    ['Access-Control-Request-Headers: x'],
    ['example.test', 'GET', 'origin,type,accepts', no, no, '23', no, 'Origin'],
  ],
  [
    'a private network',
    { private_network: true },
    'o.test',
    ['Access-Control-Request-Private-Network: true'],
    ['*', DEFAULT_METHODS, no, no, no, no, 'true', no],
  ],
  [
    'a private network that may not',
    {},
    'o.test',
    ['Access-Control-Request-Private-Network: true'],
    ['*', DEFAULT_METHODS, no, no, no, no, no, no],
  ],
  [
    'an origin of nothing',
    { origins: ['http://a.test', 'null'] },
    'null',
    [],
    ['null', DEFAULT_METHODS, no, no, no, no, no, 'Origin'],
  ],
  [
    'an address of IPv6',
    { origins: ['http://\\[::1\\]'], methods: null },
    'http://[::1]:80',
    [],
    ['http://[::1]', DEFAULT_METHODS, no, no, no, no, no, 'Origin'],
  ],
];

test('preflights', async () => {
  await using upstream = await startMirror();
  for (const [what, config, origin, headers, shown] of PREFLIGHTS) {
    await using plane = await startPlane(upstream.port, { plugins: [{ name: 'cors', config }] });
    const answer = await preflight(plane.port, origin, ...headers);
    assert.equal(answer.status, 200, what);
    assert.deepEqual(
      NAMES.map((name) => answer.header(name)),
      shown,
      what,
    );
    assert.equal(upstream.requests, 0, what);
  }
});

const OTHERS: ReadonlyArray<readonly [what: string, config: object, origin: string | null, shown: Shown]> = [
  ['defaults', {}, null, ['*', no, no, no, no, no, no, no]],
  [
    'all that there is',
    { ...OPTIONS, credentials: true },
    null,
    ['example.test', no, no, 'x-auth-token', 'true', no, no, 'Origin'],
  ],
  [
    'several, and none asks',
    { origins: ['http://a.test', 'http://b.test'] },
    null,
    [no, no, no, no, no, no, no, 'Origin'],
  ],
  [
    'all, with credentials',
    { credentials: true },
    'http://a.test:3000',
    ['http://a.test:3000', no, no, no, 'true', no, no, 'Origin'],
  ],
  ['all, with credentials, and none asks', { credentials: true }, null, ['*', no, no, no, no, no, no, no]],
  [
    'credentials for others',
    { origins: ['a.test', 'b.test'], credentials: true },
    'c.test',
    [no, no, no, no, 'true', no, no, 'Origin'],
  ],
  [
    'plain hosts are no URLs',
    { origins: ['example.test', 'example.org'] },
    'http://example.test',
    [no, no, no, no, no, no, no, 'Origin'],
  ],
  [
    'plain hosts',
    { origins: ['example.test', 'example.org'] },
    'example.test',
    ['example.test', no, no, no, no, no, no, 'Origin'],
  ],
  ['an empty origin', { origins: ['*'], credentials: true }, '', ['*', no, no, no, no, no, no, no]],
  [
    'no origin, not allowed',
    { allow_origin_absent: false, exposed_headers: ['x'] },
    null,
    [no, no, no, no, no, no, no, no],
  ],
  ['an empty origin, not allowed', { allow_origin_absent: false }, '', [no, no, no, no, no, no, no, no]],
  [
    'an origin, absent ones not allowed',
    { allow_origin_absent: false },
    'a.test',
    ['*', no, no, no, no, no, no, no],
  ],
];

test('other requests', async () => {
  await using upstream = await startMirror();
  for (const [what, config, origin, shown] of OTHERS) {
    await using plane = await startPlane(upstream.port, { plugins: [{ name: 'cors', config }] });
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await ask(plane.port, { method, headers: origin === null ? [] : [`Origin: ${origin}`] });
      assert.equal(answer.got.method, method, what);
      assert.deepEqual(
        NAMES.map((name) => answer.header(name)),
        shown,
        what,
      );
    }
  }
});

test('the upstream answers preflights with preflight_continue, and no header is added', async () => {
  await using upstream = await startMirror({ 'access-control-allow-origin': 'mine', vary: 'Accept' });
  const plugin = { name: 'cors', config: { ...OPTIONS, preflight_continue: true } };
  await using plane = await startPlane(upstream.port, { plugins: [plugin] });
  const answer = await preflight(plane.port, 'http://a.test');
  assert.equal(answer.got.method, 'OPTIONS');
  assert.deepEqual(answer.response.all('access-control-allow-origin'), ['mine']);
  assert.deepEqual(answer.response.all('vary'), ['Accept']);
  assert.equal(answer.header('access-control-allow-methods'), null);
  const other = await ask(plane.port);
  assert.deepEqual(other.response.all('vary'), ['Accept', 'Origin']);
  assert.deepEqual(other.response.all('access-control-allow-origin'), ['example.test']);
});

test('errors and refusals have the headers, too', async () => {
  const plugins = [{ name: 'cors', config: OPTIONS }];
  // Nobody listens on port 1.
  await using down = await startPlane(1, { plugins });
  const failed = await ask(down.port);
  assert.equal(failed.status, 502);
  assert.equal(failed.header('access-control-allow-origin'), 'example.test');
  assert.equal(failed.header('access-control-expose-headers'), 'x-auth-token');
  assert.equal(failed.header('vary'), 'Origin');
  const other = { name: 'refuses', priority: 1, filters: { access: () => refuse(401) } };
  await using plane = await startPlane(1, { plugins: [...plugins, other] });
  const refused = await ask(plane.port);
  assert.equal(refused.status, 401);
  assert.equal(refused.header('access-control-allow-origin'), 'example.test');
});
