import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, everyByte, faultName, piecesOf } from '../../../test/support/wire-reader.ts';
import { BodyReader } from './body-reader.ts';

interface Result {
  readonly body: string;
  readonly trailers: readonly string[] | null;
  readonly ended: number;
  /** Octets that belonged to the body, or a fault's name. */
  readonly taken: number | string;
}

type Start = (reader: BodyReader) => void;

const TRAILER_LIMIT = 200;
const chunked: Start = (reader) => reader.startChunked(TRAILER_LIMIT);

function read(start: Start, pieces: readonly Buffer[]): Result {
  const body: string[] = [];
  let trailers: readonly string[] | null = null;
  let ended = 0;
  const reader = new BodyReader({
    bodyData(chunk) {
      assert.ok(chunk.length > 0, 'an empty chunk was handed on');
      assert.equal(ended, 0, 'data behind the end');
      body.push(chunk.toString('latin1'));
    },
    bodyEnd(list) {
      trailers = list;
      ended++;
    },
  });
  start(reader);
  let taken: number | string = 0;
  for (const piece of pieces) {
    if (reader.done) break;
    // Between junk that would end a chunked body.
    const buffer = Buffer.concat([bytesOf('0\r\n\r\n'), piece, bytesOf('\n0\r\n\r\n')]);
    const next = reader.read(buffer, 5, 5 + piece.length);
    if (next < 0) {
      taken = faultName(next);
      break;
    }
    taken += next - 5;
    buffer.fill('?');
  }
  return { body: body.join(''), trailers, ended, taken };
}

/** Whole, byte by byte, cut in two everywhere: one answer. */
function readEveryWay(start: Start, text: string): Result {
  const bytes = bytesOf(text);
  const whole = read(start, [bytes]);
  assert.deepEqual(read(start, everyByte(bytes)), whole, 'byte by byte');
  for (let cut = 1; cut < bytes.length; cut++)
    assert.deepEqual(read(start, piecesOf(bytes, [cut])), whole, `cut at ${cut}`);
  return whole;
}

test('a body by length ends at its last octet', () => {
  for (const length of [1, 2, 5]) {
    const result = readEveryWay((reader) => reader.startLength(length), '12345GET /');
    assert.deepEqual(result, { body: '12345'.slice(0, length), trailers: null, ended: 1, taken: length });
  }
  const short = readEveryWay((reader) => reader.startLength(6), '12345');
  assert.deepEqual(short, { body: '12345', trailers: null, ended: 0, taken: 5 });
});

test('a body of no octets is done at once and has no end event', () => {
  const result = read((reader) => reader.startLength(0), [bytesOf('x')]);
  assert.deepEqual(result, { body: '', trailers: null, ended: 0, taken: 0 });
});

test('a body until close ends with the connection, and only such a one', () => {
  let ended = 0;
  const reader = new BodyReader({ bodyData: () => {}, bodyEnd: () => ended++ });
  reader.startUntilClose();
  assert.equal(reader.read(bytesOf('abc'), 0, 3), 3);
  assert.deepEqual([reader.done, reader.finishAtClose(), reader.done, ended], [false, true, true, 1]);
  assert.equal(reader.finishAtClose(), false);
  for (const start of [chunked, (other: BodyReader) => other.startLength(5)]) {
    start(reader);
    assert.equal(reader.finishAtClose(), false);
  }
  assert.equal(ended, 1);
});

const ACCEPTED: ReadonlyArray<readonly [text: string, body: string, trailers?: readonly string[]]> = [
  ['0\r\n\r\n', ''],
  ['3\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'abc'],
  ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
  ['a\r\n0123456789\r\n000\r\n\r\n', '0123456789'],
  ['0000000000003\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['2\r\n\r\n\r\n0\r\n\r\n', '\r\n'],
  ['5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'],
  ['3;a=b\r\nabc\r\n0;c\r\n\r\n', 'abc'],
  ['3;\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['3; a = "b;\\"c" \t\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['0\r\nX: 1\r\n\r\n', '', ['X', '1']],
  ['0\r\nX:\t 1 2 \t\r\ny:\r\nX: 3\r\n\r\n', '', ['X', '1 2', 'y', '', 'X', '3']],
  ['0\r\nX: \x80\xff\r\n\r\n', '', ['X', '\x80\xff']],
];

test('chunked bodies that are read', () => {
  for (const [text, body, trailers] of ACCEPTED) {
    const { length } = text;
    assert.deepEqual(
      readEveryWay(chunked, `${text}GET / HTTP/1.1\r\n`),
      { body, trailers: trailers ?? null, ended: 1, taken: length },
      JSON.stringify(text),
    );
  }
});

const REFUSED: readonly string[] = [
  '\r\n',
  '\n',
  ';\r\n',
  '+3\r\nabc\r\n',
  '-3\r\nabc\r\n',
  ' 3\r\nabc\r\n',
  '3 \r\nabc\r\n',
  '3 ;a\r\nabc\r\n',
  '3\t\r\nabc\r\n',
  '0x3\r\nabc\r\n',
  'g\r\n',
  '3h\r\nabc\r\n',
  '3,3\r\nabc\r\n',
  '3.0\r\nabc\r\n',
  '3\nabc\r\n',
  '3\rabc\r\n',
  '3\r\r\nabc\r\n',
  '3\x00\r\nabc\r\n',
  '3\r\nabc\n0\r\n\r\n',
  '3\r\nabc\r0\r\n\r\n',
  '3\r\nabc0\r\n\r\n',
  '3\r\nabcd\r\n0\r\n\r\n',
  '3\r\nabc\r\n\r\n',
  '3;a\nabc\r\n',
  '3;a\rabc\r\n',
  '3;a\x00\r\nabc\r\n',
  '3;a\x7f\r\nabc\r\n',
  '00000000000003\r\nabc\r\n',
  'fffffffffffffff\r\n',
  'ffffffffffffffff\r\n',
  '10000000000000003\r\nabc\r\n',
  '0\r\n\n',
  '0\r\n\rX: 1\r\n',
  '0\r\nX\r\n\r\n',
  '0\r\n: 1\r\n\r\n',
  '0\r\nX : 1\r\n\r\n',
  '0\r\n X: 1\r\n\r\n',
  '0\r\nX: 1\r\n 2\r\n\r\n',
  '0\r\nX: 1\n\r\n',
  '0\r\nX: 1\rY: 2\r\n\r\n',
  '0\r\nX: a\x00b\r\n\r\n',
  '0\r\nX(: 1\r\n\r\n',
  '0\r\nX\x80: 1\r\n\r\n',
];

test('chunked bodies that are refused', () => {
  for (const text of REFUSED) {
    const { taken, ended } = readEveryWay(chunked, text);
    // What is cut short may still want more: then the next line's end must not be taken for good.
    assert.deepEqual([taken, ended], ['CHUNK', 0], JSON.stringify(text));
  }
});

test('a size of 13 digits is read, exactly', () => {
  const reader = new BodyReader({ bodyData: () => {}, bodyEnd: () => {} });
  reader.startChunked(TRAILER_LIMIT);
  const bytes = bytesOf('fffffffffffff\r\nabc');
  assert.equal(reader.read(bytes, 0, bytes.length), bytes.length);
  assert.equal(reader.done, false);
});

test('extensions: of one line up to 4 KiB, of all as much as there is data, and 64 KiB', () => {
  const extension = (octets: number): string => `;${'x'.repeat(octets - 1)}`;
  // The CR that ends the line is counted, too.
  const at = read(chunked, [bytesOf(`1;${'x'.repeat(4095)}\r\na\r\n0\r\n\r\n`)]);
  assert.equal(at.ended, 1);
  const beyond = read(chunked, [bytesOf(`1;${'x'.repeat(4096)}\r\na\r\n0\r\n\r\n`)]);
  assert.equal(beyond.taken, 'CHUNK');
  const many = `1${extension(1000)}\r\na\r\n`;
  assert.equal(read(chunked, [bytesOf(`${many.repeat(60)}0\r\n\r\n`)]).ended, 1);
  assert.equal(read(chunked, [bytesOf(`${many.repeat(70)}0\r\n\r\n`)]).taken, 'CHUNK');
  const paid = `${(2000).toString(16)}${extension(1000)}\r\n${'a'.repeat(2000)}\r\n`;
  assert.equal(read(chunked, [bytesOf(`${paid.repeat(500)}0\r\n\r\n`)]).ended, 1);
});

test('trailers up to their limit, to the octet, whatever the cuts', () => {
  const line = (octets: number): string => `X: ${'a'.repeat(octets - 5)}\r\n`;
  // The empty line is counted.
  assert.equal(readEveryWay(chunked, `0\r\n${line(100)}${line(98)}\r\n`).ended, 1);
  assert.equal(readEveryWay(chunked, `0\r\n${line(100)}${line(99)}\r\n`).taken, 'CHUNK');
  assert.equal(readEveryWay(chunked, `0\r\nX: ${'a'.repeat(300)}`).taken, 'CHUNK');
});

test('trailers that frame, route or control are dropped', () => {
  const names = [
    'Transfer-Encoding',
    'Content-Length',
    'HOST',
    'connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Authorization',
    'Proxy-Authorization',
    'Cookie',
    'Set-Cookie',
    'Content-Encoding',
    'Content-Type',
    'Content-Range',
    'Cache-Control',
    'Max-Forwards',
    'Range',
    'Via',
    'Forwarded',
    'Proxy',
    'X-Real-IP',
    'X-Forwarded-For',
    'x-kong-request-id',
    'X-Consumer-Username',
    'X-Credential-Identifier',
    'X-Anonymous-Consumer',
  ];
  const text = names.map((name) => `${name}: 1\r\n`).join('');
  const big: Start = (reader) => reader.startChunked(10_000);
  assert.deepEqual(read(big, [bytesOf(`0\r\n${text}X-Kept: 1\r\n\r\n`)]).trailers, ['X-Kept', '1']);
});

test('a reader stopped by its sink hands on nothing more, at whatever chunk', () => {
  for (const [start, text] of [
    [chunked, '1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n'],
    [(reader: BodyReader) => reader.startUntilClose(), 'abc'],
    [(reader: BodyReader) => reader.startLength(3), 'abc'],
  ] as const) {
    for (const stopAt of [1, 2, 3]) {
      const events: string[] = [];
      const reader = new BodyReader({
        bodyData(chunk) {
          events.push(chunk.toString('latin1'));
          if (events.length === stopAt) reader.stop();
        },
        bodyEnd: () => void events.push('end'),
      });
      start(reader);
      for (const byte of everyByte(bytesOf(text))) reader.read(byte, 0, 1);
      assert.deepEqual(events, ['a', 'b', 'c'].slice(0, stopAt), text);
      assert.equal(reader.done, true);
      events.length = 0;
      chunked(reader);
      reader.read(bytesOf('0\r\n\r\n'), 0, 5);
      assert.deepEqual(events, ['end'], 'it can be used again');
    }
  }
});

test('what must still come', () => {
  const reader = new BodyReader({ bodyData: () => {}, bodyEnd: () => {} });
  assert.equal(reader.remaining, 0);
  reader.startLength(5);
  reader.read(bytesOf('ab'), 0, 2);
  assert.equal(reader.remaining, 3);
  chunked(reader);
  assert.equal(reader.remaining, Infinity);
  reader.stop();
  assert.equal(reader.remaining, 0);
});

test('white space inside a trailer costs one look an octet', () => {
  // A trimming expression looks at each run again from each of its places: this text would take minutes.
  const spaces = ' '.repeat(1_000_000);
  const big: Start = (reader) => reader.startChunked(3_000_000);
  const { trailers } = read(big, [bytesOf(`0\r\nX: a${spaces}b${spaces}\r\n\r\n`)]);
  assert.ok(trailers?.[1] === `a${spaces}b`);
});
