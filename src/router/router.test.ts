/** Single facts of the router that a table says best; the whole is compared in `router.property.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Route } from '../entities/route.ts';
import { compileExpression } from './expressions/evaluate.ts';
import { parseExpression } from './expressions/parser.ts';
import { compatRank, expressionRank, virtualId } from './rank.ts';
import { CompiledRegex } from './regex.ts';
import { RouteError, Router, type RouterFlavor } from './router.ts';
import { request, type RequestFields, route, uuid } from './testing/fixtures.ts';
import '../../test/support/fixed-seed.ts';

function build(
  routes: ReadonlyArray<Partial<Route>>,
  flavor: RouterFlavor = 'traditional_compatible',
): Router<string> {
  const edit = Router.empty<string>(flavor).edit();
  for (const [i, fields] of routes.entries()) {
    const each = route({ id: uuid(i), ...fields });
    edit.put(each, each.name ?? each.id);
  }
  return edit.commit();
}

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

/** Routes by name, a request, and the name of the route that answers it. */
const WINNERS: ReadonlyArray<readonly [string, ReadonlyArray<Partial<Route>>, RequestFields, string | null]> =
  [
    ['no route', [], {}, null],
    ['a prefix is of bytes, not of segments', [{ name: 'foo', paths: ['/foo'] }], { path: '/foobar' }, 'foo'],
    [
      'a longer prefix first',
      [
        { name: 'ab', paths: ['/a/b'] },
        { name: 'a', paths: ['/a'] },
      ],
      { path: '/a/b/c' },
      'ab',
    ],
    [
      'a regex before a prefix',
      [
        { name: 'p', paths: ['/a/b/c'] },
        { name: 'r', paths: ['~/a'] },
      ],
      { path: '/a/b/c' },
      'r',
    ],
    [
      'more attributes before a regex',
      [
        { name: 'm', paths: ['/a'], methods: ['GET'] },
        { name: 'r', paths: ['~/a'] },
      ],
      { path: '/a' },
      'm',
    ],
    [
      'plain hosts before wildcards, whatever the path',
      [
        { name: 'plain', hosts: ['a.com'], paths: ['/'] },
        { name: 'wild', hosts: ['*.com'], paths: ['/long/path'] },
      ],
      { host: 'a.com', path: '/long/path' },
      'plain',
    ],
    [
      'regex_priority between regexes',
      [
        { name: 'five', paths: ['~/a'], regex_priority: 5 },
        { name: 'none', paths: ['~/a/b'] },
      ],
      { path: '/a/b' },
      'five',
    ],
    [
      'ties go to the larger id',
      [
        { name: 'small', paths: ['/a'] },
        { name: 'large', paths: ['/b', '/a'] },
      ],
      { path: '/a' },
      'large',
    ],
    [
      'ties of split routes go to the larger virtual id, made of the position of the length among the paths',
      [
        { name: 'one', id: uuid(1), paths: ['/a', '/bb'] },
        { name: 'two', id: uuid(2), paths: ['/a', '/c', '/dd'] },
      ],
      { path: '/a' },
      'two',
    ],
    [
      'the position counts all lengths before it, and the regexes as one',
      [
        { name: 'one', id: uuid(1), paths: ['~/x', '/a', '~/y'] },
        { name: 'two', id: uuid(2), paths: ['/bb', '/a'] },
      ],
      { path: '/a' },
      'one',
    ],
    ['hosts compare case by case', [{ name: 'x', hosts: ['a.com'] }], { host: 'A.com' }, null],
    ['a port in the host', [{ name: 'x', hosts: ['a.com:80'] }], { host: 'a.com', port: 81 }, null],
    ['server names do not concern plain http', [{ name: 'x', snis: ['s.com'] }], { scheme: 'http' }, 'x'],
    ['server names concern https', [{ name: 'x', snis: ['s.com'] }], { scheme: 'https', sni: 't.com' }, null],
    [
      'server name with a dot at the end',
      [{ name: 'x', snis: ['s.com.'] }],
      { scheme: 'https', sni: 's.com' },
      'x',
    ],
    [
      'server name with a wildcard',
      [{ name: 'x', snis: ['*.s.com'] }],
      { scheme: 'https', sni: 'a.s.com' },
      'x',
    ],
    [
      'the protocol is no part of the match',
      [{ name: 'x', protocols: ['https'], paths: ['/'] }],
      { scheme: 'http' },
      'x',
    ],
    [
      'source network',
      [{ name: 'x', sources: [{ ip: '10.0.0.0/8', port: null }] }],
      { srcIp: '10.1.1.1' },
      'x',
    ],
    [
      'source port',
      [{ name: 'x', sources: [{ ip: '10.0.0.0/8', port: 5 }] }],
      { srcIp: '10.1.1.1', srcPort: 6 },
      null,
    ],
    ['destination', [{ name: 'x', destinations: [{ ip: null, port: 99 }] }], { dstPort: 99 }, 'x'],
    ['a custom method', [{ name: 'x', methods: ['PURGE'] }], { method: 'PURGE' }, 'x'],
    ['not another custom method', [{ name: 'x', methods: ['PURGE'] }], { method: 'FETCH' }, null],
    ['text above ASCII in a plain path', [{ name: 'x', paths: ['/ü'] }], { path: bytes('/öber') }, null],
    ['text above ASCII in a plain path, found', [{ name: 'x', paths: ['/ü'] }], { path: bytes('/ü/a') }, 'x'],
    [
      'a segment of one character, of two bytes',
      [{ name: 'x', paths: ['~/a/[^/]{1}$'] }],
      { path: bytes('/a/ü') },
      'x',
    ],
    ['digits of other scripts', [{ name: 'x', paths: ['~/a/\\d+$'] }], { path: bytes('/a/١') }, 'x'],
    ['a letter is no digit', [{ name: 'x', paths: ['~/a/\\d+$'] }], { path: bytes('/a/ü') }, null],
    [
      'a header regex is read in lower case',
      [{ headers: { 'x-a': ['~*^\\D+$'] }, name: 'x' }],
      { headers: { 'x-a': ['12'] } },
      'x',
    ],
    [
      'header in UTF-8',
      [{ name: 'x', headers: { 'x-a': ['Ä'] } }],
      { headers: { 'x-a': [bytes('ä')] } },
      'x',
    ],
  ];

for (const [name, routes, fields, expected] of WINNERS) {
  test(name, () => assert.equal(build(routes).match(request(fields))?.value ?? null, expected));
}

/** Likewise, in the flavor `traditional`. */
const TRADITIONAL: typeof WINNERS = [
  [
    'each path of a route is ranked by itself',
    [
      { name: 'short or very long', paths: ['/a', '/a/very/long/path'] },
      { name: 'middle', paths: ['/a/b'] },
    ],
    { path: '/a/b' },
    'middle',
  ],
  [
    'a plain path does not profit from a regex beside it',
    [
      { name: 'mixed', paths: ['~/x', '/a'], created_at: 1 },
      { name: 'plain', paths: ['/a/b'], created_at: 2 },
    ],
    { path: '/a/b' },
    'plain',
  ],
  [
    'a regex_priority below 0 comes last',
    [
      { name: 'last', paths: ['~/a/.*'], regex_priority: -1, created_at: 1 },
      { name: 'first', paths: ['~/a/[a-z]+'], created_at: 2 },
    ],
    { path: '/a/b' },
    'first',
  ],
  [
    'a header regex is read as it is written',
    [{ name: 'x', headers: { 'x-a': ['~*^\\D+$'] } }],
    { headers: { 'x-a': ['Beta'] } },
    'x',
  ],
  ['and sees lower case', [{ headers: { 'x-a': ['~*^B'] } }], { headers: { 'x-a': ['Beta'] } }, null],
  [
    'of several values none is a regex',
    [{ headers: { 'x-a': ['~*(', '~*^b'] } }],
    { headers: { 'x-a': ['b'] } },
    null,
  ],
  [
    'the older route first',
    [
      { name: 'old', paths: ['/a'], created_at: 1 },
      { name: 'new', paths: ['/a'], created_at: 2 },
    ],
    { path: '/a' },
    'old',
  ],
];

for (const [name, routes, fields, expected] of TRADITIONAL) {
  test(`traditional: ${name}`, () =>
    assert.equal(build(routes, 'traditional').match(request(fields))?.value ?? null, expected));
}

test('ids of virtual routes are uuid v5 in Kong’s name space', () => {
  assert.equal(virtualId(uuid(1), 1), '18f07866-6f7d-5228-bfdf-b3b91c047895');
  assert.equal(virtualId(uuid(1), 2), '6da4e306-38e5-5e6e-8e2d-e56e3b6413a7');
});

test('the priority word', () => {
  const word = ({ high, middle, low }: ReturnType<typeof compatRank>): bigint =>
    (BigInt(high) << 51n) | (BigInt(middle + 0x8000_0000) << 19n) | BigInt(low);
  const all = route({
    methods: ['GET'],
    hosts: ['a'],
    headers: { a: ['1'], b: ['2'] },
    paths: ['~/'],
    regex_priority: 0xffff_ffff,
  });
  assert.equal(
    word(compatRank(all, true, 0)),
    (4n << 61n) | (1n << 60n) | (2n << 52n) | (1n << 51n) | (0xffff_ffffn << 19n),
  );
  assert.equal(word(compatRank(route({ hosts: ['*.a'], paths: ['/abc'] }), false, 4)), (2n << 61n) | 4n);
  assert.equal(word(compatRank(route({ paths: ['/abc'], regex_priority: 9 }), false, 4)), (1n << 61n) | 4n);
  for (const priority of [0, 1, 2 ** 19 - 1, 2 ** 19, 2 ** 45 + 12_345, 2 ** 46 - 1]) {
    assert.equal(word(expressionRank(priority)), (0xffn << 56n) | BigInt(priority));
  }
});

test('matched prefix and captures', () => {
  const router = build([
    { name: 'plain', paths: ['/plain'] },
    { name: 'proven', paths: ['~/p/(?<id>[^/]+)/x'] },
    { name: 'run', paths: ['~/r/(?<id>[a-z]+)'] },
    { name: 'none', hosts: ['h.com'] },
  ]);
  const at = (path: string, host = 'x'): readonly unknown[] => {
    const match = router.match(request({ path, host }));
    return [
      match?.value,
      match?.matchedPrefix,
      match?.captures?.groups ?? null,
      match?.captures?.named.get('id') ?? null,
    ];
  };
  assert.deepEqual(at('/plain/a'), ['plain', '/plain', null, null]);
  assert.deepEqual(at('/p/1/xyz'), ['proven', '/p/1/x', ['/p/1/x', '1'], '1']);
  assert.deepEqual(at('/r/ab1'), ['run', '/r/ab', ['/r/ab', 'ab'], 'ab']);
  assert.deepEqual(at(bytes('/p/ü/x')), [
    'proven',
    bytes('/p/ü/x'),
    [bytes('/p/ü/x'), bytes('ü')],
    bytes('ü'),
  ]);
  assert.deepEqual(at('/any', 'h.com'), ['none', '', null, null]);
});

test('a route that does not compile changes nothing', () => {
  const edit = build([{ name: 'old', paths: ['/'] }]).edit();
  assert.throws(
    () => edit.put(route({ id: uuid(0), paths: ['~/('] }), 'new'),
    (error) => error instanceof RouteError && /unclosed group/.test(error.message),
  );
  const router = edit.commit();
  assert.equal(router.match(request({}))?.value, 'old');
  assert.equal(router.size, 1);
  assert.throws(() => edit.remove(uuid(0)), /committed/);
});

test('a path regex that parses is one that a route takes', () => {
  const sources = [
    `/${'a'.repeat(16_383)}`,
    `/${'('.repeat(98)}${')'.repeat(98)}`,
    '/(?x) a # rest',
    '/[^/]{1000}$',
  ];
  for (const source of sources) {
    const { template } = new CompiledRegex(source);
    assert.deepEqual(template.steps, [], 'not anchored by itself');
    for (const flavor of ['traditional_compatible', 'traditional'] as const)
      assert.equal(build([{ paths: [`~${source}`] }], flavor).size, 1, `${flavor} ${source.slice(0, 20)}`);
  }
});

test('the anchor of a path regex holds for its first alternative, in the flavor traditional for all', () => {
  const routes = [{ name: 'x', paths: ['~/a|/b|c$'] }];
  const at = (path: string, flavor: RouterFlavor): string | undefined =>
    build(routes, flavor).match(request({ path }))?.value;
  const cases: ReadonlyArray<readonly [string, boolean, boolean]> = [
    ['/a', true, true],
    ['/b/x', true, true],
    ['/x/b', true, false],
    ['/x/a', false, false],
    ['/xc', true, false],
  ];
  for (const [path, compat, traditional] of cases) {
    assert.equal(at(path, 'traditional_compatible') === 'x', compat, path);
    assert.equal(at(path, 'traditional') === 'x', traditional, path);
  }
});

test('a thousand routes on one path ask for one header once', () => {
  const router = build(
    Array.from({ length: 1000 }, (_, i) => ({
      name: `t${i}`,
      paths: ['/'],
      headers: { 'X-Tenant': [`Tenant${i}`] },
    })),
  );
  let asked = 0;
  const input = { ...request({}), headerValues: () => (asked++, ['tenant777']) };
  assert.equal(router.match(input)?.value, 't777');
  // Once to look up, once to verify.
  assert.equal(asked, 2);
});

test('a tree of all mixtures of literals and variables has one answer for each path', () => {
  const depth = 9;
  const routes = Array.from({ length: 2 ** depth }, (_, mask) => {
    const segments = Array.from({ length: depth }, (_, i) => ((mask >> i) & 1 ? 'a' : '[^/]+'));
    return { name: String(mask), paths: [`~/${segments.join('/')}$`], regex_priority: mask };
  });
  const router = build(routes);
  const path = (mask: number): string =>
    `/${Array.from({ length: depth }, (_, i) => ((mask >> i) & 1 ? 'a' : 'b')).join('/')}`;
  for (let mask = 0; mask < 2 ** depth; mask++)
    assert.equal(router.match(request({ path: path(mask) }))?.value, String(mask));
  assert.equal(router.match(request({ path: '/a'.repeat(20_000) })), null);
});

test('a template of very many segments', () => {
  const router = build([{ name: 'long', paths: [`~${'/[^/]+'.repeat(2000)}$`] }]);
  assert.equal(router.match(request({ path: '/a'.repeat(2000) }))?.value, 'long');
  assert.equal(router.match(request({ path: '/a'.repeat(2001) })), null);
});

test('any bytes in a request are an answer, never an error', () => {
  const router = build([
    { paths: ['/a', '~/a/[^/]+/b$', '~/.*x', '~/\\w+$'], hosts: ['a.com', '*.b', 'c.*'] },
    { paths: ['~/ü/[a-z]+'], headers: { 'x-a': ['~*^b', 'c'] }, methods: ['GET', 'X'] },
    { sources: [{ ip: '::/0', port: null }], snis: ['*.x', 'y.*'] },
  ]);
  const wild = fc.string({ unit: 'binary', maxLength: 40 });
  fc.assert(
    fc.property(
      fc.record({ method: wild, host: wild, sni: wild, srcIp: wild, query: wild }),
      wild,
      wild,
      (fields, path, header) => {
        const match = router.match(
          request({ ...fields, scheme: 'https', path: `/${path}`, headers: { 'x-a': [header] } }),
        );
        assert.ok(match === null || typeof match.matchedPrefix === 'string');
        assert.ok(match === null || match.captures === null || match.captures.groups.length > 0);
      },
    ),
    { numRuns: 2000 },
  );
});

test('indexed expressions answer as expressions tried one by one', () => {
  const part = fc.constantFrom(
    'http.path ^= "/a"',
    'http.path == "/a/b"',
    'http.path ^= "/"',
    'http.path ~ "^/a/[b-c]"',
    'http.path ~ "b$"',
    'http.host == "a.com"',
    'http.host == "b.com"',
    'http.method == "GET"',
    'http.method == "POST"',
    'lower(http.host) == "a.com"',
    '!(http.path ^= "/a")',
  );
  const expression = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      part,
      fc
        .tuple(tie('node'), fc.constantFrom('&&', '||'), tie('node'))
        .map(([a, op, b]) => `(${a}) ${op} (${b})`),
    ),
  })).node;
  const routes = fc.array(fc.record({ text: expression, priority: fc.integer({ min: 0, max: 3 }) }), {
    maxLength: 12,
  });
  const input = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    host: fc.constantFrom('a.com', 'b.com', 'A.com'),
    path: fc.constantFrom('/', '/a', '/a/b', '/a/c', '/b', '/ab'),
  });
  fc.assert(
    fc.property(routes, fc.array(input, { maxLength: 10 }), (list, inputs) => {
      const router = build(
        list.map(({ text, priority }) => ({ expression: text, priority })),
        'expressions',
      );
      const order = list.map(({ text, priority }, i) => ({
        id: uuid(i),
        priority,
        holds: compileExpression(parseExpression(text, 'http')),
      }));
      order.sort((a, b) => b.priority - a.priority || (a.id > b.id ? -1 : 1));
      for (const fields of inputs) {
        const expected = order.find(({ holds }) => holds(request(fields), null))?.id;
        assert.equal(router.match(request(fields))?.routeId, expected);
      }
    }),
    { numRuns: 1000 },
  );
});
