/** The router against the naive reference, over random routes, requests and edits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Route } from '../entities/route.ts';
import { Router, type RouterFlavor, type RouterInput } from './router.ts';
import { request, route, uuid } from './testing/fixtures.ts';
import { referenceMatch } from './testing/reference.ts';
import '../../test/support/fixed-seed.ts';

const PLAIN = ['/', '/a', '/ab', '/a/', '/a/b', '/a/b/c', '/b', '/repos', '/repos/x', '/abc'];
const REGEX = [
  '~/a/[^/]+$',
  '~/a/[^/]+',
  '~/a/[^/]*/c',
  '~/a/(?<x>[^/]+)/c$',
  '~/[^/]+/b',
  '~/[^/]+/[^/]+$',
  '~/a/\\d+',
  '~/a/\\d+$',
  '~/a/\\d{2,3}/c',
  '~/a/b?',
  '~/a(?:/b)?/c',
  '~/a.*c$',
  '~/a/(b|c)/?$',
  '~/.*b$',
  '~/a|/b',
  '~/a/[^/]+\\.json$',
  '~/a/[a-z]+-(\\d+)/x',
  '~/(a|ab)(c|bcd)?$',
  '~/a/[b-d]/[^/]{1,2}$',
  '~/repos/(?<o>[^/]+)/(?<r>[^/]+)/issues$',
  '~/(?i)A/B',
  '~/a/[^/]+?/c',
];
const HOSTS = [
  'a.com',
  'b.com',
  '*.a.com',
  '*.com',
  'a.*',
  'api.*',
  'a.com:80',
  '*.a.com:8080',
  'api.*:80',
  'x.a.com',
];
const REQUEST_HOSTS = [
  'a.com',
  'b.com',
  'x.a.com',
  'y.x.a.com',
  '.a.com',
  'api.org',
  'a.',
  'api.',
  'A.com',
  '',
  'com',
];
const HEADERS: Array<Readonly<Record<string, readonly string[]>>> = [
  { 'x-a': ['1'] },
  { 'X-A': ['1', '2'] },
  { 'x-b': ['Foo'] },
  { 'x-a': ['3'], 'x-b': ['foo', 'bar'] },
  { 'x-a': ['~*[23]'] },
  { 'x-b': ['~*^fo', 'zzz'] },
];
const SEGMENTS = [
  'a',
  'b',
  'c',
  'ab',
  'abc',
  'repos',
  'x',
  '1',
  '12',
  '123',
  '1234',
  'f.json',
  'q-7',
  '',
  'issues',
  'bcd',
];

const maybe = <V>(arb: fc.Arbitrary<V>): fc.Arbitrary<V | null> => fc.option(arb, { nil: null, freq: 2 });
const some = (values: readonly string[]): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });

// With regexes of the common subset of both engines: (?i) is only JavaScript's as a modifier.
const paths = some([...PLAIN, ...REGEX.filter((path) => !path.includes('(?i)'))]);

const fieldsArb = fc.record({
  n: fc.integer({ min: 1, max: 60 }),
  methods: maybe(some(['GET', 'POST', 'FETCH'])),
  hosts: maybe(some(HOSTS)),
  headers: maybe(fc.constantFrom(...HEADERS)),
  snis: fc.option(some(['s.com', 't.com']), { nil: null, freq: 6 }),
  paths: fc.option(paths, { nil: null, freq: 8 }),
  regex_priority: fc.constantFrom(0, 0, 1, 5, -3, 2_147_483_648),
  created_at: fc.integer({ min: 1, max: 3 }),
});

const routesArb = fc.array(fieldsArb, { maxLength: 40 }).map((list) => {
  const byId = new Map<number, Route>();
  for (const { n, ...fields } of list) byId.set(n, route({ id: uuid(n), ...fields }));
  return Array.from(byId.values());
});

const requestArb = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'FETCH', 'PUT'),
    scheme: fc.constantFrom<'http' | 'https'>('http', 'https'),
    host: fc.constantFrom(...REQUEST_HOSTS),
    port: fc.constantFrom(80, 8080),
    sni: fc.constantFrom('', 's.com', 't.com'),
    segments: fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 4 }),
    headers: fc.record(
      {
        'x-a': fc.array(fc.constantFrom('1', '2', '3'), { minLength: 1, maxLength: 2 }),
        'x-b': fc.array(fc.constantFrom('foo', 'BAR', 'Fox'), { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ segments, headers, ...fields }): RouterInput => {
    const given: Record<string, readonly string[]> = { ...headers };
    return request({ ...fields, path: `/${segments.join('/')}`, headers: given });
  });

function build(routes: readonly Route[], flavor: RouterFlavor): Router<string> {
  const edit = Router.empty<string>(flavor).edit();
  for (const each of routes) edit.put(each, `value of ${each.id}`);
  return edit.commit();
}

function check(router: Router<string>, routes: readonly Route[], input: RouterInput): void {
  const match = router.match(input);
  const expected = referenceMatch(routes, router.flavor, input);
  const found = match === null ? null : { routeId: match.routeId, matchedPrefix: match.matchedPrefix };
  assert.deepEqual(found, expected, JSON.stringify({ input, routes }));
  if (match !== null) assert.equal(match.value, `value of ${match.routeId}`);
}

for (const flavor of ['traditional_compatible', 'traditional'] as const) {
  test(`${flavor}: same answer as the reference`, () => {
    fc.assert(
      fc.property(routesArb, fc.array(requestArb, { minLength: 1, maxLength: 20 }), (routes, inputs) => {
        const router = build(routes, flavor);
        assert.equal(router.size, routes.length);
        for (const input of inputs) check(router, routes, input);
      }),
      { numRuns: 1500 },
    );
  });

  test(`${flavor}: many routes on one path that differ by method and header`, () => {
    const crowded = routesArb.map((routes) =>
      routes.map((each) => ({ ...each, paths: ['/a'], hosts: null })),
    );
    fc.assert(
      fc.property(crowded, fc.array(requestArb, { minLength: 1, maxLength: 20 }), (routes, inputs) => {
        const router = build(routes, flavor);
        for (const input of inputs) check(router, routes, { ...input, path: '/a/b' });
      }),
      { numRuns: 300 },
    );
  });

  test(`${flavor}: hosts that are too many for the index`, () => {
    const filler = Array.from({ length: 1025 }, (_, i) => `filler${i}.com`);
    const wide = routesArb.map((routes) =>
      routes.map((each) => (each.hosts === null ? each : { ...each, hosts: [...each.hosts, ...filler] })),
    );
    fc.assert(
      fc.property(wide, fc.array(requestArb, { minLength: 1, maxLength: 20 }), (routes, inputs) => {
        const router = build(routes, flavor);
        for (const input of inputs) check(router, routes, input);
      }),
      { numRuns: 100 },
    );
  });

  test(`${flavor}: edits give what a rebuild gives, and leave the router that they began with as it was`, () => {
    const opsArb = fc.array(fc.record({ remove: fc.boolean(), fields: fieldsArb }), {
      minLength: 1,
      maxLength: 25,
    });
    fc.assert(
      fc.property(
        routesArb,
        fc.array(opsArb, { maxLength: 4 }),
        fc.array(requestArb, { maxLength: 12 }),
        (routes, batches, inputs) => {
          let router = build(routes, flavor);
          let current = new Map(routes.map((each) => [each.id, each]));
          const history: Array<{ router: Router<string>; routes: readonly Route[] }> = [{ router, routes }];
          for (const batch of batches) {
            current = new Map(current);
            const edit = router.edit();
            for (const { remove, fields } of batch) {
              const { n, ...rest } = fields;
              const id = uuid(n);
              if (remove) {
                edit.remove(id);
                current.delete(id);
              } else {
                edit.put(route({ id, ...rest }), `value of ${id}`);
                current.set(id, route({ id, ...rest }));
              }
            }
            router = edit.commit();
            history.push({ router, routes: [...current.values()] });
          }
          for (const version of history) {
            assert.equal(version.router.size, version.routes.length);
            for (const input of inputs) check(version.router, version.routes, input);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
}
