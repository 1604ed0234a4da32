/** What `/status` and `/status/ready` answer, for the applications and for the probes that need none. */
import { EMPTY_HASH } from '../snapshot/snapshot.ts';
import { CELL } from '../zone/worker-zone.ts';
import { refusedHeaders } from './proxy-header.ts';
import type { Gateway } from './gateway.ts';

export interface NodeReply {
  readonly status: number;
  readonly body: object;
}

/** A worker that is busy is left out rather than waited for. */
const HEAP_PATIENCE_MS = 500;

const UNITS: Readonly<Record<string, readonly [divisor: number, name: string]>> = {
  k: [1024, 'KiB'],
  m: [1024 ** 2, 'MiB'],
  g: [1024 ** 3, 'GiB'],
};

/** Memory, connections, hash of the configuration; and what each worker serves. */
export async function nodeStatus(gateway: Gateway, unit = 'm', scale = '2'): Promise<NodeReply> {
  const format = memoryFormat(unit, scale);
  if (typeof format === 'string') return { status: 400, body: { message: format } };
  const { supervisor, reloader } = gateway;
  const reach = gateway.reach?.() ?? null;
  const body = {
    memory: { workers_lua_vms: await workerHeaps(gateway, format), lua_shared_dicts: {} },
    server: connections(gateway),
    ...(reloader.settings.database === 'off'
      ? { configuration_hash: reloader.loaded.hash }
      : { database: { reachable: reach?.reachable ?? true } }),
    sluice: {
      ...(reach === null ? {} : { database: reach }),
      revision: supervisor.revision,
      upstream_tls_failures: supervisor.zone.sum(CELL.upstreamTlsFailures),
      workers: supervisor.report(),
      broken_routes: supervisor.broken,
      http2: http2(gateway),
      balancing: { alone: supervisor.zone.sum(CELL.balancedAlone) },
      proxy_headers_refused: supervisor.zone.sum(CELL.proxyHeadersRefused) + refusedHeaders(),
      streams: streams(gateway),
      directory: supervisor.directory.size,
      plugins: gateway.plugins?.report() ?? null,
      tls: handshakes(gateway),
    },
  };
  return { status: 200, body };
}

/** May a load balancer send requests here? */
export function nodeReadiness(gateway: Gateway): NodeReply {
  const reason = whyNotReady(gateway);
  return reason === null
    ? { status: 200, body: { message: 'ready' } }
    : { status: 503, body: { message: reason } };
}

type Format = (bytes: number) => string | number;

/** Kong's `unit` (b, k, m, g) and `scale` (digits after the point). Answers an error's text for others. */
export function memoryFormat(unit: string, scale: string): Format | string {
  const digits = Number(scale);
  if (!Number.isInteger(digits) || digits < 0 || digits > 100) return `invalid scale '${scale}'`;
  const lower = unit.toLowerCase();
  if (lower === 'b') return (bytes) => bytes;
  const found = Object.hasOwn(UNITS, lower) ? UNITS[lower] : undefined;
  if (found === undefined) {
    return `invalid unit '${unit}' (expected 'b/B', 'k/K', 'm/M', or 'g/G')`;
  }
  const [divisor, name] = found;
  return (bytes) => `${(bytes / divisor).toFixed(digits)} ${name}`;
}

/** Kong's field names; ours are V8 heaps. */
async function workerHeaps({ supervisor }: Gateway, format: Format): Promise<object[]> {
  const heaps = await Promise.all(supervisor.workers.map((worker) => worker.heapUsed(HEAP_PATIENCE_MS)));
  return heaps
    .filter((bytes) => bytes !== null)
    .map((bytes) => ({ pid: process.pid, http_allocated_gc: format(bytes) }));
}

/** TLS handshakes of proxy listeners. */
function handshakes({ supervisor: { zone } }: Gateway): Readonly<Record<string, number>> {
  return {
    handshakes: zone.sum(CELL.tlsHandshakes),
    resumed: zone.sum(CELL.tlsResumed),
    failed: zone.sum(CELL.tlsFailures),
    in_flight: zone.sum(CELL.tlsHandshaking),
  };
}

/** What came in by `stream_listen`. */
function streams({ supervisor: { zone } }: Gateway): Readonly<Record<string, number>> {
  return {
    handled: zone.sum(CELL.streamsHandled),
    refused: zone.sum(CELL.streamsRefused),
    active: zone.sum(CELL.streams),
    udp_sessions: zone.sum(CELL.udpSessions),
    datagrams_dropped: zone.sum(CELL.datagramsDropped),
  };
}

/** HTTP/2 on proxy listeners. */
function http2({ supervisor: { zone } }: Gateway): Readonly<Record<string, number>> {
  return {
    streams: zone.sum(CELL.http2Streams),
    protocol_errors: zone.sum(CELL.http2Errors),
    floods: zone.sum(CELL.http2Floods),
    resets: zone.sum(CELL.http2Resets),
  };
}

function connections({ supervisor: { zone } }: Gateway): Readonly<Record<string, number>> {
  return {
    connections_accepted: zone.sum(CELL.accepted),
    connections_active: zone.sum(CELL.active),
    connections_handled: zone.sum(CELL.handled),
    connections_reading: zone.sum(CELL.reading),
    connections_waiting: zone.sum(CELL.waiting),
    connections_writing: zone.sum(CELL.writing),
    total_requests: zone.sum(CELL.requests),
  };
}

function whyNotReady({ life, supervisor, reloader }: Gateway): string | null {
  if (life.announcedDraining || life.state === 'draining' || life.state === 'stopping') return 'draining';
  const declarative = reloader.settings.database === 'off';
  if (declarative && reloader.loaded.hash === EMPTY_HASH)
    return 'no configuration available (empty configuration present)';
  if (supervisor.ready) return null;
  const behind = supervisor.report().filter(({ state, revision }) => {
    return state !== 'running' || revision !== supervisor.revision;
  });
  return `not ready: ${behind.map(({ id, state }) => `worker ${id} is ${state}`).join(', ')}`;
}
