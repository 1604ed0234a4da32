/**
 * HTTP/2 requests that must not go on: with raw frames, as no library sends them. Each is refused with the reset of its
 * stream or with a status, nothing of it comes to the upstream, and the connection goes on serving.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import {
  block,
  CODE,
  connectHttp2,
  FLAG,
  FRAME,
  frame,
  type Fields,
  get,
  type Outcome,
} from '../support/http2-raw.ts';
import { freePort } from '../support/ports.ts';
import { startHttpUpstream } from '../support/upstream.ts';

const seen: string[] = [];
const bodies: string[] = [];
const trailers: string[] = [];
let names: readonly string[] = [];
const upstream = await startHttpUpstream(async (request, response) => {
  seen.push(`${request.method} ${request.url}`);
  names = request.rawHeaders.filter((_, index) => index % 2 === 0);
  let body = '';
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString('latin1');
  bodies.push(body);
  trailers.push(...request.rawTrailers);
  response.end('ok');
});
const plane = await startPlane(upstream.port, {
  settings: { proxy_listen: `127.0.0.1:${await freePort()} http2` },
});
after(async () => {
  await plane[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const PROTOCOL: Outcome = { reset: CODE.protocol };
const status = (code: number): Outcome => ({ status: code });

/** A request with some of its pseudo-headers replaced; null leaves one out. */
function pseudo(changes: Readonly<Record<string, string | null>>, more: Fields = []): Fields {
  const fields: [string, string][] = [];
  for (const [name, value] of get()) {
    const change = changes[name];
    if (change === null) continue;
    fields.push([name, change ?? value]);
  }
  return [...fields, ...more];
}
const also = (name: string, value: string): Fields => get('/', [[name, value]]);

const HEADS: ReadonlyArray<readonly [what: string, fields: Fields, outcome: Outcome]> = [
  ['no :method', pseudo({ ':method': null }), PROTOCOL],
  ['no :scheme', pseudo({ ':scheme': null }), PROTOCOL],
  ['no :path', pseudo({ ':path': null }), PROTOCOL],
  ['an empty :path', pseudo({ ':path': '' }), PROTOCOL],
  ['an empty :method', pseudo({ ':method': '' }), PROTOCOL],
  ['an empty :scheme', pseudo({ ':scheme': '' }), PROTOCOL],
  ['an empty :authority', pseudo({ ':authority': '' }), PROTOCOL],
  ['neither :authority nor host', pseudo({ ':authority': null }), PROTOCOL],
  [':method twice', also(':method', 'GET'), PROTOCOL],
  [':path twice', get('/', [[':path', '/']]), PROTOCOL],
  [':scheme twice', get('/', [[':scheme', 'http']]), PROTOCOL],
  [':authority twice', get('/', [[':authority', 'example.test']]), PROTOCOL],
  ['an unknown pseudo-header', also(':foo', 'bar'), PROTOCOL],
  [':status in a request', also(':status', '200'), PROTOCOL],
  [':protocol without CONNECT', also(':protocol', 'websocket'), PROTOCOL],
  ['a pseudo-header behind a regular one', [['a', 'b'], ...get()], PROTOCOL],
  ['an upper-case name', also('X-Upper', '1'), PROTOCOL],
  ['connection', also('connection', 'close'), PROTOCOL],
  ['keep-alive', also('keep-alive', 'timeout=5'), PROTOCOL],
  ['proxy-connection', also('proxy-connection', 'close'), PROTOCOL],
  ['transfer-encoding', also('transfer-encoding', 'chunked'), PROTOCOL],
  ['upgrade', also('upgrade', 'websocket'), PROTOCOL],
  ['te: gzip', also('te', 'gzip'), PROTOCOL],
  ['te: trailers, gzip', also('te', 'trailers, gzip'), PROTOCOL],
  ['a method of small letters', pseudo({ ':method': 'get' }), status(400)],
  ['a method with a space', pseudo({ ':method': 'GET /x HTTP/1.1' }), PROTOCOL],
  ['a method with CRLF', pseudo({ ':method': 'GET / HTTP/1.1\r\nx: y' }), PROTOCOL],
  ['a method that is a token but no method', pseudo({ ':method': 'GET!' }), status(400)],
  ['TRACE', pseudo({ ':method': 'TRACE' }), status(405)],
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'example.test:443'],
    ],
    status(405),
  ],
  ['CONNECT with :path', pseudo({ ':method': 'CONNECT' }), PROTOCOL],
  ['a path with a space', pseudo({ ':path': '/a b' }), PROTOCOL],
  ['a path with CRLF', pseudo({ ':path': '/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /' }), PROTOCOL],
  ['a path with NUL', pseudo({ ':path': '/\0' }), PROTOCOL],
  ['a path with DEL', pseudo({ ':path': '/\x7f' }), PROTOCOL],
  ['a path with a fragment', pseudo({ ':path': '/a#b' }), status(400)],
  ['an absolute :path', pseudo({ ':path': 'http://evil.test/' }), PROTOCOL],
  ['a relative :path', pseudo({ ':path': 'admin' }), PROTOCOL],
  ['* with GET', pseudo({ ':path': '*' }), PROTOCOL],
  ['a scheme with a space', pseudo({ ':scheme': 'http x' }), PROTOCOL],
  ['a scheme with CRLF', pseudo({ ':scheme': 'http\r\nx: y' }), PROTOCOL],
  ['a scheme that is not HTTP', pseudo({ ':scheme': 'ftp' }), status(400)],
  ['user information in :authority', pseudo({ ':authority': 'user@example.test' }), PROTOCOL],
  ['a slash in :authority', pseudo({ ':authority': 'example.test/x' }), PROTOCOL],
  ['a space in :authority', pseudo({ ':authority': 'example.test evil' }), PROTOCOL],
  ['CRLF in :authority', pseudo({ ':authority': 'example.test\r\nx: y' }), PROTOCOL],
  ['a port of letters in :authority', pseudo({ ':authority': 'example.test:http' }), status(400)],
  ['another host', also('host', 'evil.test'), status(400)],
  [
    'host twice',
    pseudo({ ':authority': null }, [
      ['host', 'a.test'],
      ['host', 'a.test'],
    ]),
    PROTOCOL,
  ],
  [
    'host twice beside :authority',
    get('/', [
      ['host', 'example.test'],
      ['host', 'example.test'],
    ]),
    PROTOCOL,
  ],
  ['user information in host', pseudo({ ':authority': null }, [['host', 'user@a.test']]), PROTOCOL],
  ['content-length with END_STREAM', also('content-length', '5'), PROTOCOL],
  ['content-length of letters', also('content-length', 'five'), PROTOCOL],
  ['a signed content-length', also('content-length', '+5'), PROTOCOL],
  ['content-length with leading zeros', also('content-length', '00'), status(400)],
  [
    'content-length twice',
    get('/', [
      ['content-length', '0'],
      ['content-length', '0'],
    ]),
    PROTOCOL,
  ],
  ['a list of content-lengths', also('content-length', '0, 0'), PROTOCOL],
  ['an empty content-length', also('content-length', ''), PROTOCOL],
  ['white space before a value', also('x-bad', ' a'), status(400)],
  ['white space behind a value', also('x-bad', 'a '), status(400)],
  ['a tab behind a value', also('x-bad', 'a\t'), status(400)],
  ['white space behind a cookie', also('cookie', 'a=b '), status(400)],
  ['white space behind te', also('te', 'trailers '), PROTOCOL],
  ['white space behind content-length', also('content-length', '0 '), PROTOCOL],
  ['content-length with a NUL', also('content-length', '0\0'), PROTOCOL],
  ['expect of something else', also('expect', 'the-spanish-inquisition'), status(417)],
  ['a field over a buffer', also('x-long', 'a'.repeat(9000)), status(400)],
  ['a target over a buffer', pseudo({ ':path': `/${'a'.repeat(9000)}` }), status(414)],
  [
    'more fields than max_header_lines',
    get(
      '/',
      Array.from({ length: 201 }, (_, i) => [`x-${i}`, 'v'] as const),
    ),
    status(400),
  ],
];

const show = (fields: Fields): string =>
  fields.length > 12 ? '' : fields.map((pair) => pair.join('=').slice(0, 60)).join(' ');

for (const [what, fields, outcome] of HEADS) {
  test(`refused: ${what}`, async () => {
    await using client = await connectHttp2(plane.port);
    seen.length = 0;
    const stream = client.request(fields);
    assert.deepEqual(await client.outcome(stream), outcome, show(fields));
    // The connection goes on, and the upstream has seen nothing but what was allowed.
    assert.deepEqual(await client.outcome(client.request(get('/next'))), { status: 200 });
    assert.deepEqual(seen, ['GET /next']);
  });
}

/** nghttp2 leaves a field out whose value or name has octets that none may have: the request goes on without it. */
const LEFT_OUT: ReadonlyArray<readonly [what: string, name: string, value: string]> = [
  ['NUL in a value', 'x-bad', 'a\0b'],
  ['CR in a value', 'x-bad', 'a\rb'],
  ['LF in a value', 'x-bad', 'a\nb'],
  ['CRLF and a line in a value', 'x-bad', 'a\r\nx-smuggled: 1'],
  ['CRLF and a request in a value', 'x-bad', 'a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
  ['DEL in a value', 'x-bad', 'a\x7fb'],
  ['a control character in a value', 'x-bad', 'a\x01b'],
  ['CRLF in a cookie', 'cookie', 'a=b\r\nx-smuggled: 1'],
  ['a name with a colon', 'x-bad:', 'a'],
  ['a name with a space', 'x bad', 'a'],
  ['a name with CRLF', 'x-bad: a\r\nx-smuggled', 'b'],
  ['an empty name', '', 'a'],
  ['a name with NUL', 'x-bad\0', 'a'],
  ['a name with an octet from 0x80', 'x-b\xe4d', 'a'],
  ['transfer-encoding with a space behind its name', 'transfer-encoding ', 'chunked'],
  ['transfer-encoding with a NUL in its name', 'transfer-encoding\0', 'chunked'],
  ['host with white space before it', 'host', ' evil.test'],
  ['host with CRLF', 'host', 'example.test\r\nx-smuggled: 1'],
];

/** Names that the upstream gets of `GET /` without any field, in order. */
async function plainNames(port: number): Promise<readonly string[]> {
  await using client = await connectHttp2(port);
  await client.outcome(client.request(get()));
  return names;
}

for (const [what, name, value] of LEFT_OUT) {
  test(`left out: ${what}`, async () => {
    const plain = await plainNames(plane.port);
    await using client = await connectHttp2(plane.port);
    assert.deepEqual(await client.outcome(client.request(get('/', [[name, value]]))), { status: 200 });
    assert.deepEqual(names, plain);
  });
}

/**
 * Bodies that are not what the head said; what of them may come to the upstream is never a whole message. For one that is
 * too long `node:http2` ends the whole connection.
 */
const LOST: Outcome = { goaway: CODE.internal };
const BODIES: ReadonlyArray<
  readonly [what: string, length: string | null, data: readonly string[], outcome: Outcome]
> = [
  ['as long as it says', '5', ['he', 'llo'], { status: 200 }],
  ['of unknown length', null, ['he', 'llo'], { status: 200 }],
  ['empty, of unknown length', null, [''], { status: 200 }],
  ['empty, and said so', '0', [''], { status: 200 }],
  ['shorter than it says', '6', ['he', 'llo'], PROTOCOL],
  ['longer than it says', '4', ['he', 'llo'], LOST],
  ['longer in its first frame', '4', ['hello'], LOST],
  ['there, where the head says 0', '0', ['hello'], LOST],
];

for (const [what, length, data, outcome] of BODIES) {
  for (const buffering of [true, false]) {
    test(`body ${what}, ${buffering ? 'buffered' : 'streamed'}`, async () => {
      await using own = await startPlane(upstream.port, {
        settings: { proxy_listen: `127.0.0.1:${await freePort()} http2` },
        route: { requestBuffering: buffering },
      });
      await using client = await connectHttp2(own.port);
      seen.length = bodies.length = 0;
      const fields: Fields = length === null ? [] : [['content-length', length]];
      const stream = client.request([[':method', 'POST'], ...get('/', fields).slice(1)], 0);
      for (const [index, piece] of data.entries()) client.data(stream, piece, index === data.length - 1);
      assert.deepEqual(await client.outcome(stream), outcome);
      await using other = await connectHttp2(own.port);
      assert.deepEqual(await other.outcome(other.request(get('/next'))), { status: 200 });
      assert.deepEqual(bodies, 'status' in outcome ? [data.join(''), ''] : ['']);
    });
  }
}

const TRAILERS: ReadonlyArray<readonly [what: string, fields: Fields, trailers: readonly string[] | null]> = [
  [
    'plain',
    [
      ['x-a', '1'],
      ['x-b', '2'],
    ],
    ['x-a', '1', 'x-b', '2'],
  ],
  [
    'none that goes on',
    [
      ['content-length', '5'],
      ['x-forwarded-for', '9.9.9.9'],
    ],
    [],
  ],
  ['a pseudo-header', [[':path', '/evil']], null],
  ['an upper-case name', [['X-A', '1']], null],
  ['connection-specific', [['transfer-encoding', 'chunked']], null],
  [
    'CRLF in a value',
    [
      ['x-a', '1\r\n\r\nGET /smuggled HTTP/1.1'],
      ['x-b', '2'],
    ],
    ['x-b', '2'],
  ],
];

for (const [what, fields, expected] of TRAILERS) {
  test(`trailers: ${what}`, async () => {
    await using client = await connectHttp2(plane.port);
    seen.length = trailers.length = 0;
    const stream = client.request([[':method', 'POST'], ...get().slice(1)], 0);
    client.data(stream, 'hello');
    client.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, block(fields)));
    assert.deepEqual(await client.outcome(stream), expected === null ? PROTOCOL : { status: 200 });
    assert.deepEqual(seen, expected === null ? [] : ['POST /']);
    assert.deepEqual(trailers, expected ?? []);
  });
}
