/** Bytes that are no request: an error page as nginx would give it, and a line in the logs. Nothing is forwarded. */
import type { GatewayError } from '../lib/gateway-error.ts';
import { reasonPhrase } from '../lib/reason-phrases.ts';
import type { AccessLog } from '../observe/access-log.ts';
import type { ErrorLog } from '../observe/error-log.ts';
import { FlatHeaders } from '../wire/flat-headers.ts';
import type { MalformedRequest } from '../wire/http1/client-context.ts';
import type { ServerStream } from '../wire/message.ts';
import type { ErrorBodies } from './error-body.ts';
import { isGrpcContentType } from './grpc-status.ts';
import type { Policy } from './policy.ts';
import { requestId } from './request-id.ts';

export interface MalformedContext {
  readonly policy: Policy;
  readonly errorBodies: ErrorBodies;
  readonly accessLog: AccessLog | null;
  readonly errorLog: ErrorLog;
}

export function replyMalformed(
  context: MalformedContext,
  stream: ServerStream,
  error: GatewayError,
  { requestLine, headers: received }: MalformedRequest,
): void {
  const { policy } = context;
  const id = requestId();
  const made = context.errorBodies.errorBody({
    kind: 'nginx',
    status: error.status,
    message: error.message,
    accept: received.has('accept') ? received.all('accept').join(', ') : undefined,
    contentType: received.get('content-type'),
    requestId: id,
    isGrpc: requestLine.endsWith(' HTTP/2.0') && isGrpcContentType(received.get('content-type')),
  });
  const headers = new FlatHeaders(['Date', new Date().toUTCString(), 'Content-Type', made.contentType]);
  for (const [name, value] of made.headers ?? []) headers.add(name, value);
  if (policy.sendServer) headers.add('Server', policy.serverToken);
  if (policy.sendResponseLatency) headers.add('X-Kong-Response-Latency', '0');
  if (policy.sendRequestId) headers.add('X-Kong-Request-Id', id);
  stream.respond({
    status: made.status,
    reason: reasonPhrase(made.status),
    headers,
    bodyLength: made.body.length,
  });
  if (made.body.length > 0) stream.write(made.body);
  stream.end(null);
  stream.flush();
  const client = stream.peer.remoteAddress;
  context.errorLog.log('info', error.code, error.code.replaceAll('_', ' '), {
    client,
    request: requestLine,
    requestId: id,
  });
  context.accessLog?.write({
    remoteAddr: client,
    remoteUser: '',
    method: '',
    target: requestLine,
    version: '1.1',
    status: made.status,
    bytesSent: made.body.length,
    referer: received.get('referer') ?? '',
    userAgent: received.get('user-agent') ?? '',
    requestId: id,
  });
}
