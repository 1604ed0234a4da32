/**
 * What tries have to pass before they go to an upstream: a policy for each configuration that asks for one, a gate for each
 * upstream (or address of a service) that it meets, and a passage for each try.
 *
 * A try `begin`s, chooses a target and `enter`s it, tells what became of it, and `leave`s, however it ended. Where no target
 * lets it in, `exhausted` says what follows.
 */
import type { Balancer } from '../../balancer/balancer.ts';
import type { Outcome } from '../../balancer/health/report.ts';
import type { GatewayError } from '../../lib/gateway-error.ts';
import type { CircuitZone } from '../../zone/circuits/circuit-zone.ts';

/** Where a request is to go. */
export interface Destination {
  /** What the node's workers know together. */
  readonly zone: CircuitZone;
  /** Null: a service without upstream. */
  readonly balancer: Balancer | null;
  /** The upstream's name, or the service's host. */
  readonly host: string;
  readonly port: number;
  /** Its connections carry several requests at a time. */
  readonly multiplexed: boolean;
}

export interface GatePolicy {
  gateTo(destination: Destination): Gate;
}

export interface Gate {
  /** True: it would refuse any try by now, so that an answer is better than another try. */
  readonly shut?: boolean;
  passage(destination: Destination): Passage;
}

/** Go on; wait; there is no way. */
export type Entry = 'go' | 'wait' | 'refused';

export interface Passage {
  /** @param again it has been let in before and goes on where it was. */
  begin(again: boolean): Entry;
  /** To one of the upstream's targets, by its index; false: to another one. */
  enter(target: number): boolean;
  /** To another target, since one behind this one did not let it in. */
  retreat(): void;
  /** No target let it in. `go`: this is not why. */
  exhausted(): Entry;
  /** After `refused`. */
  refusal(): GatewayError;
  /** After `wait`. @param ready may begin again. @param late has waited too long. */
  wait(ready: () => void, late: (error: GatewayError) => void): void;
  /** What became of it, before it leaves. @param ms it took. @param at by the clock of this thread. */
  tell(outcome: Outcome, ms: number, at: number): void;
  /** Once or more often. */
  leave(): void;
}
