/**
 * The gates of one policy, for the upstreams and addresses that it has met: found by one comparison for the one that was
 * met last, which for a service is always the same. When an upstream is served in another form, its gate is made anew before
 * the one before lets go, so that handles go on.
 */
import type { Balancer } from '../../balancer/balancer.ts';
import type { Circuit } from '../../zone/circuits/circuit.ts';
import { CircuitZone } from '../../zone/circuits/circuit-zone.ts';
import type { Destination } from '../kit/gates.ts';

/** Plugins may send requests anywhere: those met first make room. */
const MAX_GATES = 4096;

interface Closable {
  close(): void;
}

interface Kept<G> {
  readonly balancer: Balancer | null;
  readonly gate: G;
}

export class GateSet<G extends Closable> {
  readonly #make: (destination: Destination) => G;
  readonly #gates = new Map<string, Kept<G>>();
  #balancer: Balancer | null = null;
  #host = '';
  #port = -1;
  #last: G | null = null;

  constructor(make: (destination: Destination) => G) {
    this.#make = make;
  }

  of(destination: Destination): G {
    const { balancer, host, port } = destination;
    const same =
      this.#last !== null &&
      this.#balancer === balancer &&
      (balancer !== null || (this.#host === host && this.#port === port));
    if (same) return this.#last as G;
    this.#last = this.#find(destination);
    this.#balancer = balancer;
    this.#host = host;
    this.#port = port;
    return this.#last;
  }

  *[Symbol.iterator](): Iterator<G> {
    for (const { gate } of this.#gates.values()) yield gate;
  }

  close(): void {
    for (const gate of this) gate.close();
    this.#gates.clear();
    this.#last = null;
  }

  #find(destination: Destination): G {
    const { balancer } = destination;
    const key = destinationKey(destination);
    const before = this.#gates.get(key);
    if (before !== undefined && before.balancer === balancer) return before.gate;
    const gate = this.#make(destination);
    this.#gates.set(key, { balancer, gate });
    if (before !== undefined) before.gate.close();
    else if (this.#gates.size > MAX_GATES) this.#forget();
    return gate;
  }

  #forget(): void {
    for (const [key, { gate }] of this.#gates) {
      this.#gates.delete(key);
      return gate.close();
    }
  }
}

function destinationKey({ balancer, host, port }: Destination): string {
  return balancer === null ? `s ${host}:${port}` : `u ${balancer.id}`;
}

/** The circuits of one policy to one destination. */
export interface Circuits {
  /** Of the upstream, or of the address of a service without one. */
  readonly group: Circuit;
  /** Of its targets, by index. */
  readonly targets: readonly Circuit[];
  readonly zone: CircuitZone;
  /** The node's zone has no room: they are this worker's own. */
  readonly alone: boolean;
}

/** What a policy has circuits of. */
export interface CircuitScope {
  /** A kind, and its configuration. */
  readonly scope: string;
  /** Targets have one each. */
  readonly perTarget: boolean;
  /** So has the upstream; if not, its slot only ties those of its targets together, and has another name. */
  readonly perUpstream: boolean;
}

export function circuitsOf(destination: Destination, scope: CircuitScope): Circuits {
  const made = acquire(destination, scope, destination.zone);
  if (made !== null) return { ...made, zone: destination.zone, alone: false };
  const zone = CircuitZone.standalone((destination.balancer?.targets.length ?? 0) + 1);
  const own = acquire(destination, scope, zone);
  if (own === null) throw new Error('a table of its own has no room');
  return { ...own, zone, alone: true };
}

export function releaseAll({ group, targets }: Pick<Circuits, 'group' | 'targets'>): void {
  for (const circuit of targets) circuit.release();
  group.release();
}

/** All or none. */
function acquire(
  destination: Destination,
  { scope, perTarget, perUpstream }: CircuitScope,
  zone: CircuitZone,
): Pick<Circuits, 'group' | 'targets'> | null {
  const { balancer, host, port } = destination;
  const key = `${scope} ${destinationKey(destination)}`;
  const name = balancer === null ? `${scope} address ${host}:${port}` : `${scope} upstream ${host}`;
  const group = zone.acquire(key, perUpstream || balancer === null ? name : `group ${name}`, null);
  if (group === null) return null;
  const targets: Circuit[] = [];
  for (const target of perTarget ? (balancer?.targets ?? []) : []) {
    const at = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
    const circuit = zone.acquire(`${key} ${at}`, `${name} target ${at}`, group);
    if (circuit === null) {
      releaseAll({ group, targets });
      return null;
    }
    targets.push(circuit);
  }
  return { group, targets };
}
