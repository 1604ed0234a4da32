/**
 * The breakers to one destination. In the ordinary case a try costs the words of its upstream's and its target's circuits,
 * and a bucket of each.
 *
 * Which targets are open is worked out when something has changed, which the epoch of the group tells, or when the time of
 * one is over: so a request of an upstream that is open as a whole asks no target.
 */
import { performance } from 'node:perf_hooks';
import type { Outcome } from '../../balancer/health/report.ts';
import { GatewayError } from '../../lib/gateway-error.ts';
import { Breaker, type BreakerRules, openFor, REFUSED } from '../../zone/circuits/breaker.ts';
import type { Circuit } from '../../zone/circuits/circuit.ts';
import { HALF_OPEN, type Kind, kindOf } from '../../zone/circuits/word.ts';
import { circuitsOf, type Circuits, releaseAll } from '../common/gate-set.ts';
import type { Destination, Entry, Gate, Passage } from '../kit/gates.ts';

/** What is a failure, and which breakers there are. */
export interface BreakerPolicy {
  /** Of the configuration: its circuits are found by it. */
  readonly scope: string;
  readonly rules: BreakerRules;
  readonly perTarget: boolean;
  readonly perUpstream: boolean;
  readonly maxEjectedPercent: number;
  failed(outcome: Outcome, ms: number): boolean;
  changed(circuit: Circuit, to: Kind, why: string): void;
  refused(circuit: Circuit): void;
}

export class BreakerGate implements Gate {
  readonly circuits: Circuits;
  readonly policy: BreakerPolicy;
  readonly breaker: Breaker;
  /** The upstream, or the address, has a breaker itself. */
  readonly whole: boolean;
  readonly #ejectable: number;
  #epoch = -1;
  /** By the clock of all threads: then one of those that are open lets a probe in. */
  #until = 0;
  #allOpen = false;

  constructor(destination: Destination, policy: BreakerPolicy) {
    this.policy = policy;
    this.circuits = circuitsOf(destination, policy);
    this.whole = policy.perUpstream || destination.balancer === null;
    const { length } = this.circuits.targets;
    this.#ejectable = Math.floor((length * policy.maxEjectedPercent) / 100);
    this.breaker = new Breaker(policy.rules, {
      permits: (circuit) => circuit === this.circuits.group || this.#open() <= this.#ejectable,
      changed: (circuit, to, why) => policy.changed(circuit, to, why),
    });
  }

  passage(): Passage {
    return new BreakerPassage(this);
  }

  close(): void {
    releaseAll(this.circuits);
  }

  now(at?: number): number {
    return this.circuits.zone.now(at);
  }

  /** No target would let anybody in. */
  get allOpen(): boolean {
    const { group } = this.circuits;
    const { epoch } = group;
    if (epoch !== this.#epoch || (this.#allOpen && this.now() >= this.#until)) {
      // First: what changes meanwhile is another epoch.
      this.#epoch = epoch;
      this.#workOut();
    }
    return this.#allOpen;
  }

  get shut(): boolean {
    if (this.allOpen) return true;
    return this.whole && openFor(this.circuits.group.state, this.policy.rules, this.now()) > 0;
  }

  /** Milliseconds until one of those that refuse lets somebody in. */
  wait(): number {
    const { group, targets } = this.circuits;
    const now = this.now();
    const times = [...(this.whole ? [group] : []), ...targets]
      .map(({ state }) => openFor(state, this.policy.rules, now))
      .filter((ms) => ms > 0);
    return times.length === 0 ? 0 : Math.min(...times);
  }

  #workOut(): void {
    const now = this.now();
    const { targets } = this.circuits;
    let next = Infinity;
    let open = 0;
    for (const { state } of targets) {
      const ms = openFor(state, this.policy.rules, now);
      if (ms === 0) continue;
      open++;
      next = Math.min(next, ms);
    }
    this.#allOpen = open > 0 && open === targets.length;
    this.#until = now + next;
  }

  /** Targets that are open, or tried again. */
  #open(): number {
    let count = 0;
    for (const { state } of this.circuits.targets) if (kindOf(state) !== 0) count++;
    return count;
  }
}

const NOTHING = REFUSED;

class BreakerPassage implements Passage {
  readonly #gate: BreakerGate;
  /** What it was let in with; NOTHING: it was not. */
  #whole = NOTHING;
  #target = NOTHING;
  #circuit: Circuit | null = null;
  #refused = false;

  constructor(gate: BreakerGate) {
    this.#gate = gate;
  }

  begin(): Entry {
    const { whole, breaker, circuits, allOpen } = this.#gate;
    this.#refused = allOpen;
    if (allOpen) return 'refused';
    if (!whole) return 'go';
    this.#whole = breaker.admit(circuits.group, this.#now(circuits.group));
    return this.#whole === REFUSED ? 'refused' : 'go';
  }

  enter(target: number): boolean {
    const { breaker, circuits } = this.#gate;
    const circuit = circuits.targets[target];
    if (circuit === undefined) return true;
    this.#target = breaker.admit(circuit, this.#now(circuit));
    this.#circuit = circuit;
    if (this.#target !== REFUSED) return true;
    this.#refused = true;
    return false;
  }

  retreat(): void {
    if (this.#circuit !== null && this.#target !== NOTHING)
      this.#gate.breaker.cancel(this.#circuit, this.#target);
    this.#target = NOTHING;
  }

  exhausted(): Entry {
    return this.#refused ? 'refused' : 'go';
  }

  refusal(): GatewayError {
    const { policy, circuits } = this.#gate;
    policy.refused(circuits.group);
    const ms = this.#gate.wait();
    // One by one probes are let in, or somebody has opened it by hand: nobody knows for how long.
    const retryAfter = Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / 1000)) : 1;
    const init = { source: 'gateway', status: 503, retryAfter } as const;
    return new GatewayError('circuit_open', OPEN_MESSAGE, init);
  }

  wait(): void {
    throw new Error('nobody waits for a breaker');
  }

  tell(outcome: Outcome, ms: number, at: number): void {
    const { policy, breaker, circuits } = this.#gate;
    const failed = policy.failed(outcome, ms);
    const now = this.#gate.now(at);
    const [whole, target] = [this.#whole, this.#target];
    this.#whole = this.#target = NOTHING;
    if (target !== NOTHING && this.#circuit !== null) breaker.tell(this.#circuit, target, failed, now);
    if (whole !== NOTHING) breaker.tell(circuits.group, whole, failed, now);
  }

  leave(): void {
    this.retreat();
    if (this.#whole !== NOTHING) this.#gate.breaker.cancel(this.#gate.circuits.group, this.#whole);
    this.#whole = NOTHING;
  }

  /** Only a breaker that is not closed asks what time it is. */
  #now({ state }: Circuit): number {
    return kindOf(state) === 0 || kindOf(state) === HALF_OPEN ? 0 : this.#gate.now(performance.now());
  }
}

const OPEN_MESSAGE = 'The upstream has failed too often and gets no requests for now (circuit open)';
