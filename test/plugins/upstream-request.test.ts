/** What plugins may say of the request to the upstream, and what of the client's request they read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

type Access = (exchange: Exchange) => void;

async function echoOf(access: Access, target = '/a/b?c=d', options: PlaneOptions = {}): Promise<Echo> {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    plugins: [{ name: 'p', priority: 1, filters: { access } }],
    ...options,
  });
  const { responses } = await rawRequest(
    plane.port,
    `GET ${target} HTTP/1.1\r\nHost: client.test:81\r\nX-One: 1\r\nX-Two: 2\r\nX-Two: 3\r\n\r\n`,
  );
  assert.equal(responses[0]?.status, 200);
  return responses[0].json() as Echo;
}

const CHANGES: ReadonlyArray<
  readonly [what: string, access: Access, check: (echo: Echo) => unknown, wanted: unknown]
> = [
  ['nothing', () => {}, ({ method, url }) => [method, url], ['GET', '/a/b?c=d']],
  [
    'method',
    ({ upstreamRequest }) => void (upstreamRequest.method = 'PATCH'),
    ({ method }) => method,
    'PATCH',
  ],
  ['path', ({ upstreamRequest }) => void (upstreamRequest.path = '/x%20y'), ({ url }) => url, '/x%20y?c=d'],
  ['query', ({ upstreamRequest }) => void (upstreamRequest.query = 'e=f'), ({ url }) => url, '/a/b?e=f'],
  ['no query', ({ upstreamRequest }) => void (upstreamRequest.query = ''), ({ url }) => url, '/a/b'],
  [
    'host',
    ({ upstreamRequest }) => void (upstreamRequest.host = 'up.test:8'),
    ({ headers }) => headers['host'],
    'up.test:8',
  ],
  [
    'host as a header',
    ({ upstreamRequest }) => upstreamRequest.headers.set('HOST', 'up.test'),
    ({ rawHeaders }) => rawHeaders.filter((text, at) => at % 2 === 0 && /^host$/i.test(text)).length,
    1,
  ],
  [
    'headers',
    ({ upstreamRequest: { headers } }) => {
      headers.set('X-New', ['a', 'b']);
      headers.add('x-one', '11');
      headers.remove('X-TWO');
    },
    ({ headers }) => [headers['x-new'], headers['x-one'], headers['x-two']],
    [['a', 'b'], ['1', '11'], undefined],
  ],
  [
    'framing is the gateway’s',
    ({ upstreamRequest: { headers } }) => {
      headers.set('Content-Length', '5');
      headers.add('Transfer-Encoding', 'chunked');
    },
    ({ headers }) => [headers['content-length'], headers['transfer-encoding']],
    [undefined, undefined],
  ],
];

describe('a plugin changes', () => {
  for (const [what, access, check, wanted] of CHANGES) {
    test(what, async () => {
      assert.deepEqual(check(await echoOf(access)), wanted);
    });
  }

  test('the target, whose Host goes with it', async () => {
    await using other = await startEcho({ name: 'other' });
    const echo = await echoOf(({ upstreamRequest }) => upstreamRequest.setTarget('127.0.0.1', other.port));
    assert.deepEqual([echo.name, echo.headers['host']], ['other', `127.0.0.1:${other.port}`]);
  });
});

const REFUSED: ReadonlyArray<readonly [what: string, access: Access]> = [
  ...['', 'GET /', 'a b', 'GET\r\n'].map(
    (value) =>
      [`method ${JSON.stringify(value)}`, (e: Exchange) => void (e.upstreamRequest.method = value)] as const,
  ),
  ...['', 'a', '/a b', '/a?b', '/a#b', '/a\r\nX: y', '/\u0100'].map(
    (value) =>
      [`path ${JSON.stringify(value)}`, (e: Exchange) => void (e.upstreamRequest.path = value)] as const,
  ),
  ...['a b', 'a#b', 'a\n', '\u20ac'].map(
    (value) =>
      [`query ${JSON.stringify(value)}`, (e: Exchange) => void (e.upstreamRequest.query = value)] as const,
  ),
  ...['', 'a b', 'a/b', 'a@b', 'a\r\nX: y'].map(
    (value) =>
      [`host ${JSON.stringify(value)}`, (e: Exchange) => void (e.upstreamRequest.host = value)] as const,
  ),
  ...[0, 65_536, 1.5, Number.NaN].map(
    (value) => [`port ${value}`, (e: Exchange) => e.upstreamRequest.setTarget('a', value)] as const,
  ),
  ...['', 'a b', 'a:80', 'http://a', '[::1'].map(
    (value) => [`target ${value}`, (e: Exchange) => e.upstreamRequest.setTarget(value, 80)] as const,
  ),
  ['a scheme that is none', (e) => e.upstreamRequest.setScheme('ftp' as never)],
  ...[0, -1, 0.5, 2 ** 31].map(
    (value) =>
      [`time-out ${value}`, (e: Exchange) => e.upstreamRequest.setTimeouts({ read: value })] as const,
  ),
  ...[-1, 0.5, 40_000].map(
    (value) => [`retries ${value}`, (e: Exchange) => e.upstreamRequest.setRetries(value)] as const,
  ),
  ['a body that is none', (e) => e.upstreamRequest.setBody(7 as never)],
  ...['Connection', 'upgrade', 'TE', 'Keep-Alive', 'Expect', 'Trailer'].map(
    (name) => [`header ${name}`, (e: Exchange) => e.upstreamRequest.headers.set(name, 'x')] as const,
  ),
];

test('what cannot be sent throws, and nothing of it is sent', async () => {
  const thrown: string[] = [];
  const { method, url, headers } = await echoOf((exchange) => {
    for (const [what, access] of REFUSED) {
      try {
        access(exchange);
      } catch {
        thrown.push(what);
      }
    }
  });
  assert.deepEqual(
    thrown,
    REFUSED.map(([what]) => what),
  );
  assert.deepEqual([method, url, headers['connection']], ['GET', '/a/b?c=d', 'keep-alive']);
});

test('a change whose time is over throws', async () => {
  const late: Array<(exchange: Exchange) => void> = [
    ({ upstreamRequest }) => void (upstreamRequest.method = 'PUT'),
    ({ upstreamRequest }) => upstreamRequest.headers.set('A', 'b'),
    ({ upstreamRequest }) => upstreamRequest.headers.remove('A'),
    ({ upstreamRequest }) => upstreamRequest.setBody('x'),
    ({ upstreamRequest }) => upstreamRequest.setTarget('a', 1),
  ];
  let thrown = 0;
  const count = (exchange: Exchange, calls: ReadonlyArray<(exchange: Exchange) => void>): void => {
    for (const call of calls) {
      try {
        call(exchange);
      } catch {
        thrown++;
      }
    }
  };
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    plugins: [
      {
        name: 'p',
        priority: 1,
        filters: {
          headerFilter: (exchange) => count(exchange, late),
          bodyFilter: (exchange, _, last) =>
            last
              ? count(exchange, [
                  ({ response }) => void (response.status = 201),
                  ({ response }) => response.headers.set('A', 'b'),
                ])
              : undefined,
        },
      },
    ],
  });
  const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.deepEqual([responses[0]?.status, thrown], [200, late.length + 2]);
});

test('arguments, cookies and what a trusted proxy says, from hostile heads', async () => {
  const seen: unknown[] = [];
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    settings: { trusted_ips: '127.0.0.1' },
    plugins: [
      {
        name: 'p',
        priority: 1,
        filters: {
          access({ request }) {
            seen.push(
              [...request.args],
              request.cookies.get('a'),
              request.forwarded,
              request.headers.get('host'),
            );
          },
        },
      },
    ],
  });
  await rawRequest(
    plane.port,
    'GET /?a=%zz&__proto__=1&b=%e2%82%ac&c=%ff&a=2&&=x&d HTTP/1.1\r\nHost: A.test:81\r\nCookie: a="1"; a=2; =3; b\r\n' +
      'X-Forwarded-Port: x\r\nX-Forwarded-Proto: HTTPS\r\n\r\n',
  );
  assert.deepEqual(seen, [
    [
      ['a', ['%zz', '2']],
      ['__proto__', ['1']],
      ['b', ['€']],
      ['c', ['\u00ff']],
      ['', ['x']],
      ['d', ['']],
    ],
    '"1"',
    { scheme: 'https', host: 'a.test', port: plane.port, path: '/', prefix: null },
    'A.test:81',
  ]);
});
