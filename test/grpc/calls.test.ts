/** Calls of every kind from gRPC's own client through the gateway to its own server. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { CELL } from '../../src/zone/worker-zone.ts';
import { GrpcClient, outcome, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Reply = grpc.sendUnaryData<Buffer>;
type Collect = grpc.ServerReadableStream<Buffer, Buffer>;
type List = grpc.ServerWritableStream<Buffer, Buffer>;
type Chat = grpc.ServerDuplexStream<Buffer, Buffer>;

const HANDLERS: grpc.UntypedServiceImplementation = {
  unary: (call: Unary, reply: Reply) => {
    const metadata = new grpc.Metadata();
    for (const value of call.metadata.get('echo')) metadata.add('echo', value);
    for (const value of call.metadata.get('echo-bin')) metadata.add('echo-bin', value);
    call.sendMetadata(metadata);
    const trailers = new grpc.Metadata();
    trailers.set('trailer', 'of the call');
    trailers.set('trailer-bin', Buffer.from([0, 255]));
    reply(null, call.request, trailers);
  },
  collect: (call: Collect, reply: Reply) => {
    const hash = createHash('sha256');
    call.on('data', (message: Buffer) => hash.update(message));
    call.on('end', () => reply(null, hash.digest()));
  },
  list: (call: List) => {
    for (let i = 0; i < 100; i++) call.write(Buffer.from(`${i}`));
    call.end();
  },
  chat: (call: Chat) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
};

test('a unary call with metadata both ways, also binary', async () => {
  await using server = await startGrpcServer(HANDLERS);
  await using plane = await grpcPlane(server.port);
  await using client = new GrpcClient(plane.port);
  const metadata = new grpc.Metadata();
  metadata.add('echo', 'one');
  metadata.add('echo', 'two');
  metadata.add('echo-bin', Buffer.from([0, 1, 2, 254]));
  const { code, details, messages, head, trailers } = await client.call('unary', [Buffer.from('hello')], {
    metadata,
  });
  assert.deepEqual([code, details, messages.join()], [grpc.status.OK, 'OK', 'hello']);
  assert.deepEqual(head?.get('echo').join(', '), 'one, two');
  assert.deepEqual(head?.get('echo-bin'), [Buffer.from([0, 1, 2, 254])]);
  assert.match(String(head?.get('via')), /^2 sluice/);
  assert.match(String(head?.get('x-kong-request-id')), /^[0-9a-f]{32}$/);
  assert.deepEqual(trailers.get('trailer'), ['of the call']);
  assert.deepEqual(trailers.get('trailer-bin'), [Buffer.from([0, 255])]);
});

test('a stream of requests, of responses, and of both', async () => {
  await using server = await startGrpcServer(HANDLERS);
  await using plane = await grpcPlane(server.port);
  await using client = new GrpcClient(plane.port);
  const parts = Array.from({ length: 50 }, (_, i) => Buffer.alloc(i * 100, i));
  const collected = await client.call('collect', parts);
  assert.deepEqual(collected.messages, [createHash('sha256').update(Buffer.concat(parts)).digest()]);
  const listed = await client.call('list', [Buffer.alloc(0)]);
  assert.deepEqual(
    listed.messages.map(String),
    Array.from({ length: 100 }, (_, i) => `${i}`),
  );
  const chat = client.start('chat');
  const ended = outcome(chat);
  // Each answer comes before the next question is asked: nothing waits for the end of the stream.
  for (const word of ['a', 'b', 'c']) {
    chat.write(Buffer.from(word));
    const [answer] = (await once(chat, 'data')) as [Buffer];
    assert.equal(String(answer), word);
  }
  chat.end();
  assert.equal((await ended).code, grpc.status.OK);
  assert.equal(plane.zone.get(CELL.upstreamConnects), 1);
});

test('messages of many MiB, both ways', async () => {
  await using server = await startGrpcServer(HANDLERS);
  await using plane = await grpcPlane(server.port);
  await using client = new GrpcClient(plane.port);
  const message = randomBytes(17 * 1024 * 1024);
  const { code, messages } = await client.call('unary', [message]);
  assert.equal(code, grpc.status.OK);
  assert.ok(messages[0]?.equals(message));
});

test('many calls at once on one connection each way', async () => {
  await using server = await startGrpcServer(HANDLERS);
  await using plane = await grpcPlane(server.port);
  await using client = new GrpcClient(plane.port);
  const calls = Array.from({ length: 500 }, async (_, i) => client.call('unary', [Buffer.from(`${i}`)]));
  const answers = await Promise.all(calls);
  assert.deepEqual(
    answers.map(({ messages }) => String(messages[0])),
    Array.from({ length: 500 }, (_, i) => `${i}`),
  );
  assert.ok(plane.zone.get(CELL.upstreamConnects) <= 5);
});

test('compressed messages pass as they are', async () => {
  await using server = await startGrpcServer(HANDLERS);
  await using plane = await grpcPlane(server.port);
  const gzip = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };
  await using client = new GrpcClient(plane.port, { options: gzip });
  const message = Buffer.alloc(100_000, 'again ');
  const { code, messages } = await client.call('unary', [message]);
  assert.equal(code, grpc.status.OK);
  assert.ok(messages[0]?.equals(message));
});

test('a status that is all of the response, with its message', async () => {
  await using server = await startGrpcServer({
    ...HANDLERS,
    unary: (_: Unary, reply: Reply) => reply({ code: grpc.status.NOT_FOUND, details: 'nö: 100%' }),
  });
  await using plane = await grpcPlane(server.port);
  await using client = new GrpcClient(plane.port);
  const { code, details, messages, head } = await client.call('unary', [Buffer.from('x')]);
  assert.deepEqual([code, details, messages], [grpc.status.NOT_FOUND, 'nö: 100%', []]);
  assert.equal(head, null);
});
