import type { Affinity } from '../../balancer/affinity.ts';
import type { BalancingPolicy } from '../../balancer/policy.ts';
import type { GatePolicy } from '../../plugins/kit/gates.ts';
import type { MirrorPolicy } from '../../plugins/kit/mirror.ts';
import type { HedgePolicy, RetryPolicy } from '../../plugins/kit/tries.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import type { Exchange } from '../exchange.ts';

/** What plugins want of the upstream request in place of what route and service say; null: as those say. */
export class UpstreamEdits {
  /** The whole service; what stands below goes on top of it. */
  service: ServiceTarget | null = null;
  method: string | null = null;
  /** Escaped, as it is sent. */
  path: string | null = null;
  query: string | null = null;
  /** The Host header. */
  host: string | null = null;
  target: { readonly host: string; readonly port: number } | null = null;
  tls: boolean | null = null;
  timeouts: { readonly connect?: number; readonly write?: number; readonly read?: number } | null = null;
  retries: number | null = null;
  balancing: BalancingPolicy | null = null;
  affinity: Affinity | null = null;
  retryPolicy: RetryPolicy | null = null;
  hedgePolicy: HedgePolicy | null = null;
  gates: GatePolicy[] | null = null;
  mirror: MirrorPolicy | null = null;
}

/** To be changed. @throws Error when that would come too late. */
export function editsOf(exchange: Exchange): UpstreamEdits {
  if (exchange.forward !== null || exchange.responded || exchange.over)
    throw new Error('the request has been forwarded or answered');
  return (exchange.edits ??= new UpstreamEdits());
}

/** The service that the exchange is forwarded to. */
export function editedService(service: ServiceTarget, edits: UpstreamEdits): ServiceTarget {
  const { target, timeouts, retries } = edits;
  if (target === null && edits.tls === null && timeouts === null && retries === null) return service;
  const tls = edits.tls ?? service.tls;
  const host = target?.host ?? service.host;
  const port = target?.port ?? service.port;
  const authority = host.includes(':') ? `[${host}]` : host;
  return {
    ...service,
    host,
    port,
    hostHeader: port === (tls ? 443 : 80) ? authority : `${authority}:${port}`,
    // What is remembered was found for the service's own host; another one may name an upstream, too.
    balancing: target === null ? service.balancing : { upstreams: null, balancer: null },
    tls,
    timeouts: { ...service.timeouts, ...timeouts },
    retries: retries ?? service.retries,
  };
}
