/**
 * The policies that the tries of one request have to pass: a gate for each, a passage of each for every try (plugins/kit/
 * gates.ts says the rules). Requests without such a policy have none of this.
 *
 * A passage belongs to the forward phase while its try waits, or while its target's name is looked up, and then to the try.
 */
import type { BalancerTarget } from '../../balancer/target.ts';
import type { Outcome } from '../../balancer/health/report.ts';
import type { Peers } from '../../balancer/peers.ts';
import type { GatewayError } from '../../lib/gateway-error.ts';
import type { Destination, Entry, Gate, GatePolicy, Passage } from '../../plugins/kit/gates.ts';
import { noPeer } from './errors.ts';

export class Gating {
  readonly #destination: Destination;
  readonly #gates: readonly Gate[];
  /** Of the next try, until `take`. */
  #passage: Passage | null = null;

  constructor(policies: readonly GatePolicy[], destination: Destination) {
    this.#destination = destination;
    this.#gates = policies.map((policy) => policy.gateTo(destination));
  }

  /** There is no way for any try. */
  get shut(): boolean {
    return this.#gates.some((gate) => gate.shut === true);
  }

  /**
   * Where the next try goes: `null` to the service's own address.
   *
   * @param place where it has been already, when it only gets another connection; undefined: nowhere.
   * @param next calls this again. @param fail there is no way. @returns false: one of the two has been, or will be called.
   */
  pass(
    peers: Peers | null,
    place: BalancerTarget | null | undefined,
    next: () => void,
    fail: (error: GatewayError) => void,
  ): { readonly target: BalancerTarget | null } | false {
    const passage = (this.#passage ??= this.#made());
    const entry = passage.begin(place !== undefined);
    if (entry !== 'go') return this.#stop(passage, entry, next, fail);
    if (peers === null) return NOWHERE_ELSE;
    if (place != null && passage.enter(place.index)) return { target: place };
    const target = peers.nextThrough(passage);
    if (target !== null) return { target };
    return this.#stop(passage, passage.exhausted(), next, fail);
  }

  /** For a try beside others: it does not wait. `elsewhere`: another target may let it in; null: there is no way. */
  beside(target: BalancerTarget | null): Passage | 'elsewhere' | null {
    const passage = this.#made();
    const begun = passage.begin(true) === 'go';
    if (begun && (target === null || passage.enter(target.index))) return passage;
    passage.leave();
    return begun ? 'elsewhere' : null;
  }

  /** The try has it from now on. */
  take(): Passage | null {
    const passage = this.#passage;
    this.#passage = null;
    return passage;
  }

  /** No try follows, or it begins anew. */
  leave(): void {
    this.take()?.leave();
  }

  #made(): Passage {
    const passages = this.#gates.map((gate) => gate.passage(this.#destination));
    const [only] = passages;
    return passages.length === 1 && only !== undefined ? only : new Passages(passages);
  }

  #stop(passage: Passage, entry: Entry, next: () => void, fail: (error: GatewayError) => void): false {
    if (entry === 'wait') {
      passage.wait(next, (error) => {
        this.leave();
        fail(error);
      });
      return false;
    }
    const error = entry === 'refused' ? passage.refusal() : noPeer();
    this.leave();
    fail(error);
    return false;
  }
}

const NOWHERE_ELSE = { target: null };

/** Of several policies: what one refuses, the others give back. */
class Passages implements Passage {
  readonly #all: readonly Passage[];
  /** The one that said no, or wait. */
  #stopped: Passage | null = null;

  constructor(all: readonly Passage[]) {
    this.#all = all;
  }

  begin(again: boolean): Entry {
    for (const [at, passage] of this.#all.entries()) {
      const entry = passage.begin(again);
      if (entry === 'go') continue;
      this.#stopped = passage;
      for (const before of this.#all.slice(0, at)) before.leave();
      return entry;
    }
    return 'go';
  }

  enter(target: number): boolean {
    for (const [at, passage] of this.#all.entries()) {
      if (passage.enter(target)) continue;
      for (const before of this.#all.slice(0, at)) before.retreat();
      return false;
    }
    return true;
  }

  retreat(): void {
    for (const passage of this.#all) passage.retreat();
  }

  /** Who waits may get in yet: that comes first. */
  exhausted(): Entry {
    let refused: Passage | null = null;
    let waits: Passage | null = null;
    for (const passage of this.#all) {
      const entry = passage.exhausted();
      if (entry === 'wait') waits ??= passage;
      if (entry === 'refused') refused ??= passage;
    }
    this.#stopped = waits ?? refused;
    if (waits === null) return refused === null ? 'go' : 'refused';
    for (const passage of this.#all) if (passage !== waits) passage.leave();
    return 'wait';
  }

  refusal(): GatewayError {
    return this.#stopped?.refusal() ?? noPeer();
  }

  wait(ready: () => void, late: (error: GatewayError) => void): void {
    this.#stopped?.wait(ready, late);
  }

  tell(outcome: Outcome, ms: number, at: number): void {
    for (const passage of this.#all) passage.tell(outcome, ms, at);
  }

  leave(): void {
    for (const passage of this.#all) passage.leave();
  }
}
