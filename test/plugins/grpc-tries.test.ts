/** retry and hedging of gRPC calls: by the status in a head that is all of the answer, and to another address. */
import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { framed, GrpcClient } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { startHttp2Upstream, type StreamHandler } from '../support/http2-upstream.ts';
import { waitFor } from '../support/wait.ts';

const { constants } = http2;
const HEAD = { ':status': 200, 'content-type': 'application/grpc' };
const AMPLE = { percent: 100, min_per_second: 1000 };

/**
 * What the n-th stream gets, when its request is whole (`!`: at once): a status in the head, `+STATUS` behind a message, or `refuse`.
 */
function planned(plan: readonly string[], seen: Buffer[]): StreamHandler {
  return async (stream, _headers, number) => {
    const step = plan[number - 1] ?? '+0';
    if (!step.startsWith('!')) seen.push(await buffer(stream));
    const [status = '0', pushback] = step.replace(/^[!+]/, '').split(';');
    if (status === 'refuse') return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    if (!step.startsWith('+')) {
      const more = pushback === undefined ? {} : { 'grpc-retry-pushback-ms': pushback };
      return stream.respond({ ...HEAD, 'grpc-status': status, ...more }, { endStream: true });
    }
    stream.respond(HEAD, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    stream.end(framed(Buffer.from(`answer ${number}`)));
  };
}

interface Case {
  readonly what: string;
  readonly config: object;
  readonly plan: readonly string[];
  readonly code: number;
  readonly tries: number;
  readonly request?: Buffer;
}

const UNAVAILABLE = { grpc_statuses: [14] };
const CASES: readonly Case[] = [
  { what: 'nothing is configured', config: {}, plan: ['14'], code: 14, tries: 1 },
  { what: 'UNAVAILABLE once', config: UNAVAILABLE, plan: ['14'], code: 0, tries: 2 },
  { what: 'UNAVAILABLE twice', config: UNAVAILABLE, plan: ['14', '14'], code: 0, tries: 3 },
  { what: 'UNAVAILABLE always', config: UNAVAILABLE, plan: ['14', '14', '14', '14'], code: 14, tries: 3 },
  { what: 'another status', config: UNAVAILABLE, plan: ['5'], code: 5, tries: 1 },
  { what: 'behind a message', config: UNAVAILABLE, plan: ['+14'], code: 14, tries: 1 },
  { what: 'the server asks for a moment', config: UNAVAILABLE, plan: ['14;1'], code: 0, tries: 2 },
  { what: 'the server forbids it', config: UNAVAILABLE, plan: ['14;-1'], code: 14, tries: 1 },
  { what: 'refused streams, by default', config: {}, plan: ['refuse'], code: 0, tries: 2 },
  { what: 'refused streams, unless said', config: { on: [] }, plan: ['refuse'], code: 13, tries: 1 },
  {
    what: 'a message that is too large to be kept',
    config: UNAVAILABLE,
    plan: ['14'],
    code: 14,
    tries: 1,
    request: Buffer.alloc(300_000, 'x'),
  },
  { what: 'before the call was sent to its end', config: UNAVAILABLE, plan: ['!14'], code: 0, tries: 1 },
];

for (const { what, config, plan, code, tries, request = Buffer.from('question') } of CASES) {
  test(`retry of a call: ${what}`, async () => {
    const seen: Buffer[] = [];
    await using upstream = await startHttp2Upstream(planned(plan, seen));
    const plugins = [{ name: 'retry', config: { backoff_base: 0, attempts: 2, budget: AMPLE, ...config } }];
    await using plane = await grpcPlane(upstream.port, { plugins });
    await using client = new GrpcClient(plane.port);
    const ended = await client.call('unary', [request]);
    assert.equal(ended.code, code, ended.details);
    assert.equal(seen.length, tries);
    for (const body of seen) assert.ok(body.equals(framed(request)));
    if (code === 0) assert.equal(ended.messages[0]?.toString(), `answer ${upstream.streams.length}`);
  });
}

test('hedging of a call: the other address answers, and the loser is reset on a session that goes on', async () => {
  await using dns = await startDnsServer({
    'A two.test': [
      { type: 'A', ip: '127.0.0.1' },
      { type: 'A', ip: '127.0.0.2' },
    ],
  });
  const got: Buffer[] = [];
  const held: http2.ServerHttp2Stream[] = [];
  const slow: StreamHandler = async (stream) => {
    got.push(await buffer(stream));
    held.push(stream);
  };
  const quick: StreamHandler = async (stream) => {
    got.push(await buffer(stream));
    stream.respond(HEAD, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(framed(Buffer.from('quick')));
  };
  await using first = await startHttp2Upstream(slow);
  await using second = await startHttp2Upstream(quick, { port: first.port, host: '127.0.0.2' });
  await using plane = await grpcPlane(first.port, {
    settings: { dns_resolver: dns.address },
    service: { host: 'two.test', retries: 0 },
    plugins: [{ name: 'hedging', config: { delay: 0, methods: ['POST'], budget: AMPLE } }],
  });
  await using client = new GrpcClient(plane.port);
  for (let n = 0; n < 6; n++) {
    const ended = await client.call('unary', [Buffer.from('question')]);
    assert.deepEqual([ended.code, ended.messages.map(String)], [0, ['quick']]);
  }
  assert.ok(held.length >= 3, 'the addresses take turns');
  for (const stream of held) {
    await waitFor(() => stream.closed, { what: 'the loser to be reset' });
    assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
  }
  for (const body of got) assert.ok(body.equals(framed(Buffer.from('question'))));
  assert.deepEqual([first.connections, second.connections], [1, 1]);
});
