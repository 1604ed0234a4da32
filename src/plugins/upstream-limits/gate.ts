/**
 * The places at one destination. A try takes one of the upstream and one of its target before it goes there, and gives them
 * back when it is over: with the end of the response, of the tunnel, or of the wait for either.
 */
import type { Outcome } from '../../balancer/health/report.ts';
import { GatewayError } from '../../lib/gateway-error.ts';
import type { Circuit } from '../../zone/circuits/circuit.ts';
import { circuitsOf, type Circuits, releaseAll } from '../common/gate-set.ts';
import type { Destination, Entry, Gate, Passage } from '../kit/gates.ts';
import { WaitingLine, type Waiter } from './waiting-line.ts';

export type Refusal = 'requests' | 'pending' | 'timeout';

const MESSAGES: Readonly<Record<Refusal, string>> = {
  requests: 'Too many requests to the upstream are in flight',
  pending: 'Too many requests wait for the upstream',
  timeout: 'The request has waited too long for the upstream',
};

/** Infinity: no limit. */
export interface Places {
  readonly upstream: number;
  readonly target: number;
}

export interface LimitPolicy {
  /** Of the configuration: its circuits are found by it. */
  readonly scope: string;
  readonly perTarget: boolean;
  readonly perUpstream: true;
  /** Where each request has a connection for itself, and where they share one. */
  readonly alone: Places;
  readonly shared: Places;
  readonly maxPending: number;
  readonly pendingMs: number;
  refused(group: Circuit, why: Refusal): void;
  waited(group: Circuit): void;
}

export class LimitGate implements Gate {
  readonly circuits: Circuits;
  readonly policy: LimitPolicy;
  readonly line: WaitingLine;

  constructor(destination: Destination, policy: LimitPolicy) {
    this.policy = policy;
    this.circuits = circuitsOf(destination, policy);
    this.line = new WaitingLine(this.circuits.group, policy.maxPending, policy.pendingMs);
  }

  passage({ balancer, multiplexed }: Destination): Passage {
    const { shared, alone } = this.policy;
    const { upstream, target } = multiplexed ? shared : alone;
    // The address of a service is upstream and target in one.
    return new LimitPassage(this, balancer === null ? Math.min(upstream, target) : upstream, target);
  }

  close(): void {
    releaseAll(this.circuits);
  }
}

class LimitPassage implements Passage, Waiter {
  readonly #gate: LimitGate;
  readonly #max: number;
  readonly #maxTarget: number;
  #group: Circuit | null = null;
  #target: Circuit | null = null;
  /** A target was full. */
  #full = false;
  #why: Refusal = 'requests';
  #ready: (() => void) | null = null;
  #late: ((error: GatewayError) => void) | null = null;

  constructor(gate: LimitGate, max: number, maxTarget: number) {
    this.#gate = gate;
    this.#max = max;
    this.#maxTarget = maxTarget;
  }

  begin(again: boolean): Entry {
    const { line, circuits, policy } = this.#gate;
    this.#full = false;
    // Others were first; who is in the line is called when it is its turn.
    if (!again && !line.has(this) && line.busy) return this.#queue();
    const { group } = circuits;
    if (!group.take(this.#max)) return this.#queue();
    this.#group = group;
    if (!policy.perTarget || circuits.targets.length === 0) line.leave(this);
    return 'go';
  }

  enter(index: number): boolean {
    const { circuits, line } = this.#gate;
    const target = circuits.targets[index];
    if (target !== undefined) {
      if (!target.take(this.#maxTarget)) {
        this.#full = true;
        return false;
      }
      this.#target = target;
    }
    line.leave(this);
    return true;
  }

  retreat(): void {
    this.#target?.leave();
    this.#target = null;
  }

  exhausted(): Entry {
    const full = this.#full;
    // Nobody is called for the upstream's place: it was taken for nothing, and would be again.
    this.#release();
    return full ? this.#queue() : 'go';
  }

  refusal(): GatewayError {
    return this.#error(this.#why);
  }

  wait(ready: () => void, late: (error: GatewayError) => void): void {
    this.#ready = ready;
    this.#late = late;
  }

  tell(_outcome: Outcome, _ms: number, _at: number): void {
    // Places do not go by what becomes of a try.
  }

  leave(): void {
    this.#gate.line.leave(this);
    if (this.#release()) this.#gate.line.freed();
  }

  // Waiter

  ready(): void {
    this.#ready?.();
  }

  late(): void {
    this.#late?.(this.#error('timeout'));
  }

  #queue(): Entry {
    const { line, policy, circuits } = this.#gate;
    const before = line.has(this);
    if (line.join(this)) {
      if (!before) policy.waited(circuits.group);
      return 'wait';
    }
    this.#why = policy.maxPending === 0 ? 'requests' : 'pending';
    return 'refused';
  }

  /** @returns whether there was anything. */
  #release(): boolean {
    const held = this.#group !== null || this.#target !== null;
    this.retreat();
    this.#group?.leave();
    this.#group = null;
    return held;
  }

  #error(why: Refusal): GatewayError {
    this.#gate.policy.refused(this.#gate.circuits.group, why);
    const init = { source: 'gateway', status: 503, retryAfter: 1 } as const;
    return new GatewayError(`upstream_limit_${why}`, MESSAGES[why], init);
  }
}
