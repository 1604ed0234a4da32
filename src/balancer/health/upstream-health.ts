/**
 * The health of one upstream as a worker sees it: which targets are out, whether enough are left, and what requests tell.
 *
 * The zone has a state for each address. What of it matters to the choice of a target is worked out when something has
 * changed, which the epoch of the upstream's group tells: an ordinary request pays that one comparison. A target is out
 * when all addresses are that its name had when it was last used; one that the main thread does not know yet counts as
 * healthy, and its failures as none.
 */
import { ipFamily } from '../../lib/is-ip.ts';
import type { HealthHandle, HealthZone } from '../../zone/health/health-zone.ts';
import { addressKey, groupKey } from '../../zone/health/layout.ts';
import type { ResolvedAddress } from '../resolver/resolver.ts';
import type { HealthChecks } from './health-checks.ts';
import { type Outcome, report } from './report.ts';

/** Of a name: those that it has now, and whose turn it is. */
export interface Addresses {
  readonly addresses: readonly ResolvedAddress[];
  next(): ResolvedAddress;
}

export interface HealthTarget {
  readonly host: string;
  readonly port: number;
  /** Above 0. */
  readonly weight: number;
}

export interface UpstreamHealthSpec {
  readonly id: string;
  readonly name: string;
  readonly checks: HealthChecks;
  readonly targets: readonly HealthTarget[];
}

interface Member {
  readonly target: HealthTarget;
  addresses: readonly ResolvedAddress[];
  /** Of each address; null: the main thread does not know it. */
  handles: ReadonlyArray<HealthHandle | null>;
}

const NONE: readonly ResolvedAddress[] = [];

export class UpstreamHealth {
  readonly #zone: HealthZone;
  readonly #spec: UpstreamHealthSpec;
  readonly #members: readonly Member[];
  readonly #total: number;
  #group: HealthHandle | null = null;
  #epoch = -1;
  #allocations = -1;
  #down: ReadonlySet<number> | null = null;
  #open = true;
  #version = 0;

  constructor(zone: HealthZone, spec: UpstreamHealthSpec) {
    this.#zone = zone;
    this.#spec = spec;
    this.#members = spec.targets.map((target) => ({
      target,
      addresses: ipFamily(target.host) === 0 ? NONE : [{ ip: target.host, port: null, weight: 1 }],
      handles: [],
    }));
    this.#total = spec.targets.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Indexes of targets that take no requests; null when there are none. */
  get down(): ReadonlySet<number> | null {
    this.#refresh();
    return this.#down;
  }

  /** Another one whenever a state has changed since it was asked for last. */
  get version(): number {
    this.#refresh();
    return this.#version;
  }

  /** Enough of the weight is available (Kong's `healthchecks.threshold`). */
  get open(): boolean {
    this.#refresh();
    return this.#open;
  }

  available(index: number): boolean {
    return this.down?.has(index) !== true;
  }

  /**
   * Since when a target takes requests again: milliseconds by the clock of all threads, of the address that came back
   * first; 0: one of its addresses never was out.
   */
  backSince(index: number): number {
    this.#refresh();
    const { handles = [] } = this.#members[index] ?? {};
    let since = Infinity;
    for (const handle of handles) {
      if (handle === null) return 0;
      if (this.#zone.healthy(handle)) since = Math.min(since, this.#zone.backSince(handle));
    }
    return since === Infinity ? 0 : since;
  }

  /** The next address of a target that takes requests; null when none does. */
  pick(index: number, name: Addresses): ResolvedAddress | null {
    const member = this.#members[index];
    if (member === undefined) return name.next();
    if (member.addresses !== name.addresses) this.#learn(member, name.addresses);
    for (let tries = name.addresses.length; tries > 0; tries--) {
      const address = name.next();
      const handle = this.#handle(member, address);
      if (handle === null || this.#zone.healthy(handle)) return address;
    }
    return null;
  }

  /** What became of a try. @returns a line for the log when the target is another from now on. */
  tell(index: number, address: ResolvedAddress, outcome: Outcome): string | null {
    const member = this.#members[index];
    const handle = member === undefined ? null : this.#handle(member, address);
    if (member === undefined || handle === null) return null;
    const { passive } = this.#spec.checks;
    // Kong takes an upstream's 504 for a time-out; where somebody has named it as a status, it is one.
    const slow = outcome === 504 && !passive.unhealthyStatuses.has(504);
    const state = report(this.#zone, handle, slow ? 'timeout' : outcome, passive);
    if (state === null) return null;
    const { host, port } = member.target;
    const at = `${address.ip}:${address.port ?? port}`;
    const what = typeof outcome === 'number' ? `status ${outcome}` : outcome;
    return `upstream ${this.#spec.name}: target ${host}:${port} (${at}) is ${state} after ${what} of a request`;
  }

  #handle(member: Member, address: ResolvedAddress): HealthHandle | null {
    return member.handles[member.addresses.indexOf(address)] ?? null;
  }

  #learn(member: Member, addresses: readonly ResolvedAddress[]): void {
    member.addresses = addresses;
    this.#find(member);
    // The target may be in or out by it.
    this.#epoch = -1;
  }

  #find(member: Member): void {
    const { host, port } = member.target;
    member.handles = member.addresses.map((address) =>
      this.#zone.find(addressKey(this.#spec.id, { host, port }, address.ip, address.port ?? port)),
    );
  }

  #refresh(): void {
    const zone = this.#zone;
    let group = this.#group;
    if (group === null || !zone.lives(group)) {
      const allocations = zone.allocations;
      if (allocations === this.#allocations) return;
      this.#allocations = allocations;
      group = this.#group = zone.find(groupKey(this.#spec.id));
      this.#epoch = -1;
      if (group === null) return this.#workOut();
    }
    const epoch = zone.epoch(group);
    if (epoch === this.#epoch) return;
    // First: what changes meanwhile is another epoch.
    this.#epoch = epoch;
    this.#workOut();
  }

  #workOut(): void {
    this.#version++;
    let down: Set<number> | null = null;
    let available = 0;
    for (const [index, member] of this.#members.entries()) {
      const part = this.#availablePart(member);
      available += member.target.weight * part;
      if (part === 0) (down ??= new Set()).add(index);
    }
    this.#down = down;
    this.#open = (available / this.#total) * 100 > this.#spec.checks.threshold;
  }

  /**
   * 0 to 1: of its addresses, by weight. One that has left its name counts as healthy: nothing goes there (`pick`), but a
   * target that is out is not resolved, and would never be seen to have others.
   */
  #availablePart(member: Member): number {
    if (member.addresses.length === 0 || this.#group === null) return 1;
    this.#find(member);
    let sum = 0;
    let healthy = 0;
    for (const [i, { weight }] of member.addresses.entries()) {
      const handle = member.handles[i] ?? null;
      sum += weight;
      if (handle === null || this.#zone.healthy(handle) || this.#zone.left(handle)) healthy += weight;
    }
    return healthy / sum;
  }
}
