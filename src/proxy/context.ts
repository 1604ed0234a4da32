/** What all exchanges of a worker share. Snapshot and policy are replaced whole; an exchange reads them when it begins. */
import type { Resolver } from '../balancer/resolver/resolver.ts';
import type { DirectoryEntities } from '../entities/directory-kinds.ts';
import type { GatewayError } from '../lib/gateway-error.ts';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { AccessLog } from '../observe/access-log.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { UpstreamPool } from '../wire/http1/upstream-pool.ts';
import type { Http2Pool } from '../wire/http2/client-pool.ts';
import type { Directory } from '../zone/directory/directory.ts';
import type { CircuitZone } from '../zone/circuits/circuit-zone.ts';
import type { WorkerZone } from '../zone/worker-zone.ts';
import type { ErrorBodies } from './error-body.ts';
import type { Exchange } from './exchange.ts';
import type { Policy } from './policy.ts';
import type { RealIp } from './real-ip.ts';
import type { UpstreamTerms } from './forward/upstream-terms.ts';

export interface ProxyContext {
  readonly snapshot: Snapshot;
  readonly policy: Policy;
  readonly realIp: RealIp;
  readonly errorBodies: ErrorBodies;
  readonly resolver: Resolver;
  readonly pool: UpstreamPool;
  readonly http2Pool: Http2Pool;
  readonly upstreamTerms: UpstreamTerms;
  readonly wheel: TimerWheel;
  readonly zone: WorkerZone;
  /** Breakers and places of targets and upstreams. */
  readonly circuits: CircuitZone;
  /** Consumers and credentials. */
  readonly directory: Directory<DirectoryEntities>;
  /** Null when `proxy_access_log` is off. */
  readonly accessLog: AccessLog | null;
  /** A line for the error log, at the level that the error's source deserves. */
  reportError(exchange: Exchange, error: GatewayError): void;
  /** A line for the error log: the health of a target is another. */
  reportHealth(line: string): void;
  /** The worker's tunnels, to be cut when the grace time of a stop is over. */
  readonly tunnels: Set<{ destroy(): void }>;
}
