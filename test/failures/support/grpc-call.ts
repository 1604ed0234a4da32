/** A gRPC call as it looks on the wire: the head, the trailers, and the error code with which its stream was reset. */
import * as http2 from 'node:http2';
import { framed } from '../../support/grpc.ts';

export interface GrpcAnswer {
  /** Null: no head came. */
  readonly status: number | null;
  /** Of the head, or of the trailers. */
  readonly grpcStatus: string | undefined;
  readonly message: string | undefined;
  readonly type: string | undefined;
  readonly body: string;
  /** 0: it ended in good order. */
  readonly reset: number;
}

export async function grpcCall(port: number, path: string): Promise<GrpcAnswer> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let head: http2.IncomingHttpHeaders & { ':status'?: number | undefined } = {};
  let trailers: http2.IncomingHttpHeaders = {};
  let body = '';
  stream.on('response', (fields) => (head = fields));
  stream.on('trailers', (fields) => (trailers = fields));
  stream.setEncoding('latin1').on('data', (chunk: string) => (body += chunk));
  stream.on('error', () => {});
  // Not `once`, for which an error is the end.
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.on('close', resolve);
  stream.end(framed(Buffer.from('x')));
  await closed;
  session.destroy();
  const said = (name: string): string | undefined => {
    const value = trailers[name] ?? head[name];
    return value === undefined ? undefined : String(value);
  };
  return {
    status: head[':status'] ?? null,
    grpcStatus: said('grpc-status'),
    message: said('grpc-message'),
    type: said('content-type'),
    body,
    reset: stream.rstCode ?? 0,
  };
}
