/** Router expressions: what holds, what does not, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../../entities/route.ts';
import { RouteError, Router } from '../router.ts';
import { request, type RequestFields, route, uuid } from '../testing/fixtures.ts';
import { compileExpression } from './evaluate.ts';
import { parseExpression } from './parser.ts';

const GIVEN: RequestFields = {
  method: 'GET',
  scheme: 'https',
  host: 'api.example.com',
  port: 8443,
  path: '/a/b/c',
  query: 'x=1&y=&z&x=2&sp=a+b%21',
  sni: 'tls.example.com',
  srcIp: '10.1.2.3',
  srcPort: 40_000,
  dstIp: 'fd00::1',
  headers: { 'x-one': ['Foo'], 'x-two': ['a', 'B'], 'content-type': ['text/plain'] },
};

const HOLDS: ReadonlyArray<readonly [string, boolean]> = [
  ['http.method == "GET"', true],
  ['http.method != "GET"', false],
  ['http.path == "/a/b/c"', true],
  ['http.path ^= "/a/b"', true],
  ['http.path ^= "/b"', false],
  ['http.path =^ "/c"', true],
  ['http.path =^ "/b"', false],
  ['http.path contains "b/"', true],
  ['http.path contains "x"', false],
  ['http.path ~ "^/a/(?P<x>[^/]+)/c$"', true],
  ['http.path ~ "b"', true],
  ['http.path ~ "^b"', false],
  [String.raw`http.path ~ r#"^/\w/\w"#`, true],
  [String.raw`http.path ~ "^/\\w/\\w"`, true],
  ['http.host == "api.example.com"', true],
  ['http.host == "API.example.com"', false],
  ['lower(http.headers.x_one) == "foo"', true],
  ['http.headers.x_one == "foo"', false],
  ['http.headers.x_two == "a"', false],
  ['any(http.headers.x_two) == "a"', true],
  ['any(lower(http.headers.x_two)) == "b"', true],
  ['lower(any(http.headers.x_two)) == "b"', true],
  ['http.headers.x_two != "c"', true],
  ['http.headers.x_none == "a"', false],
  ['http.headers.x_none != "a"', false],
  ['!(http.headers.x_none == "a")', true],
  ['http.headers.content_type ^= "text/"', true],
  ['any(http.queries.x) == "2"', true],
  ['http.queries.x == "2"', false],
  ['http.queries.y == ""', true],
  ['http.queries.z == ""', true],
  ['http.queries.sp == "a b!"', true],
  ['http.path.segments.0 == "a"', true],
  ['http.path.segments.2 == "c"', true],
  ['http.path.segments.3 == "d"', false],
  ['http.path.segments.0_1 == "a/b"', true],
  ['http.path.segments.1_3 != "x"', false],
  ['http.path.segments.len == 3', true],
  ['net.src.port >= 40000', true],
  ['net.src.port > 40000', false],
  ['net.src.port < 0xffff', true],
  ['net.src.port <= 0116100', true],
  ['net.dst.port == 8443', true],
  ['net.port == 8443', true],
  ['net.src.ip == 10.1.2.3', true],
  ['net.src.ip != 10.1.2.3', false],
  ['net.src.ip in 10.0.0.0/8', true],
  ['net.src.ip not in 10.0.0.0/8', false],
  ['net.src.ip in 192.168.0.0/16', false],
  ['net.dst.ip in fd00::/8', true],
  ['net.dst.ip == fd00::1', true],
  ['net.protocol == "https"', true],
  ['tls.sni == "tls.example.com"', true],
  ['http.method == "POST" || http.method == "GET" && http.path ^= "/a"', true],
  ['http.method == "GET" || http.method == "POST" && http.path ^= "/x"', false],
  ['http.method == "GET" || (http.method == "POST" && http.path ^= "/x")', true],
  ['http.path ^= "/x" && http.method == "POST" || http.method == "GET"', false],
  ['http.path ^= "/x" && http.method == "POST" || http.method == "GET" && http.path ^= "/a"', false],
  ['http.path ^= "/x" || http.path ^= "/a" && http.method == "POST" || http.method == "GET"', true],
  ['!(http.path ^= "/a" && http.method == "POST" || http.method == "GET")', false],
  ['(http.method == "GET" || http.method == "POST") && http.path ^= "/x"', false],
  ['!(http.method == "GET" || http.method == "POST")', false],
  ['http.method == "GET"&&http.path^="/a"', true],
  ['http.path == "/a\\"b"', false],
  ['\n  http.method == "GET"\n', true],
];

for (const [text, expected] of HOLDS) {
  test(`${JSON.stringify(text)} is ${expected}`, () => {
    assert.equal(compileExpression(parseExpression(text, 'http'))(request(GIVEN), null), expected);
  });
}

const REFUSED: ReadonlyArray<readonly [string, RegExp]> = [
  ['', /expected a field, found the end at line 1, column 1/],
  ['http.method', /expected an operator, found the end at line 1, column 12/],
  ['http.method ==', /expected a value, found the end/],
  ['http.methods == "GET"', /unknown field "http.methods" at line 1, column 1/],
  ['http.headers.X_A == "GET"', /unknown field/],
  ['http.path.segments.2_1 == "x"', /unknown field/],
  ['http.path.segments.1_1 == "x"', /unknown field/],
  ['http.path.segments.01 == "x"', /unknown field/],
  ['http.path.segments.0_01 == "x"', /unknown field/],
  ['http.path.segments.a == "x"', /unknown field/],
  ['http.method == 1', /type mismatch: "http.method" is String, the value is Int at line 1, column 16/],
  ['net.src.port == "1"', /type mismatch/],
  ['net.src.ip == "1.2.3.4"', /type mismatch/],
  ['net.src.ip == 10.0.0.0/8', /type mismatch: "net.src.ip" is IpAddr, the value is IpCidr/],
  ['net.src.ip in 10.0.0.1', /"in" compares an IpAddr with an IpCidr, not IpAddr with IpAddr/],
  ['http.path in 10.0.0.0/8', /"in" compares/],
  ['net.src.port ^= 1', /"\^=" compares String, not Int/],
  ['http.path > "1"', /">" compares Int, not String/],
  ['net.src.ip == 300.1.1.1', /is not an IP address/],
  ['net.src.ip in 10.0.0.0/33', /is not an IP address/],
  ['lower(net.src.port) == 1', /lower\(\) takes a String/],
  ['upper(http.path) == "x"', /unknown function "upper"/],
  ['!http.method == "GET"', /expected "\(" after "!"/],
  ['(http.method == "GET"', /expected "\)"/],
  ['http.method == "GET" http.path == "/"', /expected "&&", "\|\|" or the end/],
  ['http.method == "GET" &&', /expected a field, found the end/],
  ['http.method not "GET"', /expected "in" after "not"/],
  ['http.method == "GET', /unclosed string at line 1, column 16/],
  ['http.method == r#"GET"', /unclosed raw string/],
  [String.raw`http.method == "\q"`, /unknown escape sequence/],
  ['http.path ~ "("', /invalid regex: unclosed group/],
  ['http.path ~ "(?=a)"', /look-around is not supported/],
  ['net.src.port == 089', /invalid octal/],
  ['net.src.port == 99999999999999999999', /out of range/],
  ['http.method == "a" @ 1', /unexpected "@"/],
  ['http.method == "GET" &&\n  http.nope == "x"', /unknown field "http.nope" at line 2, column 3/],
  [`${'('.repeat(200)}http.method == "a"${')'.repeat(200)}`, /nest too deep/],
];

for (const [text, message] of REFUSED) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused`, () => {
    assert.throws(() => parseExpression(text, 'http'), message);
  });
}

test('a request without Host, server name, header or argument has no value that any comparison holds for', () => {
  const none = request({ host: '', sni: '' });
  const fields = ['http.host', 'tls.sni', 'http.headers.x_a', 'http.queries.a', 'http.path.segments.0'];
  for (const field of fields) {
    for (const text of [`${field} != "x"`, `${field} ^= ""`, `any(${field}) != "x"`]) {
      assert.equal(compileExpression(parseExpression(text, 'http'))(none, null), false, text);
    }
  }
});

test('stream expressions know no http fields', () => {
  assert.throws(() => parseExpression('http.path == "/"', 'stream'), /unknown field/);
  parseExpression('tls.sni == "x" && net.dst.port == 1', 'stream');
});

function router(...routes: Route[]): Router<string> {
  const edit = Router.empty<string>('expressions').edit();
  for (const each of routes) edit.put(each, each.id);
  return edit.commit();
}

const expression = (n: number, text: string, fields: Partial<Route> = {}): Route =>
  route({ id: uuid(n), expression: text, priority: 0, ...fields });

test('larger priority first, then larger id; expressions before plain routes', () => {
  const found = router(
    expression(1, 'http.path ^= "/a"', { priority: 7 }),
    expression(2, 'http.path ^= "/a/b"', { priority: 3 }),
    expression(3, 'http.path ^= "/b"'),
    expression(4, 'http.path ^= "/"'),
    route({ id: uuid(9), methods: ['GET'], hosts: ['example.com'], paths: ['/b/c/d'] }),
    route({ id: uuid(8), paths: ['~/c'] }),
    expression(5, 'http.path == "/x" && http.host == "h.com"', { priority: 2 ** 46 - 1 }),
    expression(6, 'http.path == "/x"', { priority: 2 ** 45 }),
  );
  const at = (path: string, host = 'example.com'): string | undefined =>
    found.match(request({ path, host }))?.routeId;
  assert.equal(at('/a/b'), uuid(1));
  assert.equal(at('/b'), uuid(4));
  assert.equal(at('/b/c/d'), uuid(4));
  assert.equal(at('/c'), uuid(4));
  assert.equal(at('/x'), uuid(6));
  assert.equal(at('/x', 'h.com'), uuid(5));
});

const BY_PROTOCOL: Readonly<Record<string, Route>> = {
  'an expression': expression(1, 'http.path == "/"'),
  'plain fields': route({ paths: ['/'], headers: { 'x-a': ['1'] } }),
};

for (const [kind, each] of Object.entries(BY_PROTOCOL)) {
  test(`protocols are part of the match but for https alone: ${kind}`, () => {
    const matches = (protocols: Route['protocols'], scheme: 'http' | 'https'): boolean =>
      router({ ...each, protocols }).match(request({ scheme, headers: { 'x-a': ['1'] } })) !== null;
    assert.equal(matches(['http'], 'http'), true);
    assert.equal(matches(['http'], 'https'), false);
    assert.equal(matches(['http', 'https'], 'https'), true);
    assert.equal(matches(['https'], 'http'), true);
    assert.equal(matches(['grpc'], 'https'), false);
    assert.equal(matches(['grpcs'], 'https'), true);
    assert.equal(matches(['grpcs'], 'http'), false);
  });
}

test('matched prefix and captures are those of the path predicate that held', () => {
  const found = router(
    expression(1, 'http.path ^= "/p" || http.path ~ "^/r/(?P<id>[0-9]+)"'),
    expression(2, 'http.path == "/exact"', { priority: 1 }),
  );
  const prefix = found.match(request({ path: '/p/q' }));
  assert.equal(prefix?.matchedPrefix, '/p');
  assert.equal(prefix?.captures, null);
  const regex = found.match(request({ path: '/r/12/x' }));
  assert.equal(regex?.matchedPrefix, '/r/12');
  assert.deepEqual(regex?.captures?.groups, ['/r/12', '12']);
  assert.equal(regex?.captures?.named.get('id'), '12');
  assert.equal(found.match(request({ path: '/exact' }))?.matchedPrefix, '/exact');
  const other = router(expression(1, 'http.path =^ "/end" || http.path contains "mid" || http.path != "/p"'));
  for (const path of ['/a/end', '/a/mid/b', '/a']) {
    assert.equal(other.match(request({ path }))?.matchedPrefix, '', path);
  }
});

test('a bad expression is a RouteError and changes nothing', () => {
  const edit = router(expression(1, 'http.path == "/"')).edit();
  assert.throws(() => edit.put(expression(1, 'http.path =='), 'x'), RouteError);
  assert.equal(edit.commit().match(request({}))?.value, uuid(1));
});
