/** gRPC through the whole gateway: routes, upstreams with targets, TLS to the service, services that every server has. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { makeCertificate } from '../support/certificate.ts';
import { startGateway } from '../support/gateway.ts';
import { GrpcClient, outcome, startGrpcServer, type Outcome } from '../support/grpc.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Reply = grpc.sendUnaryData<Buffer>;

const named = (name: string): grpc.UntypedServiceImplementation => ({
  unary: (call: Unary, reply: Reply) =>
    reply(null, Buffer.from(`${name} ${String(call.metadata.get('x-forwarded-path'))}`)),
  chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
});

const identity = (value: Buffer): Buffer => value;

test('routes by path and header, upstreams with targets, TLS, and a 404', async () => {
  await using folder = await tempDir();
  const { cert, key } = makeCertificate(folder.path);
  const secure = grpc.ServerCredentials.createSsl(null, [
    { cert_chain: readFileSync(cert), private_key: readFileSync(key) },
  ]);
  await using one = await startGrpcServer(named('one'));
  await using two = await startGrpcServer(named('two'));
  await using tls = await startGrpcServer(named('tls'), { credentials: secure });
  const away = await freePort();
  const port = await freePort();
  await using _ = await startGateway({
    settings: { proxy_listen: `127.0.0.1:${port} http2` },
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 'balanced',
          url: 'grpc://pool.internal:1234',
          routes: [{ name: 'calls', protocols: ['grpc'], paths: ['/test.Echo'] }],
        },
        {
          name: 'tls',
          url: `grpcs://127.0.0.1:${tls.port}`,
          routes: [
            {
              name: 'tls',
              protocols: ['grpc', 'grpcs'],
              paths: ['/test.Echo'],
              headers: { 'x-to': ['tls'] },
            },
          ],
        },
        {
          name: 'away',
          url: `grpc://127.0.0.1:${away}`,
          retries: 0,
          routes: [{ name: 'secure-only', protocols: ['grpcs'], paths: ['/secure.Only'] }],
        },
      ],
      upstreams: [
        {
          name: 'pool.internal',
          targets: [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`, `127.0.0.1:${away}`].map((target) => ({
            target,
          })),
        },
      ],
    },
  });
  await using client = new GrpcClient(port);
  const answers = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const { code, messages } = await client.call('unary', [Buffer.from('x')]);
    assert.equal(code, grpc.status.OK);
    answers.add(String(messages[0]));
  }
  assert.deepEqual([...answers].toSorted(), ['one /test.Echo/Unary', 'two /test.Echo/Unary']);
  const metadata = new grpc.Metadata();
  metadata.set('x-to', 'tls');
  const secured = await client.call('unary', [Buffer.from('x')], { metadata });
  assert.deepEqual([secured.code, secured.messages.join()], [grpc.status.OK, 'tls /test.Echo/Unary']);
  const ask = async (path: string): Promise<Outcome> => {
    const call = client.client.makeBidiStreamRequest(path, identity, identity);
    const ended = outcome(call);
    call.end(Buffer.from('x'));
    return ended;
  };
  const unknown = await ask('/other.Service/Call');
  assert.deepEqual(
    [unknown.code, unknown.details],
    [grpc.status.NOT_FOUND, 'no Route matched with those values'],
  );
  const plain = await ask('/secure.Only/Call');
  assert.deepEqual([plain.code, plain.details], [grpc.status.CANCELLED, 'gRPC request matched gRPCs route']);
});

test('the health and reflection services of a server are services as any', async () => {
  const bytes = {
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  await using server = await startGrpcServer(named('one'));
  const health = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    ...bytes,
  };
  const info = {
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    requestStream: true,
    responseStream: true,
    ...bytes,
  };
  server.server.addService(
    { check: health },
    { check: (_: Unary, reply: Reply) => reply(null, Buffer.from([8, 1])) },
  );
  server.server.addService(
    { info },
    {
      info: (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
        call.on('data', (message) => call.write(message)).on('end', () => call.end()),
    },
  );
  const port = await freePort();
  await using _ = await startGateway({
    settings: { proxy_listen: `127.0.0.1:${port} http2` },
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 'all',
          url: `grpc://127.0.0.1:${server.port}`,
          routes: [{ protocols: ['grpc'], paths: ['/'] }],
        },
      ],
    },
  });
  await using client = new GrpcClient(port);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  client.client.makeUnaryRequest(health.path, identity, identity, Buffer.alloc(0), (error, value) =>
    error === null && value !== undefined ? resolve(value) : reject(error),
  );
  assert.deepEqual(await promise, Buffer.from([8, 1]));
  const call = client.client.makeBidiStreamRequest(info.path, identity, identity);
  const ended = outcome(call);
  for (const question of ['first', 'second']) {
    call.write(Buffer.from(question));
    const [answer] = (await once(call, 'data')) as [Buffer];
    assert.equal(String(answer), question);
  }
  call.end();
  assert.equal((await ended).code, grpc.status.OK);
});
