/**
 * Who is drawn: pure functions of keys and shares, the same in all workers and on all nodes.
 *
 * A key has a place between 0 and 1 that never changes. Whoever is in at a share is in at every larger one, so that a release
 * that grows takes nobody back. Several versions draw by weighted rendezvous: each version has a number for each key, and the
 * least one wins. Where one weight changes, that version takes keys or gives some away, and no two others exchange any.
 */
import { hash32, mix32 } from '../../zone/hash32.ts';

const RANGE = 2 ** 32;

/** 0 to 1, without 1. @param seed of a salt: `seedOf`. */
export function placeOf(key: string, seed: number): number {
  return hash32(key, seed) / RANGE;
}

export function seedOf(salt: string): number {
  return salt === '' ? 0 : hash32(salt);
}

export interface Ramp {
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Milliseconds from nobody to everybody; 0: everybody from the start on. */
  readonly duration: number;
  /** In so many equal steps. */
  readonly steps: number;
}

/** 0 to 1: the share that is in by now. It goes on by one step when a step's time is over. */
export function shareAt({ start, duration, steps }: Ramp, now: number): number {
  const elapsed = now - start;
  if (elapsed < 0) return 0;
  if (elapsed >= duration) return 1;
  return Math.floor((elapsed / duration) * steps) / steps;
}

interface Weighted {
  readonly name: string;
  readonly weight: number;
}

export class WeightedDraw<V extends Weighted> {
  readonly #entries: ReadonlyArray<{ readonly version: V; readonly seed: number }>;

  /** Versions of weight 0 are never drawn. Names make places: whatever the order, the draw is the same. */
  constructor(versions: readonly V[], seed: number) {
    this.#entries = versions
      .filter(({ weight }) => weight > 0)
      .map((version) => ({ version, seed: mix32(hash32(version.name, seed)) }));
  }

  /**
   * @param key 32 bits: the hash of what tells clients apart, or a random number.
   * @param passed what is not drawn; who would have been in it is spread over the others by their weights.
   */
  of(key: number, passed: ReadonlySet<V> | null = null): V | null {
    let least = Infinity;
    let drawn: V | null = null;
    for (const { version, seed } of this.#entries) {
      if (passed?.has(version) === true) continue;
      const number = -Math.log((mix32(key ^ seed) + 0.5) / RANGE) / version.weight;
      if (number >= least) continue;
      least = number;
      drawn = version;
    }
    return drawn;
  }
}
