/** Path tables, written by hand from Kong's rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { escapePath, normalizePath, upstreamPath } from './path.ts';
import '../../test/support/fixed-seed.ts';

const NORMALIZED: ReadonlyArray<readonly [string, string]> = [
  ['/', '/'],
  ['/a', '/a'],
  ['/a/', '/a/'],
  ['/a/b.c', '/a/b.c'],
  ['/.a', '/.a'],
  ['/a.', '/a.'],
  ['/...', '/...'],
  ['/..a/b', '/..a/b'],
  ['//', '/'],
  ['///', '/'],
  ['/a//b', '/a/b'],
  ['//a', '/a'],
  ['/a//', '/a/'],
  ['/.', '/'],
  ['/..', '/'],
  ['/./', '/'],
  ['/../', '/'],
  ['/a/.', '/a/'],
  ['/a/./', '/a/'],
  ['/a/..', '/'],
  ['/a/../', '/'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/b/../c', '/a/c'],
  ['/a/b/../../c', '/c'],
  ['/a/b/../../../c', '/c'],
  ['/../../a', '/a'],
  ['/a//../b', '/b'],
  ['/a/.//./b/', '/a/b/'],
  ['/%61', '/a'],
  ['/%41%7a', '/Az'],
  ['/%7Euser', '/~user'],
  ['/%2e/a', '/a'],
  ['/a/%2E%2e/b', '/b'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%2Fb', '/a%2Fb'],
  ['/%3f%23', '/%3F%23'],
  ['/%25', '/%25'],
  ['/%2541', '/%2541'],
  ['/%21%2a%27%28%29%3b%3a%40%26%3d%2b%24%2c%5b%5d', '/%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%5B%5D'],
  ['/a%20b', '/a b'],
  ['/%22%3c', '/"<'],
  ['/%c3%bc', '/\xc3\xbc'],
  ['/%00', '/\0'],
  ['/%0a', '/\n'],
  ['/%', '/%'],
  ['/%4', '/%4'],
  ['/%zz', '/%zz'],
  ['/%4g/..', '/'],
  ['*', '*'],
  ['', ''],
];

for (const [raw, expected] of NORMALIZED) {
  test(`normalize ${JSON.stringify(raw)}`, () => assert.equal(normalizePath(raw), expected));
}

test('a normalized path stays as it is', () => {
  const piece = fc.constantFrom('/', '.', '..', 'a', '%', '%2e', '%2F', '%41', '%20', '\xc3');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const once = normalizePath(`/${pieces.join('')}`);
      assert.match(once, /^\/(?!\/)/);
      assert.doesNotMatch(once, /\/\/|\/\.\.?(?:\/|$)/);
    }),
    { numRuns: 2000 },
  );
});

const ESCAPED: ReadonlyArray<readonly [string, string]> = [
  ['/a', '/a'],
  ["/!#$&'()*+,:;=?@[]-_.~%", "/!#$&'()*+,:;=?@[]-_.~%"],
  ['/a b', '/a%20b'],
  ['/"<>\\^`{|}', '/%22%3C%3E%5C%5E%60%7B%7C%7D'],
  ['/\xc3\xbc', '/%C3%BC'],
  ['/\0\n\x7f', '/%00%0A%7F'],
  ['/%2F', '/%2F'],
];

for (const [path, expected] of ESCAPED) {
  test(`escape ${JSON.stringify(path)}`, () => assert.equal(escapePath(path), expected));
}

/** Matched prefix, strip, requests; then for each service path what v0 and v1 make of the requests. */
interface Block {
  readonly matched: string;
  readonly strip: boolean;
  readonly requests: readonly string[];
  readonly results: ReadonlyArray<{
    readonly service: string;
    readonly v0: readonly string[];
    readonly v1: readonly string[];
  }>;
}

const BLOCKS: readonly Block[] = [
  {
    matched: '/rou',
    strip: true,
    requests: ['/rou', '/rou/', '/roureq', '/rou/req', '/rou/req/'],
    results: [
      { service: '/', v0: ['/', '/', '/req', '/req', '/req/'], v1: ['/', '/', '/req', '/req', '/req/'] },
      {
        service: '/srv',
        v0: ['/srv', '/srv/', '/srv/req', '/srv/req', '/srv/req/'],
        v1: ['/srv', '/srv/', '/srvreq', '/srv/req', '/srv/req/'],
      },
      {
        service: '/srv/',
        v0: ['/srv', '/srv/', '/srv/req', '/srv/req', '/srv/req/'],
        v1: ['/srv/', '/srv/', '/srv/req', '/srv/req', '/srv/req/'],
      },
    ],
  },
  {
    matched: '/rou',
    strip: false,
    requests: ['/rou', '/rou/', '/roureq', '/rou/req', '/rou/req/'],
    results: [
      {
        service: '/',
        v0: ['/rou', '/rou/', '/roureq', '/rou/req', '/rou/req/'],
        v1: ['/rou', '/rou/', '/roureq', '/rou/req', '/rou/req/'],
      },
      {
        service: '/srv',
        v0: ['/srv/rou', '/srv/rou/', '/srv/roureq', '/srv/rou/req', '/srv/rou/req/'],
        v1: ['/srvrou', '/srvrou/', '/srvroureq', '/srvrou/req', '/srvrou/req/'],
      },
      {
        service: '/srv/',
        v0: ['/srv/rou', '/srv/rou/', '/srv/roureq', '/srv/rou/req', '/srv/rou/req/'],
        v1: ['/srv/rou', '/srv/rou/', '/srv/roureq', '/srv/rou/req', '/srv/rou/req/'],
      },
    ],
  },
  {
    matched: '/rou/',
    strip: true,
    requests: ['/rou/', '/rou/req', '/rou/req/', '/rou/a/b'],
    results: [
      { service: '/', v0: ['/', '/req', '/req/', '/a/b'], v1: ['/', '/req', '/req/', '/a/b'] },
      {
        service: '/srv',
        v0: ['/srv/', '/srv/req', '/srv/req/', '/srv/a/b'],
        v1: ['/srv', '/srvreq', '/srvreq/', '/srva/b'],
      },
      {
        service: '/srv/',
        v0: ['/srv/', '/srv/req', '/srv/req/', '/srv/a/b'],
        v1: ['/srv/', '/srv/req', '/srv/req/', '/srv/a/b'],
      },
      {
        service: '/a/b',
        v0: ['/a/b/', '/a/b/req', '/a/b/req/', '/a/b/a/b'],
        v1: ['/a/b', '/a/breq', '/a/breq/', '/a/ba/b'],
      },
    ],
  },
  {
    matched: '/rou/',
    strip: false,
    requests: ['/rou/', '/rou/req'],
    results: [
      { service: '/', v0: ['/rou/', '/rou/req'], v1: ['/rou/', '/rou/req'] },
      { service: '/srv', v0: ['/srv/rou/', '/srv/rou/req'], v1: ['/srvrou/', '/srvrou/req'] },
      { service: '/srv/', v0: ['/srv/rou/', '/srv/rou/req'], v1: ['/srv/rou/', '/srv/rou/req'] },
    ],
  },
  {
    matched: '/',
    strip: true,
    requests: ['/', '/req', '/req/', '/a/b'],
    results: [
      { service: '/', v0: ['/', '/req', '/req/', '/a/b'], v1: ['/', '/req', '/req/', '/a/b'] },
      {
        service: '/srv',
        v0: ['/srv', '/srv/req', '/srv/req/', '/srv/a/b'],
        v1: ['/srv', '/srvreq', '/srvreq/', '/srva/b'],
      },
      {
        service: '/srv/',
        v0: ['/srv/', '/srv/req', '/srv/req/', '/srv/a/b'],
        v1: ['/srv/', '/srv/req', '/srv/req/', '/srv/a/b'],
      },
    ],
  },
  {
    matched: '/',
    strip: false,
    requests: ['/', '/req', '/req/'],
    results: [
      { service: '/', v0: ['/', '/req', '/req/'], v1: ['/', '/req', '/req/'] },
      { service: '/srv', v0: ['/srv', '/srv/req', '/srv/req/'], v1: ['/srv', '/srvreq', '/srvreq/'] },
      { service: '/srv/', v0: ['/srv/', '/srv/req', '/srv/req/'], v1: ['/srv/', '/srv/req', '/srv/req/'] },
    ],
  },
  // A route without paths: nothing to strip.
  ...[true, false].map((strip) => ({
    matched: '',
    strip,
    requests: ['/', '/route', '/route/', '/a/b'],
    results: [
      { service: '/', v0: ['/', '/route', '/route/', '/a/b'], v1: ['/', '/route', '/route/', '/a/b'] },
      {
        service: '/service',
        v0: ['/service', '/service/route', '/service/route/', '/service/a/b'],
        v1: ['/service', '/serviceroute', '/serviceroute/', '/servicea/b'],
      },
      {
        service: '/service/',
        v0: ['/service/', '/service/route', '/service/route/', '/service/a/b'],
        v1: ['/service/', '/service/route', '/service/route/', '/service/a/b'],
      },
    ],
  })),
  // Dot segments that stripping lays bare.
  {
    matched: '/route',
    strip: true,
    requests: ['/route./req', '/route../req', '/route.', '/route..', '/route...', '/route.x', '/route/.x'],
    results: [
      {
        service: '/service',
        v0: [
          '/service/req',
          '/service/req',
          '/service',
          '/service',
          '/service/...',
          '/service/.x',
          '/service/.x',
        ],
        v1: [
          '/servicereq',
          '/servicereq',
          '/service',
          '/service',
          '/service...',
          '/service.x',
          '/service/.x',
        ],
      },
      {
        service: '/service/',
        v0: [
          '/service/req',
          '/service/req',
          '/service',
          '/service',
          '/service/...',
          '/service/.x',
          '/service/.x',
        ],
        v1: [
          '/service/req',
          '/service/req',
          '/service/',
          '/service/',
          '/service/...',
          '/service/.x',
          '/service/.x',
        ],
      },
      {
        service: '/',
        v0: ['/req', '/req', '/', '/', '/...', '/.x', '/.x'],
        v1: ['/req', '/req', '/', '/', '/...', '/.x', '/.x'],
      },
    ],
  },
  // Encoded again on the way out.
  {
    matched: '/r',
    strip: true,
    requests: ['/r/a b', '/r/\xc3\xbc', '/r/%2F', '/r/"'],
    results: [
      { service: '/', v0: ['/a%20b', '/%C3%BC', '/%2F', '/%22'], v1: ['/a%20b', '/%C3%BC', '/%2F', '/%22'] },
      {
        service: '/s',
        v0: ['/s/a%20b', '/s/%C3%BC', '/s/%2F', '/s/%22'],
        v1: ['/s/a%20b', '/s/%C3%BC', '/s/%2F', '/s/%22'],
      },
    ],
  },
];

let rows = 0;
for (const { matched, strip, requests, results } of BLOCKS) {
  for (const { service, v0, v1 } of results) {
    for (const [i, requestPath] of requests.entries()) {
      const name = `service ${service}, route ${matched || 'none'}, ${strip ? 'strip' : 'keep'}, ${JSON.stringify(requestPath)}`;
      rows += 2;
      test(`${name}, v0`, () =>
        assert.equal(upstreamPath(service, requestPath, matched, strip, 'v0'), v0[i]));
      test(`${name}, v1`, () =>
        assert.equal(upstreamPath(service, requestPath, matched, strip, 'v1'), v1[i]));
    }
  }
}

test('the table has more than 200 rows', () => assert.ok(rows > 200, String(rows)));
