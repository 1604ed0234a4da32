/**
 * Whatever an HTTP/2 client sends, what leaves for an HTTP/1.1 upstream is either nothing or one message with the same
 * meaning: read by Node's own parser, which shares no code with ours. Requests are made of fragments that have been used
 * to smuggle.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { startHttp2Plane } from '../support/http2-plane.ts';
import { block, connectHttp2, type Fields, FLAG, FRAME, frame, type RawHttp2 } from '../support/http2-raw.ts';
import { startHttpUpstream } from '../support/upstream.ts';
import '../support/fixed-seed.ts';

const RUNS = Number(process.env['HTTP2_RUNS'] ?? 300);

const NASTY = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '#',
  '?',
  '/',
  '@',
  '\x7f',
  '\xe4',
  ',',
  'chunked',
  '0',
  'HTTP/1.1',
];
const fragment = fc.array(
  fc.oneof(fc.constantFrom(...NASTY), fc.string({ maxLength: 5, unit: 'grapheme-ascii' })),
  { maxLength: 4 },
);
const nasty = fragment.map((parts) => parts.join(''));
const mostly = (usual: string): fc.Arbitrary<string> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: nasty });

const NAMES = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'expect',
  'cookie',
  'x-a',
  'X-A',
  'trailer',
  'proxy',
];
const VALUES = [
  '5',
  '0',
  '05',
  '5, 5',
  'chunked',
  'close',
  'trailers',
  '100-continue',
  'a=b',
  'example.test',
  'websocket',
];
const field = fc.tuple(
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: nasty }),
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...VALUES) }, { weight: 1, arbitrary: nasty }),
);

const request = fc.record({
  method: fc.oneof(mostly('POST'), fc.constantFrom('GET', 'OPTIONS', 'get', 'TRACE', 'CONNECT')),
  scheme: mostly('http'),
  authority: mostly('example.test'),
  path: mostly('/a?b'),
  fields: fc.array(field, { maxLength: 3 }),
  data: fc.array(fc.constantFrom('hello', '', '0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'), {
    maxLength: 3,
  }),
  ends: fc.boolean(),
});

interface Seen {
  readonly line: string;
  readonly names: readonly string[];
  readonly body: string;
}

/** What our gateway adds to or makes of a request: never what a client wrote. */
const OWN =
  /^(?:host|connection|via|x-real-ip|x-forwarded-.*|x-kong-request-id|content-length|transfer-encoding|te)$/i;

test('a request is one message upstream with its own meaning, or none', async () => {
  const seen: Seen[] = [];
  await using upstream = await startHttpUpstream(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming as AsyncIterable<Buffer>) body += chunk.toString('latin1');
    const names = incoming.rawHeaders.filter((_, index) => index % 2 === 0);
    seen.push({ line: `${incoming.method} ${incoming.url}`, names, body });
    response.end();
  });
  await using plane = await startHttp2Plane(upstream.port);
  let client = await connectHttp2(plane.port);
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(request, async ({ method, scheme, authority, path, fields, data, ends }) => {
      if (client.closed || client.of(FRAME.goaway).length > 0) {
        await client[Symbol.asyncDispose]();
        client = await connectHttp2(plane.port);
      }
      seen.length = 0;
      const head: Fields = [
        [':method', method],
        [':scheme', scheme],
        [':authority', authority],
        [':path', path],
        ...fields,
      ];
      const ended = ends || data.length === 0;
      const outcome = await client.outcome(send(client, head, ended ? [] : data));
      assert.ok(seen.length <= 1, 'more than one message');
      const status = 'status' in outcome ? outcome.status : 0;
      // What the upstream answered it has seen, and what we refused it has not.
      if (status === 200) assert.equal(seen.length, 1);
      else assert.equal(seen.length, 0, JSON.stringify(outcome));
      const [message] = seen;
      if (message === undefined) return;
      answered++;
      assert.deepEqual([message.line, message.body], [`${method} ${path}`, ended ? '' : data.join('')]);
      const sent = new Set(fields.map(([name]) => name.toLowerCase()));
      for (const name of message.names) assert.ok(OWN.test(name) || sent.has(name), `${name} was never sent`);
    }),
    { numRuns: RUNS },
  );
  await client[Symbol.asyncDispose]();
  console.log(`${RUNS} requests, ${answered} of them went on`);
  assert.ok(answered > RUNS / 20, 'some are well-formed');
});

function send(client: RawHttp2, head: Fields, data: readonly string[]): number {
  const id = client.id();
  const end = data.length === 0 ? FLAG.endStream : 0;
  const frames = [frame(FRAME.headers, FLAG.endHeaders | end, id, block(head))];
  for (const [index, piece] of data.entries())
    frames.push(frame(FRAME.data, index === data.length - 1 ? FLAG.endStream : 0, id, Buffer.from(piece)));
  client.write(...frames);
  return id;
}
