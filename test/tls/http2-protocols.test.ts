/** The protocols above HTTP/2, with TLS on both legs through the whole gateway: gRPC, event streams, WebSocket; a reload. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { makeCertificate } from '../support/certificate.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { GrpcClient, outcome, startGrpcServer } from '../support/grpc.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

interface Stage extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly port: number;
  readonly cert: string;
  /** Sends an event to every client of the event stream. */
  event(text: string): void;
}

/** A gateway whose only listener speaks TLS and HTTP/2, a gRPC service and an HTTP/1.1 one, both with TLS. */
async function startStage(): Promise<Stage> {
  const folder = await tempDir();
  const { cert, key } = makeCertificate(folder.path);
  const pair = { cert: readFileSync(cert), key: readFileSync(key) };
  const calls = await startGrpcServer(
    {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
        call.request.length === 0
          ? reply({ code: grpc.status.DATA_LOSS, details: 'nothing came' })
          : reply(null, call.request),
      chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message: Buffer) => call.write(message));
        call.on('end', () => call.end());
      },
    },
    {
      credentials: grpc.ServerCredentials.createSsl(null, [{ cert_chain: pair.cert, private_key: pair.key }]),
    },
  );
  const events = new Set<{ write(text: string): unknown }>();
  const web = createServer(pair, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    events.add(response);
  });
  web.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}${GUID}`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
    socket.on('error', () => {});
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const port = await freePort();
  const gateway = await startGateway({
    settings: { proxy_listen: `127.0.0.1:${port} ssl http2`, ssl_cert: cert, ssl_cert_key: key },
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 'calls',
          url: `grpcs://127.0.0.1:${calls.port}`,
          routes: [{ protocols: ['grpcs'], paths: ['/test.Echo'] }],
        },
        {
          name: 'web',
          url: `https://127.0.0.1:${(web.address() as AddressInfo).port}`,
          routes: [{ protocols: ['https'], paths: ['/web'] }],
        },
      ],
    },
  });
  return {
    gateway,
    port,
    cert,
    event: (text) => events.forEach((each) => each.write(`data: ${text}\n\n`)),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await calls[Symbol.asyncDispose]();
      web.closeAllConnections();
      web.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function session({ port }: Stage): Promise<ClientHttp2Session> {
  const made = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  made.on('error', () => {});
  await once(made, 'remoteSettings');
  return made;
}

test('grpcs to a grpcs service: a call, a large one, a failure, a conversation', async () => {
  await using stage = await startStage();
  const credentials = grpc.credentials.createSsl(readFileSync(stage.cert));
  // Its address is no server name.
  const options = { 'grpc.ssl_target_name_override': 'localhost' };
  await using client = new GrpcClient(stage.port, { credentials, options });
  const large = Buffer.alloc(3 * 1024 * 1024, 'x');
  for (const message of [Buffer.from('x'), large]) {
    const { code, messages } = await client.call('unary', [message]);
    assert.deepEqual([code, messages[0]?.equals(message)], [grpc.status.OK, true]);
  }
  const failed = await client.call('unary', [Buffer.alloc(0)]);
  assert.deepEqual([failed.code, failed.details], [grpc.status.DATA_LOSS, 'nothing came']);
  const chat = client.start('chat');
  const ended = outcome(chat);
  for (const word of ['one', 'two']) {
    chat.write(Buffer.from(word));
    const [answer] = (await once(chat, 'data')) as [Buffer];
    assert.equal(String(answer), word);
  }
  chat.end();
  assert.equal((await ended).code, grpc.status.OK);
});

test('an event stream and a WebSocket on one connection over TLS, from before a reload to behind it', async () => {
  await using stage = await startStage();
  const client = await session(stage);
  assert.equal(client.alpnProtocol, 'h2');
  const events = client.request({ ':path': '/web/events' });
  let seen = '';
  events.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const [head] = (await once(events, 'response')) as [Record<string, unknown>];
  assert.deepEqual([head[':status'], head['content-type']], [200, 'text/event-stream']);
  const socket = client.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/web/chat',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  );
  let echoed = '';
  socket.on('data', (chunk: Buffer) => (echoed += chunk.toString()));
  const [accepted] = (await once(socket, 'response')) as [Record<string, unknown>];
  assert.equal(accepted[':status'], 200);
  let expected = '';
  for (const text of ['before', 'behind']) {
    expected += text;
    stage.event(text);
    socket.write(text);
    await waitFor(() => seen.endsWith(`data: ${text}\n\n`) && echoed === expected, {
      what: `what comes ${text}`,
    });
    if (text === 'before') await stage.gateway.reload();
  }
  client.close();
  for (const stream of [events, socket]) stream.close(8);
  await once(client, 'close');
});
