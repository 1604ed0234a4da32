/** The finish step of a stream: its line in the access log, counters. Plugins' log phase. */
import { performance } from 'node:perf_hooks';
import { CELL } from '../../zone/worker-zone.ts';
import { logStream } from './plugins.ts';
import type { Stream } from './stream.ts';

export function finishStream(stream: Stream): void {
  const { context, transport, arrival, status, bytesSent, bytesReceived } = stream;
  context.zone.decrement(transport === 'udp' ? CELL.udpSessions : CELL.streams);
  context.open.delete(stream);
  logStream(stream);
  context.accessLog?.write({
    remoteAddr: arrival.clientIp,
    protocol: transport === 'udp' ? 'UDP' : 'TCP',
    status,
    bytesSent,
    bytesReceived,
    milliseconds: performance.now() - stream.startedAt,
  });
  if (context.open.size === 0) context.onIdle();
}
