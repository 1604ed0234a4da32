/**
 * gRPC's own client and server for tests (`@grpc/grpc-js`), with a service of every kind of call whose messages are plain
 * bytes: so no protobuf file is needed.
 */
import * as grpc from '@grpc/grpc-js';

const bytes = (value: Buffer): Buffer => value;

function method(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Echo/${path}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
}

/** What the handlers do is for each test to say. */
export const ECHO = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  list: method('List', false, true),
  chat: method('Chat', true, true),
};

export const MESSAGE_LIMIT = 64 * 1024 * 1024;

export interface GrpcServer extends AsyncDisposable {
  readonly port: number;
  readonly server: grpc.Server;
}

export async function startGrpcServer(
  handlers: grpc.UntypedServiceImplementation,
  options: { port?: number; credentials?: grpc.ServerCredentials; options?: grpc.ServerOptions } = {},
): Promise<GrpcServer> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MESSAGE_LIMIT,
    'grpc.max_send_message_length': MESSAGE_LIMIT,
    ...options.options,
  });
  server.addService(ECHO, handlers);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const credentials = options.credentials ?? grpc.ServerCredentials.createInsecure();
  server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  return {
    port: await promise,
    server,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** How a call ended, with all that the client saw of it. */
export interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly Buffer[];
  /** Null when the response was trailers only. */
  readonly head: grpc.Metadata | null;
  readonly trailers: grpc.Metadata;
}

type Call = grpc.ClientDuplexStream<Buffer, Buffer>;

export class GrpcClient implements AsyncDisposable {
  readonly client: grpc.Client;

  constructor(
    port: number,
    options: { credentials?: grpc.ChannelCredentials; options?: grpc.ChannelOptions } = {},
  ) {
    this.client = new grpc.Client(
      `127.0.0.1:${port}`,
      options.credentials ?? grpc.credentials.createInsecure(),
      {
        'grpc.max_receive_message_length': MESSAGE_LIMIT,
        'grpc.max_send_message_length': MESSAGE_LIMIT,
        'grpc.enable_retries': 0,
        // Channels of one address share connections otherwise, and then tests share them.
        'grpc.use_local_subchannel_pool': 1,
        ...options.options,
      },
    );
  }

  /** Begins a call of any kind as one of streams both ways: on the wire they are all the same. */
  start(kind: keyof typeof ECHO, metadata = new grpc.Metadata(), options: grpc.CallOptions = {}): Call {
    const { path } = ECHO[kind];
    return this.client.makeBidiStreamRequest(path, bytes, bytes, metadata, options);
  }

  /** A whole call: sends all messages, and answers how it ended. */
  async call(
    kind: keyof typeof ECHO,
    messages: readonly Buffer[],
    options: { metadata?: grpc.Metadata; options?: grpc.CallOptions } = {},
  ): Promise<Outcome> {
    const call = this.start(kind, options.metadata, options.options);
    const ended = outcome(call);
    for (const message of messages) call.write(message);
    call.end();
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
  }
}

export function outcome(call: Call): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const messages: Buffer[] = [];
  let head: grpc.Metadata | null = null;
  call.on('metadata', (metadata: grpc.Metadata) => (head = metadata));
  call.on('data', (message: Buffer) => messages.push(message));
  call.on('error', () => {});
  call.on('status', ({ code, details, metadata }: grpc.StatusObject) =>
    resolve({ code, details, messages, head, trailers: metadata }),
  );
  return promise;
}

/** A message as it stands on the wire: a flag, a length, and its bytes. */
export function framed(message: Buffer): Buffer {
  const bytesOf = Buffer.alloc(5 + message.length);
  bytesOf.writeUInt32BE(message.length, 1);
  message.copy(bytesOf, 5);
  return bytesOf;
}
