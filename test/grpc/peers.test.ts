/** gRPC between the gateway and others: nginx in front of it and behind it, nghttpd as the server, h2load as the client. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { Child } from '../support/child.ts';
import { framed, GrpcClient, outcome, startGrpcServer } from '../support/grpc.ts';
import { grpcPlane } from '../support/grpc-plane.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

const run = promisify(execFile);

const HANDLERS: grpc.UntypedServiceImplementation = {
  unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
    if (call.request.length === 0) return reply({ code: grpc.status.DATA_LOSS, details: 'nothing came' });
    const trailers = new grpc.Metadata();
    trailers.set('via-seen', String(call.metadata.get('via')));
    return reply(null, call.request, trailers);
  },
  chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
};

/** nginx that passes calls on, over HTTP/2 on both sides. */
function startNginxGrpc(to: number, port: number): Promise<Nginx> {
  return startNginx({
    http: `
  server {
    listen 127.0.0.1:%PORT%;
    listen 127.0.0.1:${port} http2;
    client_max_body_size 0;
    location / { grpc_pass grpc://127.0.0.1:${to}; }
  }`,
  });
}

async function checkCalls(port: number): Promise<void> {
  await using client = new GrpcClient(port);
  const large = randomBytes(5 * 1024 * 1024);
  const { code, messages, trailers } = await client.call('unary', [large]);
  assert.equal(code, grpc.status.OK);
  assert.ok(messages[0]?.equals(large));
  assert.match(String(trailers.get('via-seen')), /sluice/);
  const none = await client.call('unary', [Buffer.alloc(0)]);
  assert.deepEqual([none.code, none.details], [grpc.status.DATA_LOSS, 'nothing came']);
  const words = Array.from({ length: 50 }, (_, i) => Buffer.from(`word ${i}`));
  const chat = await client.call('chat', words);
  assert.deepEqual(chat.messages.map(String), words.map(String));
}

test('nginx in front of the gateway, and behind it', async () => {
  await using server = await startGrpcServer(HANDLERS);
  {
    await using plane = await grpcPlane(server.port);
    const port = await freePort();
    await using _ = await startNginxGrpc(plane.port, port);
    await checkCalls(port);
  }
  const port = await freePort();
  await using _ = await startNginxGrpc(server.port, port);
  await using plane = await grpcPlane(port);
  await checkCalls(plane.port);
});

test('nghttpd as server, with a length before trailers, and h2load as client', async () => {
  await using folder = await tempDir();
  await mkdir(join(folder.path, 'a.B'));
  await writeFile(join(folder.path, 'a.B/C'), framed(Buffer.from('answer')));
  const body = join(folder.path, 'call');
  await writeFile(body, framed(Buffer.from('question')));
  const port = await freePort();
  const words = ['--no-tls', '-a', '127.0.0.1', '-d', folder.path, '--trailer', 'grpc-status: 0', `${port}`];
  await using stack = new AsyncDisposableStack();
  const server = new Child('nghttpd', words);
  stack.defer(async () => {
    server.kill('SIGTERM');
    await server.exited;
  });
  const direct = `http://127.0.0.1:${port}/a.B/C`;
  const answers = async (): Promise<boolean> =>
    (await run('h2load', ['-n', '1', direct])).stdout.includes('1 succeeded');
  await waitFor(answers, { what: 'nghttpd' });
  await using plane = await grpcPlane(port);
  const load = ['-n', '2000', '-c', '4', '-m', '50', '-d', body];
  const fields = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  const { stdout } = await run('h2load', [...load, ...fields, `http://127.0.0.1:${plane.port}/a.B/C`]);
  assert.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  await using client = new GrpcClient(plane.port);
  const call = client.client.makeBidiStreamRequest(
    '/a.B/C',
    (v: Buffer) => v,
    (v: Buffer) => v,
  );
  const ended = outcome(call);
  call.end(Buffer.from('question'));
  const { code, messages } = await ended;
  assert.deepEqual([code, messages.join()], [grpc.status.OK, 'answer']);
});
