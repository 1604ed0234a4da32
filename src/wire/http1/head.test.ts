import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, readRequests, readResponses } from '../../../test/support/wire-reader.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { Http1RequestHead, Http1ResponseHead } from './head.ts';

/** The head of one request, or the fault that refused it. `lines` end in CRLF each. */
function request(lines: string, start = 'POST / HTTP/1.1'): Http1RequestHead | string {
  const { messages, partial, ending } = readRequests([bytesOf(`${start}\r\n${lines}\r\n`)]);
  const head = messages[0]?.head ?? partial?.head;
  return head === undefined ? ending : (head as Http1RequestHead);
}

function response(lines: string, start = 'HTTP/1.1 200 OK', method = 'GET'): Http1ResponseHead | string {
  const bytes = bytesOf(`${start}\r\n${lines}\r\n`);
  const { messages, partial, ending } = readResponses([bytes], { methods: [method] });
  const head = messages[0]?.head ?? partial?.head;
  return head === undefined ? ending : (head as Http1ResponseHead);
}

function accepted<Head>(head: Head | string): Head {
  if (typeof head === 'string') assert.fail(`refused: ${head}`);
  return head;
}

/** What is left of the field lines, `name: value` each. */
function left(head: { headers: { each(visit: (name: string, value: string) => void): void } }): string[] {
  const lines: string[] = [];
  head.headers.each((name, value) => lines.push(`${name}: ${value}`));
  return lines;
}

const HOST = 'Host: a.test\r\n';

const HOSTS: ReadonlyArray<readonly [what: string, lines: string, start: string, wanted: string]> = [
  ['a name', HOST, 'GET / HTTP/1.1', 'a.test'],
  ['a name and a port', 'Host: a.test:8080\r\n', 'GET / HTTP/1.1', 'a.test:8080'],
  ['an empty port', 'Host: a.test:\r\n', 'GET / HTTP/1.1', 'a.test:'],
  ['an IPv4 address', 'Host: 10.0.0.1:80\r\n', 'GET / HTTP/1.1', '10.0.0.1:80'],
  ['an IPv6 address', 'Host: [::1]:80\r\n', 'GET / HTTP/1.1', '[::1]:80'],
  ['characters of a reg-name', "Host: a-b_c~!$&'()*+,;=%41\r\n", 'GET / HTTP/1.1', "a-b_c~!$&'()*+,;=%41"],
  ['upper case as it came', 'HOST: A.Test\r\n', 'GET / HTTP/1.1', 'A.Test'],
  ['none in HTTP/1.0', '', 'GET / HTTP/1.0', ''],
  ['the URI wins over Host', HOST, 'GET http://b.test:81/p HTTP/1.1', 'b.test:81'],
  ['the URI alone in HTTP/1.0', '', 'GET http://b.test/p HTTP/1.0', 'b.test'],
];

test('authority', () => {
  for (const [what, lines, start, wanted] of HOSTS) {
    const head = accepted(request(lines, start));
    assert.equal(head.authority, wanted, what);
    assert.equal(head.headers.has('host'), false, what);
  }
});

const BAD_HOSTS: ReadonlyArray<readonly [what: string, lines: string, start?: string]> = [
  ['none in HTTP/1.1', ''],
  ['two', HOST + HOST],
  ['two that differ', `${HOST}Host: b.test\r\n`],
  ['two in HTTP/1.0', HOST + HOST, 'GET / HTTP/1.0'],
  ['empty', 'Host:\r\n'],
  ['empty in HTTP/1.0', 'Host: \r\n', 'GET / HTTP/1.0'],
  ['a space inside', 'Host: a b\r\n'],
  ['user information', 'Host: me@a.test\r\n'],
  ['a path', 'Host: a.test/x\r\n'],
  ['a query', 'Host: a.test?x\r\n'],
  ['a fragment', 'Host: a.test#x\r\n'],
  ['a backslash', 'Host: a.test\\x\r\n'],
  ['a byte from 0x80', 'Host: \xe9.test\r\n'],
  ['a port that is no number', 'Host: a.test:x\r\n'],
  ['a port with a sign', 'Host: a.test:+80\r\n'],
  ['two ports', 'Host: a.test:80:80\r\n'],
  ['a port of six digits', 'Host: a.test:080000\r\n'],
  ['a port alone', 'Host: :80\r\n'],
  ['IPv6 without brackets', 'Host: ::1\r\n'],
  ['an open bracket', 'Host: [::1\r\n'],
  ['a closing bracket', 'Host: ::1]\r\n'],
  ['something behind the bracket', 'Host: [::1]x\r\n'],
  ['brackets in a name', 'Host: a[::1]\r\n'],
  ['a zone', 'Host: [fe80::1%25eth0]\r\n'],
  ['a list', 'Host: a.test b.test\r\n'],
  ['a bad URI authority', HOST, 'GET http://a@b.test/ HTTP/1.1'],
  ['no URI authority', HOST, 'GET http:///p HTTP/1.1'],
  ['a bad Host beside a good URI', 'Host: a@b\r\n', 'GET http://a.test/ HTTP/1.1'],
  ['no Host beside a good URI', '', 'GET http://a.test/ HTTP/1.1'],
];

test('a Host that is refused', () => {
  for (const [what, lines, start] of BAD_HOSTS) assert.equal(request(lines, start), 'HOST', what);
});

test('a bad Host is refused on each request of a connection, whatever went before', () => {
  const good = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  for (const [what, lines, start = 'GET / HTTP/1.1'] of BAD_HOSTS) {
    for (const before of [good, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n']) {
      const { messages, ending } = readRequests([bytesOf(`${before}${start}\r\n${lines}\r\n`)]);
      assert.deepEqual([messages.length, ending], [1, 'HOST'], what);
    }
  }
});

const TARGETS: ReadonlyArray<readonly [start: string, target: string]> = [
  ['GET /a?b HTTP/1.1', '/a?b'],
  ['GET //a HTTP/1.1', '//a'],
  ['GET http://b.test HTTP/1.1', '/'],
  ['GET http://b.test/ HTTP/1.1', '/'],
  ['GET HTTPS://b.test/x?y HTTP/1.1', '/x?y'],
  ['GET http://b.test?y HTTP/1.1', '/?y'],
  ['GET http://b.test//x HTTP/1.1', '//x'],
  ['GET http://b.test/\x85\xa0 HTTP/1.1', '/\x85\xa0'],
  ['OPTIONS http://b.test HTTP/1.1', '*'],
  ['OPTIONS http://b.test/ HTTP/1.1', '/'],
  ['OPTIONS * HTTP/1.1', '*'],
];

test('target in origin form', () => {
  for (const [start, target] of TARGETS) assert.equal(accepted(request(HOST, start)).target, target, start);
});

const LENGTHS: ReadonlyArray<readonly [value: string, octets: number]> = [
  ['0', 0],
  ['1', 1],
  ['  7\t', 7],
  ['999999999999999', 999_999_999_999_999],
];

const BAD_LENGTHS: readonly string[] = [
  '',
  '+1',
  '-1',
  '-0',
  '0x10',
  '1e3',
  '1.0',
  '1,1',
  '1, 1',
  '1 1',
  '1;',
  '00',
  '01',
  '1_000',
  '\xb2',
  '"1"',
  '1000000000000000',
  '18446744073709551617',
  'Infinity',
  'NaN',
];

test('Content-Length', () => {
  for (const [value, octets] of LENGTHS) {
    assert.equal(accepted(request(`${HOST}Content-Length: ${value}\r\n`)).bodyLength, octets, value);
    assert.equal(accepted(response(`Content-Length: ${value}\r\n`)).bodyLength, octets, value);
  }
  for (const value of BAD_LENGTHS) {
    assert.equal(request(`${HOST}Content-Length: ${value}\r\n`), 'FRAMING', value);
    assert.equal(response(`Content-Length: ${value}\r\n`), 'FRAMING', value);
  }
});

const CODINGS: ReadonlyArray<readonly [lines: string, wanted: number | string]> = [
  ['Transfer-Encoding: chunked\r\n', UNKNOWN_LENGTH],
  ['transfer-encoding:CHUNKED \r\n', UNKNOWN_LENGTH],
  ['Transfer-Encoding:\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: identity\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: gzip, chunked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunked, gzip\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunked, chunked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunked,\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: ,chunked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunked;q=1\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: "chunked"\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: xchunked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunkedx\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: \xa0chunked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chun ked\r\n', 'TRANSFER_CODING'],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 'FRAMING'],
  ['Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', 'FRAMING'],
  ['Transfer-Encoding: chunked\r\nContent-Length: 0\r\n', 'FRAMING'],
  ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'FRAMING'],
  ['Content-Length: 5\r\nTransfer-Encoding: identity\r\n', 'FRAMING'],
  ['Content-Length: 5\r\nContent-Length: 5\r\n', 'FRAMING'],
  ['Content-Length: 5\r\nContent-Length: 6\r\n', 'FRAMING'],
  ['Content-Length: 5\r\nX: 1\r\ncontent-length: 5\r\n', 'FRAMING'],
];

test('Transfer-Encoding, and both, and twice, on both legs', () => {
  for (const [lines, wanted] of CODINGS) {
    for (const head of [request(HOST + lines), response(lines)]) {
      assert.equal(typeof head === 'string' ? head : head.bodyLength, wanted, lines);
    }
  }
});

test('Transfer-Encoding in HTTP/1.0 is refused on both legs', () => {
  const line = 'Transfer-Encoding: chunked\r\n';
  assert.equal(request(HOST + line, 'POST / HTTP/1.0'), 'FRAMING');
  assert.equal(response(line, 'HTTP/1.0 200 OK'), 'FRAMING');
});

test('no framing field: no body, whatever the method', () => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
    assert.equal(accepted(request(HOST, `${method} / HTTP/1.1`)).bodyLength, NO_BODY, method);
});

/** Naming a framing field in Connection must not make its message read another way. */
test('Connection cannot take away what frames or routes a message', () => {
  for (const name of ['Content-Length', 'content-length', 'close, Content-Length', 'Content-Length,Host']) {
    const head = accepted(request(`${HOST}Connection: ${name}\r\nContent-Length: 5\r\n`));
    assert.deepEqual([head.bodyLength, head.authority], [5, 'a.test'], name);
    assert.deepEqual(left(head), ['Content-Length: 5'], name);
    const answer = accepted(response(`Connection: ${name}\r\nContent-Length: 5\r\n`));
    assert.deepEqual([answer.bodyLength, left(answer)], [5, ['Content-Length: 5']], name);
  }
  const line = 'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n';
  assert.equal(accepted(request(HOST + line)).bodyLength, UNKNOWN_LENGTH);
  assert.equal(accepted(response(line)).chunked, true);
  const both = 'Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n';
  assert.equal(request(HOST + both), 'FRAMING');
  assert.equal(response(both), 'FRAMING');
});

const PERSISTENCE: ReadonlyArray<readonly [version: string, connection: string, keepAlive: boolean]> = [
  ['1.1', '', true],
  ['1.1', 'Connection: close\r\n', false],
  ['1.1', 'Connection: Close\r\n', false],
  ['1.1', 'Connection: x, close\r\n', false],
  ['1.1', 'Connection: x\r\nConnection: close\r\n', false],
  ['1.1', 'Connection: close, keep-alive\r\n', false],
  ['1.1', 'Connection: keep-alive\r\n', true],
  ['1.1', 'Connection: closed\r\n', true],
  ['1.1', 'Connection: "close"\r\n', true],
  ['1.1', 'Connection: \xa0close\r\n', true],
  ['1.1', 'Connection: ,\t,\r\n', true],
  ['1.1', 'Connection:\r\n', true],
  ['1.1', 'Proxy-Connection: close\r\n', true],
  ['1.0', '', false],
  ['1.0', 'Connection: keep-alive\r\n', true],
  ['1.0', 'Connection: Keep-Alive, x\r\n', true],
  ['1.0', 'Connection: keep-alive, close\r\n', false],
  ['1.0', 'Proxy-Connection: keep-alive\r\n', false],
  ['1.0', 'Keep-Alive: timeout=5\r\n', false],
];

test('persistence', () => {
  for (const [version, connection, keepAlive] of PERSISTENCE) {
    const what = `HTTP/${version} ${connection}`;
    assert.equal(accepted(request(HOST + connection, `GET / HTTP/${version}`)).keepAlive, keepAlive, what);
    const framed = `${connection}Content-Length: 0\r\n`;
    assert.equal(accepted(response(framed, `HTTP/${version} 200 OK`)).keepAlive, keepAlive, what);
  }
});

test('hop-by-hop fields of a request go no further', () => {
  const lines = [
    'Connection: X-Hop, keep-alive , ,X-Other',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy: http://evil.test',
    'TE: trailers',
    'Trailer: X-T',
    'Transfer-Encoding: chunked',
    'Upgrade: websocket',
    'Expect: 100-continue',
    'X-Hop: 1',
    'x-hop: 2',
    'X-Other: 3',
    'X-Kept: 4',
  ];
  const head = accepted(request(`${HOST}${lines.join('\r\n')}\r\n`));
  assert.deepEqual(left(head), ['X-Kept: 4']);
  assert.deepEqual([head.acceptsTrailers, head.expectsContinue, head.upgrade], [true, true, '']);
});

test('hop-by-hop fields of a response go no further', () => {
  const lines = [
    'Connection: X-Hop',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'TE: trailers',
    'Trailer: X-T',
    'Transfer-Encoding: chunked',
    'Upgrade: h2c',
    'X-Hop: 1',
    'X-Kept: 4',
  ];
  assert.deepEqual(left(accepted(response(`${lines.join('\r\n')}\r\n`))), ['X-Kept: 4']);
});

test('Connection may name fields that are known by number, in any case', () => {
  const head = accepted(request(`${HOST}Connection: Via, USER-AGENT\r\nvia: 1\r\nUser-Agent: x\r\nB: 1\r\n`));
  assert.deepEqual(
    [left(head), head.headers.get('via'), head.headers.has('user-agent')],
    [['B: 1'], undefined, false],
  );
});

const EXPECTATIONS: ReadonlyArray<readonly [lines: string, start: string, wanted: boolean | string]> = [
  ['Expect: 100-continue\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', true],
  ['Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n', 'POST / HTTP/1.1', true],
  ['Expect: 100-continue\r\nContent-Length: 0\r\n', 'POST / HTTP/1.1', false],
  ['Expect: 100-continue\r\n', 'POST / HTTP/1.1', false],
  ['Expect: 100-continue\r\nContent-Length: 5\r\n', 'POST / HTTP/1.0', false],
  ['Expect: 200-ok\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', 'EXPECTATION'],
  ['Expect:\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', 'EXPECTATION'],
  ['Expect: 100-continue, x\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', 'EXPECTATION'],
  ['Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', 'EXPECTATION'],
  ['Expect: 100-continue\r\nConnection: expect\r\nContent-Length: 5\r\n', 'POST / HTTP/1.1', true],
];

test('Expect', () => {
  for (const [lines, start, wanted] of EXPECTATIONS) {
    const head = request(HOST + lines, start);
    assert.equal(typeof head === 'string' ? head : head.expectsContinue, wanted, `${start} ${lines}`);
  }
});

const UPGRADES: ReadonlyArray<readonly [lines: string, start: string, wanted: string]> = [
  ['Connection: Upgrade\r\nUpgrade: WebSocket\r\n', 'GET / HTTP/1.1', 'websocket'],
  ['Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n', 'GET / HTTP/1.1', 'websocket'],
  ['Upgrade: websocket\r\n', 'GET / HTTP/1.1', ''],
  ['Connection: Upgrade\r\n', 'GET / HTTP/1.1', ''],
  ['Connection: Upgrade\r\nUpgrade: websocket\r\n', 'GET / HTTP/1.0', ''],
];

test('Upgrade needs its Connection option and HTTP/1.1', () => {
  for (const [lines, start, wanted] of UPGRADES) {
    const head = accepted(request(HOST + lines, start));
    assert.deepEqual([head.upgrade, left(head)], [wanted, []], lines);
  }
});

const TRAILER_READERS: ReadonlyArray<readonly [lines: string, wanted: boolean]> = [
  ['TE: trailers\r\n', true],
  ['TE: gzip;q=0.5, Trailers\r\n', true],
  ['TE: trailers;q=0\r\n', true],
  ['TE: gzip\r\nTE: trailers\r\n', true],
  ['TE: gzip\r\n', false],
  ['TE: xtrailers\r\n', false],
  ['TE:\r\n', false],
];

test('TE: trailers', () => {
  for (const [lines, wanted] of TRAILER_READERS)
    assert.equal(accepted(request(HOST + lines)).acceptsTrailers, wanted, lines);
});

interface ResponseFacts {
  readonly bodyLength: number;
  readonly keepAlive: boolean;
  readonly chunked?: boolean;
  readonly left?: readonly string[];
}

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const RESPONSES: ReadonlyArray<
  readonly [what: string, start: string, lines: string, facts: ResponseFacts, method?: string]
> = [
  ['no framing: until close', 'HTTP/1.1 200 OK', '', { bodyLength: UNKNOWN_LENGTH, keepAlive: false }],
  [
    'no framing, keep-alive',
    'HTTP/1.1 200 OK',
    'Connection: keep-alive\r\n',
    { bodyLength: UNKNOWN_LENGTH, keepAlive: false },
  ],
  ['chunked', 'HTTP/1.1 200 OK', CHUNKED, { bodyLength: UNKNOWN_LENGTH, keepAlive: true, chunked: true }],
  [
    'HEAD with a length',
    'HTTP/1.1 200 OK',
    'Content-Length: 9\r\n',
    { bodyLength: NO_BODY, keepAlive: true, left: ['Content-Length: 9'] },
    'HEAD',
  ],
  ['HEAD chunked', 'HTTP/1.1 200 OK', CHUNKED, { bodyLength: NO_BODY, keepAlive: true, left: [] }, 'HEAD'],
  ['HEAD with nothing', 'HTTP/1.1 200 OK', '', { bodyLength: NO_BODY, keepAlive: true }, 'HEAD'],
  ['HEAD in HTTP/1.0', 'HTTP/1.0 200 OK', '', { bodyLength: NO_BODY, keepAlive: false }, 'HEAD'],
  ['204', 'HTTP/1.1 204 No', '', { bodyLength: NO_BODY, keepAlive: true }],
  [
    '204 with a length',
    'HTTP/1.1 204 No',
    'Content-Length: 9\r\n',
    { bodyLength: NO_BODY, keepAlive: true, left: [] },
  ],
  ['204 chunked', 'HTTP/1.1 204 No', CHUNKED, { bodyLength: NO_BODY, keepAlive: true, left: [] }],
  [
    '304 with a length',
    'HTTP/1.1 304 No',
    'Content-Length: 9\r\n',
    { bodyLength: NO_BODY, keepAlive: true, left: ['Content-Length: 9'] },
  ],
  ['100', 'HTTP/1.1 100 C', '', { bodyLength: NO_BODY, keepAlive: true }],
  [
    '103 with a length',
    'HTTP/1.1 103 E',
    'Content-Length: 9\r\nLink: x\r\n',
    { bodyLength: NO_BODY, keepAlive: true, left: ['Link: x'] },
  ],
  ['HTTP/1.0 with a length', 'HTTP/1.0 200 OK', 'Content-Length: 9\r\n', { bodyLength: 9, keepAlive: false }],
  [
    'HTTP/1.0 keep-alive',
    'HTTP/1.0 200 OK',
    'Content-Length: 9\r\nConnection: keep-alive\r\n',
    { bodyLength: 9, keepAlive: true },
  ],
];

test('what a response says of its body and its connection', () => {
  for (const [what, start, lines, facts, method] of RESPONSES) {
    const head = accepted(response(lines, start, method));
    assert.equal(head.bodyLength, facts.bodyLength, what);
    assert.equal(head.keepAlive, facts.keepAlive, what);
    assert.equal(head.chunked, facts.chunked ?? false, what);
    if (facts.left !== undefined) assert.deepEqual(left(head), facts.left, what);
  }
});

test('101 names its protocol only with the Connection option', () => {
  const start = 'HTTP/1.1 101 Switching';
  assert.equal(
    accepted(response('Connection: Upgrade\r\nUpgrade: WebSocket\r\n', start)).upgrade,
    'websocket',
  );
  assert.equal(accepted(response('Upgrade: websocket\r\n', start)).upgrade, '');
  assert.equal(accepted(response('Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n')).upgrade, '');
});

/** A head full of options and a head full of lines must not multiply: 30 ms of work for 33 KiB would be an attack. */
test('options of Connection cost what they carry, however many', () => {
  const options = Array.from({ length: 3000 }, (_, index) => index.toString(36)).join(',');
  const names = Array.from({ length: 150 }, (_, index) => `N${index}: 1\r\n`).join('');
  const bad = request(`${HOST}Connection: ${options.slice(0, 8000)}\r\n${names}`);
  assert.equal(bad, 'MALFORMED');
  const few = Array.from({ length: 60 }, (_, index) => `n${index}`).join(',');
  const head = accepted(request(`${HOST}Connection: ${few}\r\n${names}`));
  assert.equal(left(head).length, 90);
});
