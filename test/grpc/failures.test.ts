/** What a gRPC client sees when something fails: statuses of the gateway, deadlines, resets, and whose they are. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { PROTOCOL_GRPCS, PROTOCOL_HTTP } from '../../src/snapshot/snapshot.ts';
import type { RouteTarget } from '../../src/snapshot/snapshot.ts';
import { CANCELLED } from '../../src/wire/http2/reset-errors.ts';
import { GrpcClient, framed, outcome, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { startHttp2Upstream } from '../support/http2-upstream.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-client.ts';
import { waitFor } from '../support/wait.ts';

const { status } = grpc;
const { constants } = http2;
const HEAD = { ':status': 200, 'content-type': 'application/grpc' };

const REFUSED: ReadonlyArray<
  readonly [what: string, route: Partial<RouteTarget>, status: number, code: number, details: string]
> = [
  ['no service', { service: null }, 503, status.UNAVAILABLE, 'no Service found with those values'],
  ['a broken route', { broken: 'no' }, 503, status.UNAVAILABLE, 'The route is not available'],
  [
    'only grpcs, over plain text',
    { protocols: PROTOCOL_GRPCS },
    200,
    status.CANCELLED,
    'gRPC request matched gRPCs route',
  ],
];

test("the gateway's refusals are gRPC statuses, without a body", async () => {
  for (const [what, route, httpStatus, code, details] of REFUSED) {
    await using plane = await grpcPlane(1, { route });
    await using client = new GrpcClient(plane.port);
    const ended = await client.call('unary', [Buffer.from('x')]);
    assert.deepEqual([ended.code, ended.details], [code, details], what);
    const session = http2.connect(`http://127.0.0.1:${plane.port}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/a.B/C',
      'content-type': 'application/grpc+proto',
    });
    const [head, flags] = (await once(stream, 'response')) as [
      http2.IncomingHttpHeaders & { ':status': number },
      number,
    ];
    assert.deepEqual(
      [head[':status'], head['grpc-status'], head['grpc-message'], head['content-type']],
      [httpStatus, String(code), details, 'application/grpc'],
      what,
    );
    assert.ok((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, `${what}: trailers only`);
    session.destroy();
  }
});

test('a request that is refused before it is routed is a gRPC status as well', async () => {
  await using plane = await grpcPlane(1);
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  const stream = session.request({
    ':method': 'TRACE',
    ':path': '/a.B/C',
    'content-type': 'application/grpc',
  });
  const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }];
  assert.deepEqual(
    [head[':status'], head['grpc-status'], head['grpc-message'], head['content-type']],
    [405, '3', 'Method not allowed', 'application/grpc'],
  );
  session.destroy();
});

test('on a gRPC route: 415 to what is not gRPC, 426 to HTTP/1.1', async () => {
  await using plane = await grpcPlane(1);
  const ask = async (type: string): Promise<string> => {
    const request = `POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${type}\r\n`;
    const { responses } = await rawRequest(plane.port, request);
    const wanted = responses[0]?.headers.filter(([name]) => /^(connection|upgrade)$/i.test(name)) ?? [];
    const { message } = JSON.parse(responses[0]?.text() ?? '') as { message: string };
    return [responses[0]?.status, message, ...wanted.flat()].join(' ');
  };
  assert.equal(await ask(''), '415 Non-gRPC request matched gRPC route');
  assert.equal(await ask('Content-Type: text/plain\r\n'), '415 Non-gRPC request matched gRPC route');
  const upgrade = '426 Please use HTTP2 protocol Connection Upgrade Upgrade HTTP/2';
  assert.equal(await ask('Content-Type: application/grpc\r\n'), upgrade);
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  const stream = session.request({ ':path': '/a.B/C' });
  const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }];
  assert.deepEqual([head[':status'], head['grpc-status']], [415, undefined]);
  session.destroy();
});

test('an HTTP/1.1 client on an http route reaches a gRPC service', async () => {
  await using server = await startGrpcServer({
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
      reply(null, call.request),
  });
  await using plane = await grpcPlane(server.port, { route: { protocols: PROTOCOL_HTTP } });
  const body = framed(Buffer.from('hi')).toString('latin1');
  const head = `POST /test.Echo/Unary HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nContent-Type: application/grpc\r\nContent-Length: ${body.length}\r\n\r\n`;
  const { responses } = await rawRequest(plane.port, head + body);
  assert.equal(responses[0]?.status, 200);
  assert.ok(responses[0].text().endsWith('hi'));
  assert.deepEqual(
    responses[0].trailers.find(([name]) => name === 'grpc-status'),
    ['grpc-status', '0'],
  );
});

test('upstreams that are away, silent, or break off', async () => {
  await using silent = await startHttp2Upstream(() => {});
  await using resets = await startHttp2Upstream((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  const timeouts = { connect: 1000, write: 1000, read: 100 };
  for (const [what, port, code, details] of [
    ['away', await freePort(), status.INTERNAL, 'An invalid response was received from the upstream server'],
    ['silent', silent.port, status.DEADLINE_EXCEEDED, 'The upstream server is timing out'],
    ['resets', resets.port, status.INTERNAL, 'An invalid response was received from the upstream server'],
  ] as const) {
    await using plane = await grpcPlane(port, { service: { timeouts } });
    await using client = new GrpcClient(plane.port);
    const ended = await client.call('unary', [Buffer.from('x')]);
    assert.deepEqual([ended.code, ended.details], [code, details], what);
    assert.equal(ended.messages.length, 0);
  }
});

const RESETS: ReadonlyArray<readonly [code: number, status: number]> = [
  [constants.NGHTTP2_CANCEL, status.CANCELLED],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, status.INTERNAL],
  [constants.NGHTTP2_INTERNAL_ERROR, status.INTERNAL],
];

test('a response that the upstream breaks off is broken off, and a cancellation stays one', async () => {
  for (const [code, expected] of RESETS) {
    await using upstream = await startHttp2Upstream((stream) => {
      stream.respond(HEAD);
      stream.write(framed(Buffer.from('first')));
      stream.on('data', () => {
        if (code === constants.NGHTTP2_CANCEL) stream.destroy(CANCELLED);
        else stream.close(code);
      });
    });
    await using plane = await grpcPlane(upstream.port);
    await using client = new GrpcClient(plane.port);
    const call = client.start('chat');
    const ended = outcome(call);
    await once(call, 'data');
    call.write(Buffer.from('go'));
    assert.equal((await ended).code, expected, `code ${code}`);
  }
});

test('a deadline goes on, and its end is a cancellation upstream', async () => {
  let deadline = '';
  await using upstream = await startHttp2Upstream((stream, headers) => {
    deadline = String(headers['grpc-timeout']);
    stream.resume();
  });
  await using plane = await grpcPlane(upstream.port);
  await using client = new GrpcClient(plane.port);
  const ended = await client.call('unary', [Buffer.from('x')], { options: { deadline: Date.now() + 300 } });
  assert.equal(ended.code, status.DEADLINE_EXCEEDED);
  assert.match(deadline, /^\d+m$/);
  await waitFor(() => upstream.streams[0]?.rstCode === constants.NGHTTP2_CANCEL, {
    what: 'the cancellation',
  });
});

test('a client cancels in the middle of a stream: the upstream is told so at once', async () => {
  await using upstream = await startHttp2Upstream((stream) => {
    stream.respond(HEAD);
    stream.write(framed(Buffer.from('first')));
    stream.resume();
  });
  await using plane = await grpcPlane(upstream.port);
  await using client = new GrpcClient(plane.port);
  const call = client.start('chat');
  const ended = outcome(call);
  call.write(Buffer.from('x'));
  await once(call, 'data');
  call.cancel();
  assert.equal((await ended).code, status.CANCELLED);
  await waitFor(() => upstream.streams[0]?.rstCode === constants.NGHTTP2_CANCEL, {
    what: 'the cancellation',
  });
});

test('a call that a server going away refuses is repeated elsewhere with its message', async () => {
  await using upstream = await startHttp2Upstream((stream, _, number) => {
    if (number === 2) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    stream.on('data', (chunk: Buffer) => {
      stream.respond(HEAD, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(chunk);
    });
    return undefined;
  });
  await using plane = await grpcPlane(upstream.port);
  await using client = new GrpcClient(plane.port);
  for (const word of ['one', 'two', 'three']) {
    const { code, messages } = await client.call('unary', [Buffer.from(word)]);
    assert.deepEqual([code, messages.join()], [status.OK, word]);
  }
  assert.equal(upstream.streams.length, 4);
});
