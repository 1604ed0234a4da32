import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../test/support/fixed-seed.ts';
import * as fc from 'fast-check';
import type { Route } from '../entities/route.ts';
import { type RouterFlavor, RouteError } from './router.ts';
import { outranksStream, streamRank } from './stream-rank.ts';
import { type StreamInput, StreamRouter } from './stream-router.ts';

const FLAVORS: readonly RouterFlavor[] = ['traditional_compatible', 'expressions', 'traditional'];

function route(id: string, fields: Partial<Route>): Route {
  return {
    id,
    name: null,
    protocols: ['tcp', 'tls', 'udp'],
    methods: null,
    hosts: null,
    paths: null,
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    regex_priority: 0,
    strip_path: true,
    path_handling: 'v0',
    preserve_host: false,
    https_redirect_status_code: 426,
    request_buffering: true,
    response_buffering: true,
    service: null,
    tags: null,
    created_at: 1,
    updated_at: 1,
    ...fields,
  };
}

const end = (ip: string | null, port: number | null = null): { ip: string | null; port: number | null } => ({
  ip,
  port,
});

function routerOf(
  routes: readonly Route[],
  flavor: RouterFlavor = 'traditional_compatible',
): StreamRouter<string> {
  const edit = StreamRouter.empty<string>(flavor).edit();
  for (const one of routes) edit.put(one, one.id);
  return edit.commit();
}

const CONNECTION: StreamInput = {
  transport: 'tcp',
  sni: '',
  srcIp: '10.0.0.1',
  srcPort: 4000,
  dstIp: '192.0.2.1',
  dstPort: 9000,
};

type Case = readonly [
  name: string,
  routes: Readonly<Record<string, Partial<Route>>>,
  input: Partial<StreamInput>,
  wanted: string | null,
];

/** Kong's rules for streams, in `traditional_compatible`. */
const CASES: readonly Case[] = [
  [
    'by destination port',
    { a: { destinations: [end(null, 9000)] }, b: { destinations: [end(null, 9001)] } },
    {},
    'a',
  ],
  ['by no destination of ours', { a: { destinations: [end(null, 9001)] } }, {}, null],
  ['by source address', { a: { sources: [end('10.0.0.2')] }, b: { sources: [end('10.0.0.1')] } }, {}, 'b'],
  ['by source network', { a: { sources: [end('10.0.0.0/8')] } }, {}, 'a'],
  ['by source port', { a: { sources: [end(null, 4000)] } }, {}, 'a'],
  [
    'address and port of one source together',
    { a: { sources: [end('10.0.0.1', 1), end('10.0.0.2', 4000)] } },
    {},
    null,
  ],
  ['one of several sources', { a: { sources: [end('10.9.9.9'), end('10.0.0.1')] } }, {}, 'a'],
  [
    'an address before a port',
    { z: { sources: [end(null, 4000)] }, a: { sources: [end('10.0.0.1')] } },
    {},
    'a',
  ],
  [
    'a port before a network',
    { z: { sources: [end('10.0.0.0/8')] }, a: { sources: [end(null, 4000)] } },
    {},
    'a',
  ],
  [
    'address and port before an address',
    { z: { sources: [end('10.0.0.1')] }, a: { sources: [end('10.0.0.1', 4000)] } },
    {},
    'a',
  ],
  [
    'sources before destinations',
    { z: { destinations: [end('192.0.2.1', 9000)] }, a: { sources: [end('10.0.0.0/8')] } },
    {},
    'a',
  ],
  [
    'both before either',
    {
      z: { sources: [end('10.0.0.1', 4000)] },
      a: { sources: [end('10.0.0.0/8')], destinations: [end('192.0.2.0/24')] },
    },
    {},
    'a',
  ],
  [
    'equal ones by the larger id',
    { a: { sources: [end('10.0.0.1')] }, b: { sources: [end('10.0.0.1')] } },
    {},
    'b',
  ],
  [
    'by server name',
    { a: { snis: ['a.example'] }, b: { snis: ['b.example'] } },
    { transport: 'tls', sni: 'b.example' },
    'b',
  ],
  [
    'a server name with a dot at its end',
    { a: { snis: ['a.example.'] } },
    { transport: 'tls', sni: 'a.example' },
    'a',
  ],
  ['a wildcard in front', { a: { snis: ['*.example'] } }, { transport: 'tls', sni: 'x.y.example' }, 'a'],
  ['a wildcard at the end', { a: { snis: ['a.*'] } }, { transport: 'tls', sni: 'a.b.c' }, 'a'],
  [
    'a server name before sources',
    { z: { sources: [end('10.0.0.1', 4000)] }, a: { snis: ['a.example'] } },
    { transport: 'tls', sni: 'a.example' },
    'a',
  ],
  [
    'sources and destinations before a server name',
    { a: { sources: [end(null, 4000)], destinations: [end(null, 9000)] }, z: { snis: ['a.example'] } },
    { transport: 'tls', sni: 'a.example' },
    'a',
  ],
  [
    'a server name and a source',
    { a: { snis: ['a.example'], sources: [end('10.0.0.9')] } },
    { transport: 'tls', sni: 'a.example' },
    null,
  ],
  [
    'no server name where one is asked for',
    { a: { protocols: ['tls'], snis: ['a.example'] } },
    { transport: 'tls' },
    null,
  ],
  ['server names say nothing of tcp', { a: { snis: ['a.example'] } }, {}, 'a'],
  [
    'passed through',
    { a: { protocols: ['tls_passthrough'], snis: ['a.example'] } },
    { transport: 'tls', sni: 'a.example' },
    'a',
  ],
  [
    'of another transport',
    {
      a: { protocols: ['udp'], destinations: [end(null, 9000)] },
      b: { protocols: ['tcp'], destinations: [end(null, 9000)] },
    },
    { transport: 'udp' },
    'a',
  ],
  ['tls only is not tcp', { a: { protocols: ['tls'], destinations: [end(null, 9000)] } }, {}, null],
  ['IPv6', { a: { sources: [end('2001:db8::/32')] } }, { srcIp: '2001:db8::7' }, 'a'],
];

test('cases of Kong', () => {
  for (const [name, routes, input, wanted] of CASES) {
    const all = Object.entries(routes).map(([id, fields]) => route(id, fields));
    for (const order of [all, all.toReversed()]) {
      assert.equal(routerOf(order).match({ ...CONNECTION, ...input }), wanted, name);
    }
  }
});

test('traditional: how much is asked, then which, then the older route', () => {
  const both = { sources: [end('10.0.0.0/8')], destinations: [end('192.0.2.0/24')] };
  for (const [routes, wanted] of [
    [{ a: { ...both, created_at: 2 }, b: { snis: ['a.example'] } }, 'a'],
    [{ a: { snis: ['a.example'] }, b: { sources: [end('10.0.0.1', 4000)] } }, 'a'],
    [
      {
        a: { sources: [end('10.0.0.0/8')], created_at: 5 },
        b: { sources: [end('10.0.0.1')], created_at: 4 },
      },
      'b',
    ],
  ] as const) {
    const all = Object.entries(routes).map(([id, fields]) => route(id, fields as Partial<Route>));
    const input = { ...CONNECTION, transport: 'tls' as const, sni: 'a.example' };
    assert.equal(routerOf(all, 'traditional').match(input), wanted);
  }
  const wildcard = routerOf([route('a', { protocols: ['tls'], snis: ['*.example'] })], 'traditional');
  assert.equal(wildcard.match({ ...CONNECTION, transport: 'tls', sni: 'a.example' }), null);
});

test('expressions', () => {
  const expression = (
    id: string,
    text: string,
    priority = 0,
    protocols: Route['protocols'] = ['tcp', 'tls', 'udp'],
  ): Route => route(id, { expression: text, priority, protocols });
  const router = routerOf(
    [
      expression('port', 'net.dst.port == 9000'),
      expression('tls', 'tls.sni =^ ".example" && net.src.ip in 10.0.0.0/8', 5, ['tls']),
      expression('udp', 'net.protocol == "udp"', 9),
      route('plain', { sources: [end('10.0.0.1', 4000)], destinations: [end('192.0.2.1', 9000)] }),
    ],
    'expressions',
  );
  assert.equal(router.match(CONNECTION), 'port');
  assert.equal(router.match({ ...CONNECTION, transport: 'tls', sni: 'a.example' }), 'tls');
  assert.equal(router.match({ ...CONNECTION, transport: 'udp' }), 'udp');
  assert.equal(router.match({ ...CONNECTION, dstPort: 1 }), null);
  assert.throws(() => routerOf([expression('bad', 'http.path == "/"')], 'expressions'), RouteError);
});

test('a route that does not compile keeps its place', () => {
  const edit = StreamRouter.empty<string>('expressions').edit();
  edit.putBroken(route('broken', { expression: '(((', priority: 3, protocols: ['tcp'] }), 'broken');
  edit.put(route('other', { expression: 'net.dst.port == 9000', priority: 1 }), 'other');
  const router = edit.commit();
  assert.equal(router.match(CONNECTION), 'broken');
  assert.equal(router.match({ ...CONNECTION, transport: 'udp' }), 'other');
});

const port = fc.constantFrom(1, 2, 3);
const ends = fc.option(
  fc.array(
    fc.record({ ip: fc.constantFrom(null, '10.0.0.1', '10.0.0.2', '10.0.0.0/24'), port: fc.option(port) }),
    {
      minLength: 1,
      maxLength: 2,
    },
  ),
);
const fields = fc.record({
  protocols: fc.constantFrom<Route['protocols']>(
    ['tcp'],
    ['udp'],
    ['tls'],
    ['tls_passthrough'],
    ['tcp', 'tls'],
  ),
  snis: fc.option(fc.subarray(['a.x', 'b.x', '*.x', 'a.*'], { minLength: 1 })),
  sources: ends,
  destinations: ends,
});
const input = fc.record({
  transport: fc.constantFrom('tcp' as const, 'tls' as const, 'udp' as const),
  sni: fc.constantFrom('', 'a.x', 'b.x', 'c.x'),
  srcIp: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.9'),
  srcPort: port,
  dstIp: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.9'),
  dstPort: port,
});

test('the index finds what a look at every route in order finds, through any edits', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const step = fc.tuple(id, fc.option(fields));
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 3 }),
      fc.array(input),
      (edits, inputs) => {
        for (const flavor of FLAVORS) {
          let router = StreamRouter.empty<string>(flavor);
          const routes = new Map<string, Route>();
          for (const steps of edits) {
            const edit = router.edit();
            for (const [key, change] of steps) {
              if (change === null) edit.remove(key);
              else edit.put(route(key, change), key);
              if (change === null) routes.delete(key);
              else routes.set(key, route(key, change));
            }
            router = edit.commit();
          }
          assert.equal(router.size, routes.size);
          const ranked = [...routes.values()].sort((a, b) =>
            outranksStream({ rank: streamRank(a, flavor) }, { rank: streamRank(b, flavor) }) ? -1 : 1,
          );
          for (const one of inputs) {
            const wanted = ranked.find((each) => routerOf([each], flavor).match(one) !== null)?.id ?? null;
            assert.equal(router.match(one), wanted);
          }
        }
      },
    ),
  );
});
