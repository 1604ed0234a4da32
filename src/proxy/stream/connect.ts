/**
 * The connect step: a connection to the service or one of its upstream's targets, with TLS for a service of `tls`, tried
 * again elsewhere as long as `retries` allow. No byte of the client has been sent before it stands, so that a try can
 * always be repeated.
 */
import type * as net from 'node:net';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import { connectUpstream, handshakeFailure } from '../../wire/tls/upstream-connect.ts';
import type { UpstreamTls } from '../../wire/tls/destination.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { ReadBuffer, relay } from './relay.ts';
import type { Stream } from './stream.ts';
import { type StreamTarget, StreamTargets } from './targets.ts';

/** @param client without a reader; its bytes wait in it. */
export function connectStream(stream: Stream, client: net.Socket, service: ServiceTarget): void {
  const targets = new StreamTargets(stream, service);
  let upstream: net.Socket | null = null;
  const gone = (): void => {
    // Before there is an upstream that could want its last words.
    if (client.destroyed) stream.end();
  };
  stream.cut = () => {
    client.destroy();
    upstream?.destroy();
  };
  client.once('close', gone);
  const attempt = (target: StreamTarget): void => {
    tryTarget(stream, service, target, {
      opened: (socket) => (upstream = socket),
      ready(socket, buffer) {
        targets.connected();
        client.off('close', gone);
        relay(stream, { client, upstream: socket, buffer, idleMs: service.timeouts.read });
      },
      failed(message) {
        if (stream.over) return;
        if (!targets.again()) return stream.refuse(502, 'stream_connect', message);
        stream.log('error', 'stream_connect', message);
        stream.context.zone.increment(CELL.retries);
        targets.next(attempt);
      },
    });
  };
  targets.next(attempt);
}

interface Attempt {
  opened(socket: net.Socket): void;
  ready(socket: net.Socket, buffer: ReadBuffer): void;
  failed(message: string): void;
}

function tryTarget(stream: Stream, service: ServiceTarget, to: StreamTarget, attempt: Attempt): void {
  const { wheel, zone } = stream.context;
  stream.upstream = `tcp://${to.ip.includes(':') ? `[${to.ip}]` : to.ip}:${to.port}`;
  let tls: UpstreamTls | null;
  try {
    tls = termsOf(stream, service, to);
  } catch (error) {
    const { cause, message } = error as Error;
    return stream.refuse(502, 'stream_terms', cause instanceof Error ? cause.message : message);
  }
  const buffer = new ReadBuffer();
  let failure: Error | null = null;
  const begun = performance.now();
  const timer = new WheelTimer(() => socket.destroy(new Error('timed out')));
  const socket = connectUpstream(
    { host: to.ip, port: to.port, tls },
    {
      alpn: null,
      onread: buffer.onread,
      onReady() {
        wheel.remove(timer);
        socket.off('close', onClose);
        stream.load?.observe(performance.now() - begun);
        if (!stream.over) attempt.ready(socket, buffer);
      },
    },
  );
  const onClose = (): void => {
    wheel.remove(timer);
    const reason = tls === null ? (failure ?? new Error('closed')) : handshakeFailure(failure);
    attempt.failed(`connect failed: ${reason.message}`);
  };
  socket.on('error', (error) => (failure = error));
  socket.on('close', onClose);
  attempt.opened(socket);
  zone.increment(CELL.upstreamConnects);
  wheel.arm(timer, service.timeouts.connect);
}

/** TLS inside of TLS that is passed through would be nobody's wish. */
function termsOf(stream: Stream, service: ServiceTarget, { authority }: StreamTarget): UpstreamTls | null {
  const { route, context, snapshot } = stream;
  if (!service.tls || route?.entity.protocols[0] === 'tls_passthrough') return null;
  const keeps = route?.preserveHost === true && stream.serverName !== '';
  const certificate = snapshot.upstreams.of(service)?.clientCertificate ?? null;
  return context.upstreamTerms.of(
    service,
    certificate,
    snapshot.trust,
    keeps ? stream.serverName : authority,
  );
}
