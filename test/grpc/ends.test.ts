/**
 * Calls that end in the middle, over HTTP/2 on both legs: nothing of them stays, whoever ends them and whatever is unread
 * at that time, and the calls of others go on.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { CELL } from '../../src/zone/worker-zone.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { answerOf, Http2Client } from '../support/http2-plane.ts';
import { block, CODE, connectHttp2, FLAG, FRAME, frame, uint32 } from '../support/http2-raw.ts';
import { startHttp2Upstream } from '../support/http2-upstream.ts';
import { waitFor } from '../support/wait.ts';

const HEAD = { ':status': 200, 'content-type': 'application/grpc' };
const CALL = { ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', te: 'trailers' };
/** More than the upstream's window and what the gateway writes ahead: the rest waits unread in the client's stream. */
const UPLOAD = Buffer.alloc(170_000);

const EARLY: ReadonlyArray<readonly [what: string, answer: (stream: ServerHttp2Stream) => void]> = [
  [
    'answers with a head alone',
    (stream) => stream.respond({ ...HEAD, 'grpc-status': '3' }, { endStream: true }),
  ],
  [
    'answers with a message and trailers',
    (stream) => {
      stream.respond(HEAD, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '3' }));
      stream.end('message');
    },
  ],
  ['resets, and the gateway answers', (stream) => stream.close(2)],
];

for (const [what, answer] of EARLY) {
  for (const ends of [true, false]) {
    test(`an upstream that reads nothing and ${what}; the request ${ends ? 'had ended' : 'goes on'}`, async () => {
      await using upstream = await startHttp2Upstream(() => {});
      await using plane = await grpcPlane(upstream.port);
      const client = new Http2Client(plane.port);
      const stream = client.open(CALL, { endStream: false });
      if (ends) stream.end(UPLOAD);
      else stream.write(UPLOAD);
      await waitFor(
        () => upstream.streams.length === 1 && (ends ? stream.writableFinished : stream.writableLength === 0),
      );
      // What was written has arrived: a PING comes back behind it.
      await new Promise((resolve) => client.session.ping(resolve));
      const answered = answerOf(stream);
      answer(upstream.streams[0] as ServerHttp2Stream);
      const { status } = await answered;
      assert.equal(status, what.startsWith('resets') ? 502 : 200);
      await waitFor(() => plane.zone.get(CELL.http2Streams) === 0, { what: 'the stream to be over' });
      client.session.close();
      await once(client.session, 'close');
      await plane.settled();
    });
  }
}

test('the place of a call that was taken back is free when the upstream has seen that: the next call is no victim', async () => {
  // `node:http2` counts a stream that was reset until its turn of the event loop is over, and refuses one too many with
  // ENHANCE_YOUR_CALM, which is no word for "not begun".
  await using upstream = await startHttp2Upstream(
    (stream, headers) => {
      if (headers[':path'] === '/a.B/Held') return;
      stream.respond({ ...HEAD, 'grpc-status': '0' }, { endStream: true });
    },
    { settings: { maxConcurrentStreams: 1 } },
  );
  await using plane = await grpcPlane(upstream.port);
  await using client = await connectHttp2(plane.port);
  const call = (path: string): Buffer =>
    block([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'a.test'],
      [':path', path],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ]);
  for (let round = 1; round <= 20; round++) {
    const held = client.id();
    client.write(frame(FRAME.headers, FLAG.endHeaders, held, call('/a.B/Held')));
    await waitFor(() => upstream.streams.length === 2 * round - 1, { what: 'the call to be held' });
    const next = client.id();
    const head = frame(FRAME.headers, FLAG.endHeaders, next, call('/a.B/Next'));
    client.write(frame(FRAME.reset, 0, held, uint32(CODE.cancel)), head);
    client.data(next, Buffer.alloc(5), true);
    assert.deepEqual(await client.outcome(next), { status: 200 }, `round ${round}`);
  }
  assert.equal(plane.zone.get(CELL.broken), 0);
});
