/**
 * llhttp as the oracle of framing: whatever it and this engine both accept, both read alike; what only this engine
 * accepts is on a list; and what is forwarded is read by llhttp as the same message.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mutate, MUTATION_KINDS, REQUESTS, RESPONSES, TOKENS } from '../../../test/fuzz/messages.ts';
import type { Mutation } from '../../../test/fuzz/messages.ts';
import { forwardedRequest, forwardedResponse } from '../../../test/support/forwarded.ts';
import { oracleRequests, oracleResponse } from '../../../test/support/llhttp.ts';
import type { OracleMessage } from '../../../test/support/llhttp.ts';
import { bytesOf, piecesOf, readRequests, readResponses } from '../../../test/support/wire-reader.ts';
import type { ReadMessage } from '../../../test/support/wire-reader.ts';
import '../../../test/support/fixed-seed.ts';

/** Runs of each property; set the variable for a long search. */
const RUNS = { numRuns: Number(process.env['ORACLE_RUNS'] ?? 2000) };

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...MUTATION_KINDS),
    at: fc.nat(2000),
    token: fc.nat(TOKENS.length - 1),
    length: fc.nat(7),
    byte: fc.nat(255),
  }),
  { maxLength: 4 },
);

const streams = (messages: readonly string[], most: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(fc.constantFrom(...messages), { minLength: 1, maxLength: most }), mutations)
    .map(([parts, changes]) => mutate(parts.join(''), changes));

const cuts = fc.array(fc.nat(600), { maxLength: 6 });

function flat(lines: ReadMessage['lines']): string[] {
  return lines.flatMap(([name, value]) => [name, value]);
}

/** Trailers that the body reader drops are no difference. */
function keptTrailers(trailers: readonly string[]): string[] {
  const dropped =
    /^(?:transfer-encoding|host|connection|keep-alive|te|trailer|upgrade|expect|(?:proxy-)?authorization|(?:set-)?cookie|content-(?:length|encoding|type|range)|cache-control|max-forwards|range|via|forwarded|proxy|x-real-ip|x-(?:forwarded|kong|consumer|credential|anonymous)-.*)$/i;
  const kept: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    if (!dropped.test(trailers[i] ?? '')) kept.push(trailers[i] ?? '', trailers[i + 1] ?? '');
  }
  return kept;
}

function sameMessage(ours: ReadMessage, theirs: OracleMessage): void {
  assert.deepEqual(ours.start, theirs.start);
  assert.deepEqual(flat(ours.lines), theirs.rawHeaders);
  assert.equal(ours.body.toString('latin1'), theirs.body.toString('latin1'));
  assert.deepEqual(keptTrailers(ours.trailers), keptTrailers(theirs.trailers));
}

/** What this engine accepts on purpose and llhttp does not. */
const MORE_LENIENT: ReadonlyArray<
  readonly [why: string, applies: (message: ReadMessage, text: string) => boolean]
> = [
  ['a method as nginx takes them', ({ start }) => !KNOWN_METHODS.has(start[0])],
  ['a byte from 0x80 in the target', ({ start }) => /[\x80-\xff]/.test(start[1])],
  ['HTTP/1.2 and up, read as 1.1', (_message, text) => /HTTP\/1\.[2-9]/.test(text)],
  [
    'chunk extensions with white space and whatever a value may hold',
    (_message, text) => EXTENSION.test(text),
  ],
  ['a framing field among trailers, dropped here', (_message, text) => FRAMING_TRAILER.test(text)],
  // Whether node:http reports these depends on how their body was cut.
  [
    'an upgrade whose request has a body',
    ({ lines, body }) => body.length > 0 && lines.some(([name]) => /^upgrade$/i.test(name)),
  ],
];

const EXTENSION = /[0-9a-f];/i;
const FRAMING_TRAILER =
  /\r\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*(?:content-length|transfer-encoding|connection):/i;

const KNOWN_METHODS: ReadonlySet<string> = new Set(
  'DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE QUERY'.split(
    ' ',
  ),
);

test('requests: what both accept, both read alike; what only we accept is listed', async () => {
  let both = 0;
  await fc.assert(
    fc.asyncProperty(streams(REQUESTS, 3), cuts, async (text, at) => {
      const bytes = bytesOf(text);
      const ours = readRequests(piecesOf(bytes, at));
      const theirs = await oracleRequests(piecesOf(bytes, at));
      // llhttp stops at an upgrade, whose bytes are no messages for it.
      if (theirs.error === 'upgrade' || theirs.error === 'connect') return;
      const common = Math.min(ours.messages.length, theirs.messages.length);
      for (let i = 0; i < common; i++) {
        both++;
        sameMessage(ours.messages[i] as ReadMessage, theirs.messages[i] as OracleMessage);
      }
      const extra = ours.messages[common];
      if (extra !== undefined) {
        const listed = MORE_LENIENT.some(([, applies]) => applies(extra, text));
        assert.ok(
          listed,
          `only we accept ${JSON.stringify(extra.start)}; llhttp: ${theirs.error ?? 'nothing'}`,
        );
      }
      if (theirs.messages.length > common) {
        // llhttp went on where we stopped: only after a refusal, or a connection that ends for us.
        assert.notEqual(ours.ending, 'idle');
      }
    }),
    RUNS,
  );
  assert.ok(both > 1000, `only ${both} messages were accepted by both`);
});

test('responses: what both accept, both read alike', async () => {
  let both = 0;
  await fc.assert(
    fc.asyncProperty(
      streams(RESPONSES, 1),
      cuts,
      fc.constantFrom('GET', 'HEAD'),
      async (text, at, method) => {
        const bytes = bytesOf(text);
        const options = { methods: [method], closes: true };
        const ours = readResponses(piecesOf(bytes, at), options);
        const theirs = await oracleResponse(piecesOf(bytes, at), method);
        const [their] = theirs.messages;
        const our = ours.messages.find(({ start }) => start[0] === '101' || Number(start[0]) >= 200);
        if (our !== undefined && their !== undefined) {
          both++;
          sameMessage(our, their);
        }
        if (our !== undefined && their === undefined && theirs.error !== 'upgrade') {
          const listed = LENIENT_RESPONSES.some(([, applies]) => applies(our, text));
          assert.ok(listed, `only we accept ${JSON.stringify(text)}; llhttp: ${theirs.error ?? 'nothing'}`);
        }
      },
    ),
    RUNS,
  );
  assert.ok(both > 500, `only ${both} messages were accepted by both`);
});

/** Responses that only this engine accepts. */
const LENIENT_RESPONSES: ReadonlyArray<
  readonly [why: string, applies: (message: ReadMessage, text: string) => boolean]
> = [
  ['HTTP/1.2 and up, read as 1.1', (_message, text) => /HTTP\/1\.[2-9]/.test(text)],
  [
    'chunk extensions with white space and whatever a value may hold',
    (_message, text) => EXTENSION.test(text),
  ],
  ['a framing field among trailers, dropped here', (_message, text) => FRAMING_TRAILER.test(text)],
  ['an interim response that would end the connection', (_message, text) => CLOSING_INTERIM.test(text)],
];

const CLOSING_INTERIM =
  /^(?:HTTP\/1\.0 1\d\d |HTTP\/1\.\d 1\d\d [^\r]*\r\n(?:[^\r\n]+\r\n)*connection:[^\r\n]*close)/im;

test('what is forwarded of a request, llhttp reads as the same one', async () => {
  await fc.assert(
    fc.asyncProperty(streams(REQUESTS, 2), cuts, async (text, at) => {
      for (const message of readRequests(piecesOf(bytesOf(text), at)).messages) {
        if (!KNOWN_METHODS.has(message.start[0]) || /[\x80-\xff]/.test(message.start[1])) continue;
        const bytes = forwardedRequest(message);
        const { messages, error } = await oracleRequests([bytes]);
        if (error === 'upgrade') continue;
        assert.deepEqual([messages.length, error], [1, null], JSON.stringify(bytes.toString('latin1')));
        const [copy] = messages;
        assert.deepEqual(copy?.start, [
          message.start[0],
          'target' in message.head ? message.head.target : '',
        ]);
        assert.ok(copy?.body.equals(message.body));
        assert.deepEqual(copy?.trailers, message.trailers);
      }
    }),
    RUNS,
  );
});

test('what is forwarded of a response, llhttp reads as the same one', async () => {
  await fc.assert(
    fc.asyncProperty(streams(RESPONSES, 1), cuts, async (text, at) => {
      const { messages } = readResponses(piecesOf(bytesOf(text), at), { closes: true });
      for (const message of messages) {
        if (Number(message.start[0]) < 200) continue;
        const bytes = forwardedResponse(message);
        const theirs = await oracleResponse([bytes]);
        assert.deepEqual(
          [theirs.messages.length, theirs.error],
          [1, null],
          JSON.stringify(bytes.toString('latin1')),
        );
        const [copy] = theirs.messages;
        assert.equal(copy?.start[0], message.start[0]);
        assert.ok(copy?.body.equals(message.body));
        assert.deepEqual(copy?.trailers, message.trailers);
      }
    }),
    RUNS,
  );
});
