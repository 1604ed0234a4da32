/** An address of a target that has health: its slot, its name in the log, and what metrics tell of it. */
import type { TargetSpec } from '../../balancer/target.ts';
import type { HealthHandle, HealthZone } from '../../zone/health/health-zone.ts';
import type { HealthKey } from '../../zone/health/layout.ts';

export interface Address {
  readonly key: HealthKey;
  readonly target: TargetSpec;
  readonly ip: string;
  readonly port: number;
  /** Of the SRV record's target. */
  readonly srvName: string | null;
  /** Null: there was no room. */
  readonly handle: HealthHandle | null;
}

/** For metrics. */
export interface AddressState {
  readonly upstream: string;
  readonly target: string;
  readonly address: string;
  readonly healthy: boolean;
  /** How often it was not what it had been. */
  readonly changes: number;
}

export function* statesOf(
  upstream: string,
  addresses: Iterable<Address>,
  zone: HealthZone,
): Generator<AddressState> {
  for (const { target, ip, port, handle } of addresses) {
    if (handle === null) continue;
    const named = hostPort(target.host, target.port);
    const healthy = zone.healthy(handle);
    yield { upstream, target: named, address: hostPort(ip, port), healthy, changes: zone.changes(handle) };
  }
}

export function nameOf({ host, port }: TargetSpec, ip: string, own: number): string {
  return `${host}:${port} (${ip}:${own})`;
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
