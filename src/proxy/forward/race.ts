/**
 * The tries of one request that are under way together (hedging): another one begins when none has the head of a response
 * after the policy's delay, and the first answer wins. One that the policy would rather not have waits as long as
 * another try may do better. Those that lose are cancelled at once, and count as no failure.
 */
import { performance } from 'node:perf_hooks';
import type { HedgePolicy } from '../../plugins/kit/tries.ts';
import type { Attempt } from './attempt.ts';

export class Race {
  readonly policy: HedgePolicy;
  /** An answer that waits whether there will be a better one. */
  held: Attempt | null = null;
  readonly #running: Attempt[] = [];
  readonly #hedges: Attempt[] = [];
  /** The last that was no hedge. */
  #first: Attempt | null = null;
  /** Tries that may still be added. */
  #left: number;
  #timer: NodeJS.Timeout | null = null;
  readonly #due: () => void;

  /** @param due called when it is time for another try. */
  constructor(policy: HedgePolicy, due: () => void) {
    this.policy = policy;
    this.#left = policy.attempts - 1;
    this.#due = due;
  }

  get running(): readonly Attempt[] {
    return this.#running;
  }

  /** Under way, or answered and waiting. */
  get all(): readonly Attempt[] {
    return this.held === null ? this.#running : [...this.#running, this.held];
  }

  /** A try begins. */
  join(attempt: Attempt, hedge: boolean): void {
    this.#running.push(attempt);
    if (hedge) this.#hedges.push(attempt);
    else this.#first = attempt;
    if (hedge) this.#left--;
    this.#wait();
  }

  /** It has failed, or its answer is not the client's. */
  leave(attempt: Attempt): void {
    const at = this.#running.indexOf(attempt);
    if (at >= 0) this.#running.splice(at, 1);
    if (this.#running.length === 0) this.#stop();
  }

  /** Another try is under way. */
  hasRivals(attempt: Attempt): boolean {
    return this.#running.some((other) => other !== attempt);
  }

  /** Its answer goes to the client. @returns those that lost. */
  won(attempt: Attempt): readonly Attempt[] {
    this.#stop();
    const losers = this.all.filter((other) => other !== attempt);
    const first = this.#first;
    // Given up by now, it would have taken so long at least.
    if (first !== null && this.#running.includes(first))
      this.policy.observe(performance.now() - first.startedAt);
    if (this.#hedges.includes(attempt)) this.policy.won();
    for (const loser of losers) loser.lose();
    this.#running.length = 0;
    this.held = null;
    return losers;
  }

  cancel(): void {
    this.#stop();
    const all = this.all;
    this.held = null;
    for (const attempt of all) attempt.cancel();
    this.#running.length = 0;
  }

  #wait(): void {
    this.#stop();
    if (this.#left > 0) this.#timer = setTimeout(this.#due, this.policy.delay());
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
