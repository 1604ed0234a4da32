/** `/status` (Admin and Status API): memory, connections, hash of the configuration; and what each worker serves. */
import type { Gateway } from '../gateway.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { type Methods, json } from './resource.ts';

/** A worker that is busy is left out rather than waited for. */
const HEAP_PATIENCE_MS = 500;

const UNITS: Readonly<Record<string, readonly [divisor: number, name: string]>> = {
  k: [1024, 'KiB'],
  m: [1024 ** 2, 'MiB'],
  g: [1024 ** 3, 'GiB'],
};

export function status(gateway: Gateway): Methods {
  return {
    GET: async (context) => {
      const format = memoryFormat(context.req.query('unit') ?? 'm', context.req.query('scale') ?? '2');
      if (typeof format === 'string') return json(400, { message: format });
      const { supervisor, reloader } = gateway;
      const reach = gateway.reach?.() ?? null;
      return json(200, {
        memory: { workers_lua_vms: await workerHeaps(gateway, format), lua_shared_dicts: {} },
        server: connections(gateway),
        ...(reloader.settings.database === 'off'
          ? { configuration_hash: reloader.loaded.hash }
          : { database: { reachable: reach?.reachable ?? true } }),
        sluice: {
          ...(reach === null ? {} : { database: reach }),
          revision: supervisor.revision,
          workers: supervisor.report(),
          broken_routes: supervisor.broken,
          http2: http2(gateway),
          directory: supervisor.directory.size,
        },
      });
    },
  };
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
