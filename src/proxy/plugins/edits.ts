import type { ServiceTarget } from '../../snapshot/snapshot.ts';

/** What plugins want of the upstream request in place of what route and service say; null: as those say. */
export class UpstreamEdits {
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
}

/** The service as the exchange is forwarded to. */
export function editedService(service: ServiceTarget, edits: UpstreamEdits): ServiceTarget {
  const { target, tls, timeouts, retries } = edits;
  if (target === null && tls === null && timeouts === null && retries === null) return service;
  return {
    ...service,
    ...target,
    // It was found for the service's own host.
    balancing: target === null ? service.balancing : { upstreams: null, balancer: null },
    tls: tls ?? service.tls,
    timeouts: { ...service.timeouts, ...timeouts },
    retries: retries ?? service.retries,
  };
}
