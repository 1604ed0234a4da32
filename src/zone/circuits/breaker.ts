/**
 * The breaker of a circuit: closed, open for a time, half-open with so many probes at a time, and closed again after so many
 * of them have succeeded. One that opens again soon after it had closed stays open longer each time.
 *
 * Every change is one compare-and-swap of the circuit's word; who makes it says so to the watcher, once on the node. What
 * a try tells counts only in the era that it was let in under.
 */
import { SLOT_WORDS, WORD } from './cells.ts';
import type { Circuit } from './circuit.ts';
import { type Sum, sumOf, record } from './window.ts';
import {
  ageOf,
  CLOSED,
  eraOf,
  FORCED,
  HALF_OPEN,
  type Kind,
  kindOf,
  OPEN,
  openingsOf,
  successesOf,
  withSuccess,
  wordOf,
} from './word.ts';

export interface BreakerRules {
  /** Milliseconds. */
  readonly windowMs: number;
  /** Requests in the window before a ratio says anything. */
  readonly minimum: number;
  /** Per cent of failures that opens; 0: none does. */
  readonly errorPercent: number;
  /** Failures in a row that open, 255 at most; 0: however many do not. */
  readonly streak: number;
  /** Milliseconds for which it stays open at first, the factor of each further time, and milliseconds at most. */
  readonly openMs: number;
  readonly backoff: number;
  readonly maxOpenMs: number;
  /** Probes at a time, and how many have to succeed. */
  readonly probes: number;
  readonly successes: number;
}

/** Hears of changes of state, of those that this thread makes. */
export interface BreakerWatcher {
  /** May one more be open? Asked when it is already, so that all threads see it. */
  permits(circuit: Circuit): boolean;
  /** @param why for people. */
  changed(circuit: Circuit, to: Kind, why: string): void;
}

/** `admit` lets nobody in. */
export const REFUSED = -1;

const MAX_STREAK = 0xff;
const sum: Sum = { requests: 0, failures: 0 };

/** Milliseconds for which a breaker stays open that has opened so many times in a row. */
function openTime({ openMs, backoff, maxOpenMs }: BreakerRules, openings: number): number {
  return Math.min(openMs * backoff ** Math.max(0, openings - 1), maxOpenMs);
}

/** Milliseconds until an open breaker lets a probe in; Infinity: somebody has to say so; 0: it is not open. */
export function openFor(word: number, rules: BreakerRules, now: number): number {
  const kind = kindOf(word);
  if (kind === FORCED) return Infinity;
  if (kind !== OPEN) return 0;
  return Math.max(0, openTime(rules, openingsOf(word)) - ageOf(word, now));
}

export class Breaker {
  readonly #rules: BreakerRules;
  readonly #watcher: BreakerWatcher;

  constructor(rules: BreakerRules, watcher: BreakerWatcher) {
    this.#rules = rules;
    this.#watcher = watcher;
  }

  /**
   * May a try go there? @returns what to `tell` or to `cancel` it with, or REFUSED.
   * @param now milliseconds by the clock of all threads.
   */
  admit(circuit: Circuit, now: number): number {
    for (;;) {
      const word = circuit.state;
      const kind = kindOf(word);
      if (kind === CLOSED) return word;
      if (kind === HALF_OPEN) {
        if (!circuit.take(this.#rules.probes)) return REFUSED;
        if (eraOf(circuit.state) === eraOf(word)) return eraOf(word);
        circuit.leave();
      } else if (openFor(word, this.#rules, now) > 0) {
        return REFUSED;
      } else if (circuit.change(word, wordOf(HALF_OPEN, openingsOf(word), now))) {
        this.#watcher.changed(circuit, HALF_OPEN, 'its time is over');
      }
    }
  }

  /** What became of a try. @param token of `admit`. */
  tell(circuit: Circuit, token: number, failed: boolean, now: number): void {
    if (kindOf(token) === HALF_OPEN) {
      circuit.leave();
      return failed ? this.#probeFailed(circuit, token, now) : this.#probeSucceeded(circuit, token, now);
    }
    if (circuit.slot === 0 || circuit.state !== token) return;
    const { windowMs, streak } = this.#rules;
    record(circuit, token, failed, windowMs, now);
    if (failed) return this.#failed(circuit, token, now);
    if (streak > 0) endStreak(circuit);
  }

  /** Nothing became of it. */
  cancel(circuit: Circuit, token: number): void {
    if (kindOf(token) === HALF_OPEN) circuit.leave();
  }

  #failed(circuit: Circuit, token: number, now: number): void {
    const { streak, errorPercent, minimum, windowMs } = this.#rules;
    if (streak > 0) {
      const count = lengthenStreak(circuit, token);
      if (count >= streak) return this.#open(circuit, token, now, `${count} failures in a row`);
    }
    if (errorPercent === 0) return;
    const { requests, failures } = sumOf(circuit, token, windowMs, now, sum);
    if (requests < minimum || failures * 100 < errorPercent * requests) return;
    this.#open(circuit, token, now, `${failures} of ${requests} requests failed`);
  }

  /** From closed. */
  #open(circuit: Circuit, word: number, now: number, why: string): void {
    const before = openingsOf(word);
    const soon = before > 0 && ageOf(word, now) < openTime(this.#rules, before);
    const open = wordOf(OPEN, soon ? before + 1 : 1, now);
    if (!circuit.change(word, open)) return;
    if (this.#watcher.permits(circuit)) this.#watcher.changed(circuit, OPEN, why);
    // What was counted until now has had its effect: it begins anew.
    else circuit.change(open, wordOf(CLOSED, before, now));
  }

  #probeFailed(circuit: Circuit, token: number, now: number): void {
    for (let word = circuit.state; eraOf(word) === token; word = circuit.state) {
      if (!circuit.change(word, wordOf(OPEN, openingsOf(word) + 1, now))) continue;
      return this.#watcher.changed(circuit, OPEN, 'a probe failed');
    }
  }

  #probeSucceeded(circuit: Circuit, token: number, now: number): void {
    const { successes } = this.#rules;
    for (let word = circuit.state; eraOf(word) === token; word = circuit.state) {
      const closes = successesOf(word) + 1 >= successes;
      const next = closes ? wordOf(CLOSED, openingsOf(word), now) : withSuccess(word);
      if (!circuit.change(word, next)) continue;
      if (closes) this.#watcher.changed(circuit, CLOSED, `${successes} probes succeeded`);
      return;
    }
  }
}

/** By hand: open until somebody says otherwise, or closed and as if nothing had been. @returns it was otherwise. */
export function force(circuit: Pick<Circuit, 'state' | 'change'>, kind: 0 | 3, now: number): boolean {
  for (;;) {
    const word = circuit.state;
    if (kindOf(word) === kind && (kind === FORCED || openingsOf(word) === 0)) return false;
    if (circuit.change(word, wordOf(kind, 0, now))) return true;
  }
}

function streakEra(era: number): number {
  return (era >>> 6) & 0xffffff;
}

/** Failures in a row of this era. */
function lengthenStreak(circuit: Circuit, era: number): number {
  const { words } = circuit.zone.cells;
  const at = circuit.slot * SLOT_WORDS + WORD.streak;
  for (;;) {
    const old = Atomics.load(words, at);
    const same = old >>> 8 === streakEra(era);
    const count = same ? Math.min((old & MAX_STREAK) + 1, MAX_STREAK) : 1;
    const next = (streakEra(era) << 8) | count;
    if (Atomics.compareExchange(words, at, old, next) === old) return count;
  }
}

/** In the ordinary case nothing is written. */
function endStreak(circuit: Circuit): void {
  const { words } = circuit.zone.cells;
  const at = circuit.slot * SLOT_WORDS + WORD.streak;
  if ((Atomics.load(words, at) & MAX_STREAK) > 0) Atomics.store(words, at, 0);
}
