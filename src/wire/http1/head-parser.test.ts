import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesOf,
  comparable,
  everyByte,
  faultName,
  LIMITS,
  piecesOf,
  readRequests,
  readResponses,
} from '../../../test/support/wire-reader.ts';
import type { ReadOptions, Reading } from '../../../test/support/wire-reader.ts';
import { FieldLines } from './field-lines.ts';
import { RequestHeadParser, ResponseHeadParser } from './head-parser.ts';

const HOST = 'Host: a.test\r\n';
const get = (lines: string): string => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;

type Read = (pieces: readonly Buffer[], options?: ReadOptions) => Reading;

/** Reads the bytes whole, byte by byte and cut in two at every place: all must agree. Answers the common reading. */
function readEveryWay(read: Read, bytes: Buffer, options: ReadOptions = {}): Reading {
  const whole = read([bytes], options);
  const wanted = comparable(whole);
  assert.deepEqual(comparable(read(everyByte(bytes), options)), wanted, 'byte by byte');
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(comparable(read(piecesOf(bytes, [cut]), options)), wanted, `cut at ${cut}`);
  }
  return whole;
}

const ACCEPTED_REQUESTS: ReadonlyArray<
  readonly [what: string, text: string, method: string, target: string]
> = [
  ['plain', get(''), 'GET', '/'],
  ['one empty line before', `\r\n${get('')}`, 'GET', '/'],
  ['nginx method characters', `A_B-C / HTTP/1.1\r\n${HOST}\r\n`, 'A_B-C', '/'],
  ['POST', `POST /x HTTP/1.1\r\n${HOST}\r\n`, 'POST', '/x'],
  ['PUSH is not POST', `PUSH /x HTTP/1.1\r\n${HOST}\r\n`, 'PUSH', '/x'],
  ['GOT is not GET', `GOT /x HTTP/1.1\r\n${HOST}\r\n`, 'GOT', '/x'],
  ['bytes from 0x80 in the target', `GET /\x80\xff HTTP/1.1\r\n${HOST}\r\n`, 'GET', '/\x80\xff'],
  [
    'all other visible bytes',
    `GET /!"$%&'()*+,-./:;<=>?@[\\]^_\`{|}~ HTTP/1.1\r\n${HOST}\r\n`,
    'GET',
    '/!"$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
  ],
  ['absolute form', `GET http://b.test/p?q HTTP/1.1\r\n${HOST}\r\n`, 'GET', 'http://b.test/p?q'],
  ['asterisk', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 'OPTIONS', '*'],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 'GET', '/'],
];

test('request lines that are read', async (t) => {
  for (const [what, text, method, target] of ACCEPTED_REQUESTS) {
    await t.test(what, () => {
      const { messages, ending } = readEveryWay(readRequests, bytesOf(text));
      assert.equal(messages.length, 1, ending);
      assert.deepEqual(messages[0]?.start, [method, target]);
    });
  }
});

const FIELD_LINES: ReadonlyArray<readonly [line: string, name: string, value: string]> = [
  ['X-A: b', 'X-A', 'b'],
  ['X-A:b', 'X-A', 'b'],
  ['X-A:', 'X-A', ''],
  ['X-A: ', 'X-A', ''],
  ['X-A: \t ', 'X-A', ''],
  ['X-A: \t b \tc\t ', 'X-A', 'b \tc'],
  ['X-A: :b:', 'X-A', ':b:'],
  ["!#$%&'*+-.^_`|~09azAZ: v", "!#$%&'*+-.^_`|~09azAZ", 'v'],
  ['X-A: \x80\xa0\xff', 'X-A', '\x80\xa0\xff'],
  ['a: "quoted \\" text"', 'a', '"quoted \\" text"'],
];

test('field lines that are read', async (t) => {
  for (const [line, name, value] of FIELD_LINES) {
    await t.test(JSON.stringify(line), () => {
      const { messages } = readEveryWay(readRequests, bytesOf(get(`${line}\r\n`)));
      assert.deepEqual(messages[0]?.lines, [
        ['Host', 'a.test'],
        [name, value],
      ]);
    });
  }
});

/** Heads that are refused, and for what. */
const REFUSED_REQUESTS: ReadonlyArray<readonly [what: string, text: string, fault: string]> = [
  ['bare LF behind the request line', `GET / HTTP/1.1\n${HOST}\r\n`, 'MALFORMED'],
  ['bare CR behind the request line', `GET / HTTP/1.1\r${HOST}\r\n`, 'MALFORMED'],
  ['bare LF behind a field', get('X: 1\n'), 'MALFORMED'],
  ['bare CR behind a field', get('X: 1\rY: 2\r\n'), 'MALFORMED'],
  ['CR CR LF behind a field', get('X: 1\r\r\n'), 'MALFORMED'],
  ['bare LF at the end', `GET / HTTP/1.1\r\n${HOST}\n`, 'MALFORMED'],
  ['bare CR at the end', `GET / HTTP/1.1\r\n${HOST}\rGET / HTTP/1.1\r\n`, 'MALFORMED'],
  ['bare LF before', `\n${get('')}`, 'MALFORMED'],
  ['bare CR before', `\r${get('')}`, 'MALFORMED'],
  ['two empty lines before', `\r\n\r\n${get('')}`, 'MALFORMED'],
  ['space before', ` ${get('')}`, 'MALFORMED'],
  ['space before the colon', get('X : 1\r\n'), 'MALFORMED'],
  ['tab before the colon', get('X\t: 1\r\n'), 'MALFORMED'],
  ['folding by space', get('X: 1\r\n 2\r\n'), 'MALFORMED'],
  ['folding by tab', get('X: 1\r\n\t2\r\n'), 'MALFORMED'],
  ['folding before the first field', `GET / HTTP/1.1\r\n ${HOST}\r\n`, 'MALFORMED'],
  ['empty name', get(': 1\r\n'), 'MALFORMED'],
  ['no colon', get('X\r\n'), 'MALFORMED'],
  ['no colon, no name', get(' \r\n'), 'MALFORMED'],
  ['byte from 0x80 in a name', get('X\x80: 1\r\n'), 'MALFORMED'],
  ...['(', ')', ',', '/', ';', '<', '=', '>', '?', '@', '[', '\\', ']', '{', '}', '"'].map(
    (character) => [`${character} in a name`, get(`X${character}Y: 1\r\n`), 'MALFORMED'] as const,
  ),
  ['lower-case method', `get / HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['digit in the method', `GET1 / HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['no method', ` / HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['no target', `GET  HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['two spaces before the target', `GET  / HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['tab before the target', `GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['tab behind the target', `GET /\tHTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['two spaces before the version', `GET /  HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['space behind the version', `GET / HTTP/1.1 \r\n${HOST}\r\n`, 'MALFORMED'],
  ['fragment', `GET /#f HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['space in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['HTTP/0.9', `GET /\r\n${HOST}\r\n`, 'MALFORMED'],
  ['lower-case protocol', `GET / http/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['another protocol', `GET / HTTQ/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['no version', `GET / HTTP/\r\n${HOST}\r\n`, 'MALFORMED'],
  ['a version of three digits', `GET / HTTP/1.10\r\n${HOST}\r\n`, 'MALFORMED'],
  ['a version with a comma', `GET / HTTP/1,1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, 'VERSION'],
  ['HTTP/3.0', `GET / HTTP/3.0\r\n${HOST}\r\n`, 'VERSION'],
  ['authority form', `GET a.test:80 HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['CONNECT', `CONNECT a.test:80 HTTP/1.1\r\n${HOST}\r\n`, 'METHOD_NOT_ALLOWED'],
  ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 'METHOD_NOT_ALLOWED'],
  ['asterisk with GET', `GET * HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['asterisk and more', `OPTIONS *x HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['another scheme', `GET ftp://a.test/ HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
  ['no slash', `GET x HTTP/1.1\r\n${HOST}\r\n`, 'MALFORMED'],
];

test('requests that are refused', async (t) => {
  for (const [what, text, fault] of REFUSED_REQUESTS) {
    await t.test(what, () => {
      const { messages, ending } = readEveryWay(readRequests, bytesOf(text));
      assert.deepEqual([messages.length, ending], [0, fault]);
    });
  }
});

/** Every byte at every kind of place: what is not allowed there is refused, what is allowed is read as it is. */
test('each of the 256 bytes, in method, target, name and value', () => {
  const tchar = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;
  for (let code = 0; code < 256; code++) {
    const byte = String.fromCharCode(code);
    const control = code < 0x20 || code === 0x7f;
    const places: ReadonlyArray<readonly [place: string, text: string, allowed: boolean]> = [
      ['method', `G${byte}T / HTTP/1.1\r\n${HOST}\r\n`, /[A-Z_-]/.test(byte)],
      ['target', `GET /${byte}x HTTP/1.1\r\n${HOST}\r\n`, !control && byte !== ' ' && byte !== '#'],
      ['name', get(`X${byte}Y: 1\r\n`), tchar.test(byte) || byte === ':'],
      ['value', get(`X: a${byte}b\r\n`), !control || byte === '\t'],
    ];
    for (const [place, text, allowed] of places) {
      const { messages, ending } = readRequests([bytesOf(text)]);
      assert.equal(messages.length === 1, allowed, `0x${code.toString(16)} in the ${place}: ${ending}`);
    }
    const reason = `HTTP/1.1 204 a${byte}b\r\n\r\n`;
    const { messages } = readResponses([bytesOf(reason)]);
    assert.equal(messages.length === 1, !control || byte === '\t', `0x${code.toString(16)} in the reason`);
  }
});

const VERSIONS: ReadonlyArray<readonly [string, string]> = [
  ['HTTP/1.0', '1.0'],
  ['HTTP/1.1', '1.1'],
  ['HTTP/1.2', '1.1'],
  ['HTTP/1.9', '1.1'],
];

test('minor versions above 1 are read as 1.1', () => {
  for (const [version, wanted] of VERSIONS) {
    const { messages } = readEveryWay(readRequests, bytesOf(`GET / ${version}\r\n${HOST}\r\n`));
    assert.equal(messages[0]?.version, wanted, version);
    const response = readEveryWay(readResponses, bytesOf(`${version} 204 No\r\n\r\n`));
    assert.equal(response.messages[0]?.version, wanted, version);
  }
});

const STATUS_LINES: ReadonlyArray<readonly [line: string, status: string, reason: string]> = [
  ['HTTP/1.1 200 OK', '200', 'OK'],
  ['HTTP/1.1 200 No', '200', 'No'],
  ['HTTP/1.1 204 ', '204', ''],
  ['HTTP/1.1 204', '204', ''],
  ['HTTP/1.1 204  two', '204', ' two'],
  ['HTTP/1.1 404 Not \xe9t\xe9 Found', '404', 'Not \xe9t\xe9 Found'],
  ['HTTP/1.1 999 x', '999', 'x'],
];

test('status lines that are read', () => {
  for (const [line, status, reason] of STATUS_LINES) {
    const { messages } = readEveryWay(readResponses, bytesOf(`${line}\r\nContent-Length: 0\r\n\r\n`));
    assert.deepEqual(messages[0]?.start, [status, reason], line);
  }
});

const REFUSED_RESPONSES: readonly string[] = [
  '\r\nHTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 200 OK\n\r\n',
  'HTTP/1.1 200 OK\rX: 1\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  'HTTP/1.1\t200 OK\r\n\r\n',
  'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/1.1 099 OK\r\n\r\n',
  'HTTP/1.1 2x0 OK\r\n\r\n',
  'HTTP/1.1 200\tOK\r\n\r\n',
  'HTTP/1.x 200 OK\r\n\r\n',
  'HTTP/2.0 200 OK\r\n\r\n',
  'HTTP/1.1x200 OK\r\n\r\n',
  'http/1.1 200 OK\r\n\r\n',
  'ICY 200 OK\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX : 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\n X: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX: 1\n\r\n',
  'HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n',
  'HTTP/1.1 200 OK\r\n: b\r\n\r\n',
];

test('responses that are refused', () => {
  for (const text of REFUSED_RESPONSES) {
    const { messages, ending } = readEveryWay(readResponses, bytesOf(text));
    assert.deepEqual([messages.length, ending], [0, 'MALFORMED'], JSON.stringify(text));
  }
});

// Limits.

const SMALL = { lineBytes: 40, headBytes: 100, lines: 4 };

/** A request whose request line, its CRLF included, has `octets`. */
function withLine(octets: number): string {
  return `GET /${'a'.repeat(octets - 'GET / HTTP/1.1\r\n'.length)} HTTP/1.1\r\n${HOST}\r\n`;
}

/** A field line of `octets`, its CRLF included. */
const field = (octets: number): string => `X: ${'a'.repeat(octets - 5)}\r\n`;

const BOUNDARIES: ReadonlyArray<readonly [what: string, text: string, ending: string]> = [
  ['a request line at the limit', withLine(40), 'idle'],
  ['a request line beyond it', withLine(41), 'TARGET_TOO_LONG'],
  ['a field line at the limit', get(field(40)), 'idle'],
  ['a field line beyond it', get(field(41)), 'FIELDS_TOO_LARGE'],
  // 16 octets of request line, 14 of Host, 2 of the empty line.
  ['a head at the limit', get(field(40) + field(28)), 'idle'],
  ['a head beyond it by the empty line', get(field(40) + field(29)), 'FIELDS_TOO_LARGE'],
  ['a head beyond it by a field line', get(field(40) + field(31)), 'FIELDS_TOO_LARGE'],
  ['as many lines as may be', get('A:\r\nB:\r\nC:\r\n'), 'idle'],
  ['one more', get('A:\r\nB:\r\nC:\r\nD:\r\n'), 'FIELDS_TOO_LARGE'],
];

test('limits of line, head and number of lines, to the octet', async (t) => {
  for (const [what, text, wanted] of BOUNDARIES) {
    await t.test(what, () => {
      const { ending } = readEveryWay(readRequests, bytesOf(text), { limits: SMALL });
      assert.equal(ending, wanted);
    });
  }
});

test('an endless line is refused when it passes the limit, however it comes', () => {
  const cases: ReadonlyArray<readonly [start: string, endless: string, fault: string]> = [
    ['GET /', 'a', 'TARGET_TOO_LONG'],
    ['G', 'G', 'TARGET_TOO_LONG'],
    ['GET / HTTP/1.1\r\nX', 'x', 'FIELDS_TOO_LARGE'],
    ['GET / HTTP/1.1\r\nX:', ' ', 'FIELDS_TOO_LARGE'],
    ['GET / HTTP/1.1\r\nX: ', 'x', 'FIELDS_TOO_LARGE'],
  ];
  for (const [start, endless, fault] of cases) {
    for (const size of [1, 7, 1000]) {
      const pieces = [bytesOf(start), ...Array.from({ length: 200 }, () => bytesOf(endless.repeat(size)))];
      assert.equal(readRequests(pieces, { limits: SMALL }).ending, fault, `${start} by ${size}`);
    }
  }
  const lines = [bytesOf('GET / HTTP/1.1\r\n'), ...Array.from({ length: 200 }, () => bytesOf('A:\r\n'))];
  assert.equal(readRequests(lines, { limits: SMALL }).ending, 'FIELDS_TOO_LARGE');
});

test('a parser is used for one head after the other, also behind a refused one', () => {
  const parser = new RequestHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  const bad = bytesOf(get('X : 1\r\n'));
  assert.equal(faultName(parser.parse(bad, 0, bad.length)), 'MALFORMED');
  parser.reset();
  for (const name of ['One', 'Two']) {
    const bytes = bytesOf(get(`${name}: 1\r\n`));
    assert.equal(parser.parse(bytes, 0, bytes.length), bytes.length);
    assert.deepEqual([parser.fields.count, parser.fields.get(name.toLowerCase())], [2, '1']);
    parser.reset();
  }
});

test('what stands behind the head is not touched', () => {
  const requests = new RequestHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  const responses = new ResponseHeadParser(new FieldLines(Buffer.alloc(0)), LIMITS);
  for (const [parser, head] of [
    [requests, get('')],
    [responses, 'HTTP/1.1 200 OK\r\nX: 1\r\n\r\n'],
  ] as const) {
    const bytes = bytesOf(`#${head}\x00\r\n\n`);
    assert.equal(parser.parse(bytes, 1, bytes.length), head.length + 1);
  }
});

test('a thousand requests in one read, and in reads of any size', () => {
  const bytes = bytesOf(get('X: 1\r\n').repeat(1000));
  for (const size of [bytes.length, 1, 3, 1000, 4096]) {
    const cuts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
    assert.equal(readRequests(piecesOf(bytes, cuts)).messages.length, 1000, String(size));
  }
});
