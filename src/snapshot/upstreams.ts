/**
 * The upstreams of a snapshot: which services are balanced, and over what.
 *
 * A service is balanced when its host is the name of an upstream. That is looked up when a request meets the service
 * and not when the service is compiled: upstreams and targets may come, change and go without any route being
 * compiled again. The service remembers the answer and of which upstreams it was, so that the name is looked up once
 * after each change and a request pays one comparison. What is remembered is no state: asked again, the answer is the
 * same.
 */
import type { Balancer } from '../balancer/balancer.ts';
import type { TargetZone } from '../zone/targets/target-zone.ts';

/** What a service remembers. */
export interface Balancing {
  upstreams: Upstreams | null;
  balancer: Balancer | null;
}

export class Upstreams {
  readonly byName: ReadonlyMap<string, Balancer>;

  constructor(byName: ReadonlyMap<string, Balancer>) {
    this.byName = byName;
  }

  /** They are served from now on, in place of those. */
  open(zone: TargetZone, before: Upstreams): void {
    if (before === this) return;
    const old = new Set(before.byName.values());
    for (const balancer of this.byName.values()) if (!old.delete(balancer)) balancer.open(zone);
    for (const balancer of old) balancer.close();
  }

  /** Upstreams for which the node's zone has no room. */
  get alone(): number {
    let count = 0;
    for (const { alone } of this.byName.values()) if (alone) count++;
    return count;
  }

  /** Null: the host is no upstream. Names are compared as they are written, as in Kong. */
  of(service: { readonly host: string; readonly balancing: Balancing }): Balancer | null {
    const { balancing } = service;
    if (balancing.upstreams !== this) {
      balancing.upstreams = this;
      balancing.balancer = this.byName.get(service.host) ?? null;
    }
    return balancing.balancer;
  }
}

export const NO_UPSTREAMS = new Upstreams(new Map());
