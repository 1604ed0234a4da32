/** What a gRPC upstream can do wrong, frame by frame, and what its client gets to see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, FLAG, FRAME, frame } from '../support/http2-raw.ts';
import { freePorts } from '../support/ports.ts';
import { closesAtOnce, deafPort, refuses, resetsAtOnce, served, silent } from './support/faults.ts';
import {
  data,
  FIRST_BYTES,
  framesAnswered,
  goaway,
  HEAD,
  headers,
  hugeHead,
  reset,
  SETTINGS,
} from './support/frames.ts';
import { grpcCall } from './support/grpc-call.ts';
import { BOUND, INVALID, linesWith, type Row, SHORT, startMatrix, TIMING_OUT } from './support/matrix.ts';

const TRIED = 2;
const bad = (log: RegExp) => ({ status: 502, says: INVALID, log }) as const;
const late = (kind: 'connect' | 'read') =>
  ({
    short: kind,
    status: 504,
    says: TIMING_OUT,
    log: new RegExp(`upstream ${kind} timeout: after ${SHORT} ms`),
  }) as const;

const rows: readonly Row[] = [
  { what: 'refuses', fault: refuses, tries: TRIED, ...bad(/upstream connect failed: connect ECONNREFUSED /) },
  { what: 'takes no connection', fault: deafPort, tries: TRIED, ...late('connect') },
  { what: 'resets at once', fault: served(resetsAtOnce), tries: TRIED, ...bad(/upstream connect failed/) },
  { what: 'closes at once', fault: served(closesAtOnce), tries: TRIED, ...bad(/upstream connect failed/) },
  { what: 'hangs before its SETTINGS', fault: served(silent), tries: TRIED, ...late('connect') },
  {
    what: 'answers in HTTP/1.1',
    fault: served(async (peer) => {
      await peer.bytes(FIRST_BYTES);
      peer.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    }),
    tries: TRIED,
    ...bad(/upstream connect failed: Protocol error, client/),
  },
  {
    what: 'garbage in place of SETTINGS',
    fault: served(async (peer) => {
      await peer.bytes(FIRST_BYTES);
      peer.write('SSH-2.0-OpenSSH_9.2\r\n');
    }),
    tries: TRIED,
    ...bad(/upstream connect failed: Protocol error, client/),
  },
  {
    what: 'goes away at once',
    fault: served(async (peer) => {
      await peer.bytes(FIRST_BYTES);
      peer.write(SETTINGS);
      peer.write(goaway(0, CODE.none));
      peer.end();
    }),
    tries: TRIED,
    ...bad(/upstream (?:refused stream|connect failed)[ ,:]/),
  },
  { what: 'takes the call and hangs', fault: framesAnswered([]), ...late('read') },
  {
    what: 'closes instead of answering',
    fault: framesAnswered([], 'close'),
    ...bad(/upstream closed, client/),
  },
  {
    what: 'resets the connection instead of answering',
    fault: framesAnswered([], 'reset'),
    ...bad(/upstream closed: read ECONNRESET, client/),
  },
  {
    what: 'refuses the stream',
    fault: framesAnswered([reset(CODE.refused)]),
    tries: TRIED,
    ...bad(/upstream refused stream, client/),
  },
  {
    what: 'goes away without having begun',
    fault: framesAnswered([goaway(0, CODE.none)]),
    tries: TRIED,
    ...bad(/upstream refused stream, client/),
  },
  {
    what: 'resets the stream',
    fault: framesAnswered([reset(CODE.internal)]),
    ...bad(/upstream reset: RST_STREAM with error code 2, client/),
  },
  {
    what: 'a head that is no HPACK',
    fault: framesAnswered([
      frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    ]),
    ...bad(/upstream closed, client/),
  },
  {
    what: 'a head without a status',
    fault: framesAnswered([headers([['content-type', 'application/grpc']])]),
    ...bad(/upstream reset: RST_STREAM with error code 1, client/),
  },
  { what: 'a head too large', fault: framesAnswered(hugeHead()), ...bad(/response head too large, client/) },
  { what: 'data before a head', fault: framesAnswered([data('abc')]), ...bad(/upstream closed, client/) },
  {
    what: 'a frame of no kind on stream 0',
    fault: framesAnswered([frame(FRAME.data, 0, 0, Buffer.from('abc'))]),
    ...bad(/upstream closed, client/),
  },
  {
    what: 'hangs behind the head',
    fault: framesAnswered([headers(HEAD)]),
    ...late('read'),
    status: 'cut',
    says: '',
  },
  {
    what: 'hangs within the body',
    fault: framesAnswered([headers(HEAD), data('abc')]),
    ...late('read'),
    status: 'cut',
    says: 'abc',
  },
  {
    what: 'closes within the body',
    fault: framesAnswered([headers(HEAD), data('abc')], 'close'),
    status: 'cut',
    says: 'abc',
    log: /upstream closed early, client/,
  },
  {
    what: 'resets the stream within the body',
    fault: framesAnswered([headers(HEAD), data('abc'), reset(CODE.internal)]),
    status: 'cut',
    says: 'abc',
    log: /upstream closed early, client/,
  },
  {
    what: 'ends without trailers',
    fault: framesAnswered([headers(HEAD), data('abc', FLAG.endStream)]),
    status: 200,
    says: 'abc',
    log: null,
  },
];

const [plain = 0, port = 0] = await freePorts(2);
const matrix = await startMatrix(rows, {
  protocol: 'grpc',
  settings: { proxy_listen: `127.0.0.1:${plain}, 127.0.0.1:${port} http2` },
  route: (_, index) => ({ paths: [`/row-${index}/`], protocols: ['grpc'] }),
});

const GRPC_STATUS: Readonly<Record<number, string>> = { 502: '13', 504: '4' };

for (const [index, row] of rows.entries()) {
  test(row.what, async (context) => {
    const path = `/row-${index}/Call`;
    const begun = performance.now();
    const answer = await grpcCall(port, path);
    const took = performance.now() - begun;
    context.diagnostic(`${row.status} after ${took.toFixed(0)} ms`);
    const tries = row.tries ?? 1;
    assert.ok(took < BOUND, `it took ${took} ms`);
    const access = await linesWith(matrix.gateway, 'access.log', ` ${path} `, 1);
    const failed = row.log === null ? 0 : tries;
    const lines = await linesWith(matrix.gateway, 'error.log', ` ${path} `, 0);
    const seen = matrix.faulty.get(row)?.tries() ?? null;
    assert.equal(access.length, 1);
    assert.match(access[0] ?? '', new RegExp(`" ${row.status === 'cut' ? 200 : row.status} \\d+ `));
    assert.equal(lines.length, failed, lines.join('\n'));
    for (const line of lines) if (row.log !== null) assert.match(line, row.log);
    if (row.status === 'cut') {
      assert.deepEqual([answer.status, answer.body], [200, row.says]);
      assert.notEqual(answer.reset, 0);
    } else if (row.status === 200) {
      assert.deepEqual([answer.status, answer.body, answer.reset], [200, row.says, 0]);
    } else {
      assert.deepEqual(answer, {
        status: row.status,
        grpcStatus: GRPC_STATUS[row.status],
        message: row.says,
        type: 'application/grpc',
        body: '',
        reset: 0,
      });
    }
    if (seen !== null) assert.equal(seen, tries);
  });
}
