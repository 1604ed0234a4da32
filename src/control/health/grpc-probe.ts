/**
 * gRPC's own health check (grpc.health.v1.Health/Check of the whole server), on `node:http2` with a session of its own.
 * SERVING is taken for status 200; any other answer, or none that can be read, for 0, which is unhealthy.
 */
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { connectUpstream } from '../../wire/tls/upstream-connect.ts';
import type { Answer, Probe, ProbeSpec } from './probe.ts';
import { NO_STATUS, type Outcome } from '../../balancer/health/report.ts';

/** Node wants a URL, whatever the socket. The authority need not be one's host: `shard.1` is none. */
const ANYWHERE = 'http://target';
const SERVING_STATUS = 200;
/** A message of no octets: the health of the server as a whole. */
const REQUEST = Buffer.alloc(5);
/** Frame header and `status: SERVING` (field 1, varint 1). */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
const MAX_BYTES = 1024;

export function grpcProbe({ to, authority, timeoutMs }: ProbeSpec, answer: Answer): Probe {
  let session: ClientHttp2Session | null = null;
  let over = false;
  const timer = setTimeout(() => end('timeout', `nothing for ${timeoutMs} ms`), timeoutMs);
  const cancel = (): void => {
    over = true;
    clearTimeout(timer);
    session?.destroy();
    socket.destroy();
  };
  const end = (outcome: Outcome, cause: string): void => {
    if (over) return;
    cancel();
    answer({ outcome, cause });
  };
  const ask = (): void => {
    if (over) return;
    timer.refresh();
    session = connect(ANYWHERE, { createConnection: () => socket });
    session.on('error', (error: Error) => end('tcp failure', error.message));
    session.on('close', () => end('tcp failure', 'closed'));
    call(session, authority, end);
  };
  const socket = connectUpstream(to, { alpn: to.tls === null ? null : ['h2'], onReady: ask });
  socket.on('error', (error) => end('tcp failure', error.message));
  socket.on('close', () => end('tcp failure', 'closed'));
  return { cancel };
}

function call(
  session: ClientHttp2Session,
  authority: string,
  end: (outcome: Outcome, cause: string) => void,
): void {
  const stream = session.request({
    [constants.HTTP2_HEADER_AUTHORITY]: authority,
    [constants.HTTP2_HEADER_SCHEME]: session.encrypted === true ? 'https' : 'http',
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let status: string | undefined;
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    const said = headers['grpc-status'];
    if (typeof said === 'string' || typeof said === 'number') status = String(said);
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) end(NO_STATUS, 'too long an answer');
    else chunks.push(chunk);
  });
  stream.on('error', (error: Error) => end('tcp failure', error.message));
  stream.on('end', () => {
    const serving = status === '0' && Buffer.concat(chunks).equals(SERVING);
    if (serving) end(SERVING_STATUS, 'serving');
    else end(NO_STATUS, status === '0' ? 'not serving' : `gRPC status ${status ?? 'missing'}`);
  });
  stream.end(REQUEST);
}
