/**
 * The active checks of one upstream: a round over its healthy addresses at one interval, over the unhealthy at another.
 *
 * A round asks `concurrency` addresses at a time; one that is still under way when the next is due goes on alone, as in
 * Kong. The first round begins at a part of the interval that is the upstream's own, so that a thousand upstreams do not
 * ask in the same millisecond; but rounds that are a second apart or more begin on the strokes of one clock, ten in a
 * second, so that a thread that has nothing else to do is not woken for each of them: that halves what a probe costs.
 * All checkers share a bound on probes under way.
 */
import type { HealthHandle, HealthZone } from '../../zone/health/health-zone.ts';
import type { Limits } from '../../balancer/health/health-checks.ts';
import { type Probe, probe, type ProbeResult, type ProbeSpec } from './probe.ts';
import { report } from '../../balancer/health/report.ts';

export interface Watched {
  /** For the log. */
  readonly name: string;
  readonly handle: HealthHandle;
  readonly spec: () => ProbeSpec;
}

export interface CheckerSpec {
  readonly limits: Limits;
  readonly concurrency: number;
  /** Seconds; 0: none. */
  readonly healthyInterval: number;
  readonly unhealthyInterval: number;
}

export interface CheckerParts {
  readonly zone: HealthZone;
  readonly slots: ProbeSlots;
  /** 0 to 1: when in its interval the first round begins. */
  readonly phase: number;
  readonly onChange: (watched: Watched, state: 'healthy' | 'unhealthy', result: ProbeResult) => void;
  /** A probe could not even begin, and why. */
  readonly onDefect: (watched: Watched, error: unknown) => void;
}

/** Probes under way at once, of all upstreams. */
export const MAX_PROBES = 1024;

/** Rounds that are further apart begin on a stroke. */
const ALIGNED_MS = 1000;
const STROKE_MS = 100;

/** How many probes may be under way in all. Who finds none free is called when one is. */
export class ProbeSlots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(size: number) {
    this.#free = size;
  }

  take(wake: () => void): boolean {
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    this.#waiting.add(wake);
    return false;
  }

  release(): void {
    this.#free++;
    // One that has nothing left to ask leaves it to the next.
    for (const wake of this.#waiting) {
      if (this.#free === 0) return;
      this.#waiting.delete(wake);
      wake();
    }
  }

  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}

export class Checker {
  readonly #parts: CheckerParts;
  #watched: readonly Watched[] = [];
  #rounds: readonly Round[] = [];
  #spec: CheckerSpec | null = null;

  constructor(parts: CheckerParts) {
    this.#parts = parts;
  }

  /** Probes under way go on, and so do the clocks, unless their intervals are others. */
  update(spec: CheckerSpec, watched: readonly Watched[]): void {
    const same =
      this.#spec !== null &&
      spec.healthyInterval === this.#spec.healthyInterval &&
      spec.unhealthyInterval === this.#spec.unhealthyInterval;
    this.#spec = spec;
    this.#watched = watched;
    if (same) return;
    this.close();
    const round = (seconds: number, healthy: boolean): Round[] =>
      seconds > 0
        ? [
            new Round(
              this.#parts,
              seconds * 1000,
              () => this.#due(healthy),
              () => this.#current,
            ),
          ]
        : [];
    this.#rounds = [...round(spec.healthyInterval, true), ...round(spec.unhealthyInterval, false)];
  }

  close(): void {
    for (const round of this.#rounds) round.close();
    this.#rounds = [];
  }

  get #current(): CheckerSpec {
    if (this.#spec === null) throw new Error('a round without a specification');
    return this.#spec;
  }

  #due(healthy: boolean): Watched[] {
    const { zone } = this.#parts;
    return this.#watched.filter(({ handle }) => zone.lives(handle) && zone.healthy(handle) === healthy);
  }
}

class Round {
  readonly #parts: CheckerParts;
  readonly #due: () => Watched[];
  readonly #spec: () => CheckerSpec;
  readonly #probes = new Set<Probe>();
  readonly #wake = (): void => this.#go();
  readonly #everyMs: number;
  #queue: Watched[] = [];
  /** When the next round begins, by `performance.now()`. */
  #at: number;
  #timer: NodeJS.Timeout;
  #closed = false;

  constructor(parts: CheckerParts, everyMs: number, due: () => Watched[], spec: () => CheckerSpec) {
    this.#parts = parts;
    this.#due = due;
    this.#spec = spec;
    this.#everyMs = everyMs;
    this.#at = onStroke(performance.now() + everyMs * parts.phase, everyMs);
    this.#timer = this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
    clearTimeout(this.#timer);
    this.#parts.slots.forget(this.#wake);
    for (const probe of this.#probes) {
      probe.cancel();
      this.#parts.slots.release();
    }
    this.#probes.clear();
  }

  #arm(): NodeJS.Timeout {
    return setTimeout(() => this.#begin(), Math.max(1, this.#at - performance.now())).unref();
  }

  #begin(): void {
    // A thread that was busy for long has missed rounds, and does not make up for them.
    this.#at = onStroke(Math.max(this.#at + this.#everyMs, performance.now()), this.#everyMs);
    this.#timer = this.#arm();
    if (this.#queue.length > 0 || this.#probes.size > 0) return;
    // Taken from the end.
    this.#queue = this.#due().toReversed();
    this.#go();
  }

  #go(): void {
    while (!this.#closed && this.#queue.length > 0 && this.#probes.size < this.#spec().concurrency) {
      if (!this.#parts.slots.take(this.#wake)) return;
      const watched = this.#queue.pop();
      if (watched === undefined || !this.#ask(watched)) this.#parts.slots.release();
    }
  }

  #ask(watched: Watched): boolean {
    try {
      const asked = probe(watched.spec(), (result) => {
        this.#probes.delete(asked);
        this.#parts.slots.release();
        this.#hear(watched, result);
        this.#go();
      });
      this.#probes.add(asked);
      return true;
    } catch (error) {
      this.#parts.onDefect(watched, error);
      return false;
    }
  }

  #hear(watched: Watched, result: ProbeResult): void {
    const { zone, onChange } = this.#parts;
    const state = report(zone, watched.handle, result.outcome, this.#spec().limits);
    if (state !== null) onChange(watched, state, result);
  }
}

function onStroke(time: number, everyMs: number): number {
  return everyMs < ALIGNED_MS ? time : Math.round(time / STROKE_MS) * STROKE_MS;
}
