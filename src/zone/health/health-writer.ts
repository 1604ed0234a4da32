/**
 * Gives out the slots of the zone of health, on the main thread.
 *
 * A slot that is not wanted any more keeps its state for a while (Kong's 300 s), so that a target that comes back, or an
 * address that was out of the DNS for a moment, is what it was. Then it is taken out of its chain and its generation goes
 * up. Readers may be walking over it: so it is given out again only when every worker has been back in its event loop
 * since, which its heartbeat tells. A worker that died cannot hold anything.
 */
import { HealthZone, type HealthHandle } from './health-zone.ts';
import {
  ALLOCATIONS,
  BACK,
  CHANGES,
  bucketOf,
  CAPACITY,
  COUNTERS,
  EPOCH,
  GENERATION,
  GROUP,
  type HealthKey,
  KEY,
  LEFT,
  NEXT,
  SLOT_WORDS,
  SLOTS_AT,
  STATE,
} from './layout.ts';

export interface HealthWriterOptions {
  /** Milliseconds, by `lib/monotonic.ts`. */
  readonly now: () => number;
  /** The oldest heartbeat of a living worker, by the same clock; Infinity without one. */
  readonly oldestHeartbeat: () => number;
  /** Milliseconds that a slot outlives its last use. */
  readonly lingerMs?: number;
  /** Slots; fewer in tests. */
  readonly capacity?: number;
}

const LINGER_MS = 300_000;

interface Entry {
  readonly key: HealthKey;
  readonly name: string;
  readonly handle: HealthHandle;
  /** Null: in use. */
  leftAt: number | null;
}

export class HealthWriter {
  readonly buffer = HealthZone.buffer();
  readonly zone = new HealthZone(this.buffer);
  readonly #options: HealthWriterOptions;
  readonly #entries = new Map<string, Entry>();
  /** Left, the oldest first. */
  readonly #left = new Map<string, Entry>();
  /** Out of their chains, but a reader may be there yet; the oldest first. */
  readonly #resting: Array<{ readonly at: number; readonly since: number }> = [];
  readonly #free: number[] = [];
  #fresh = 0;

  constructor(options: HealthWriterOptions) {
    this.#options = options;
  }

  /** Slots in use, those included that only linger. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The slot of this key, as it was left or healthy.
   * @param group null: it is a group itself.
   * @returns null: there is no room.
   */
  take(key: HealthKey, group: HealthHandle | null): HealthHandle | null {
    const name = key.join();
    const known = this.#entries.get(name);
    if (known !== undefined) {
      if (known.leftAt !== null) this.#mark(known, null);
      this.#left.delete(name);
      return known.handle;
    }
    const at = this.#slot();
    if (at === null) return null;
    const { words } = this.zone;
    const handle = { at, generation: words[at + GENERATION]! };
    words[at + STATE] = words[at + COUNTERS] = words[at + EPOCH] = words[at + BACK] = words[at + CHANGES] = 0;
    words[at + LEFT] = 0;
    words[at + GROUP] = group === null ? at : group.at;
    key.forEach((word, i) => (words[at + KEY + i] = word));
    const bucket = bucketOf(key);
    words[at + NEXT] = words[bucket]!;
    Atomics.store(words, bucket, (at - SLOTS_AT) / SLOT_WORDS + 1);
    this.#entries.set(name, { key, name, handle, leftAt: null });
    this.#changed(at);
    return handle;
  }

  /** It is not used any more; it may be taken again. */
  leave(key: HealthKey): void {
    const entry = this.#entries.get(key.join());
    if (entry === undefined || entry.leftAt !== null) return;
    this.#mark(entry, this.#options.now());
    this.#left.set(entry.name, entry);
  }

  /** Workers hear of it: one that knows no other address of a target has to look for those. */
  #mark(entry: Entry, leftAt: number | null): void {
    const { words } = this.zone;
    const { at } = entry.handle;
    entry.leftAt = leftAt;
    Atomics.store(words, at + LEFT, Number(leftAt !== null));
    Atomics.add(words, words[at + GROUP]! + EPOCH, 1);
  }

  /** Frees what has lingered long enough. */
  sweep(): void {
    const { now, lingerMs = LINGER_MS } = this.#options;
    const before = now() - lingerMs;
    for (const entry of this.#left.values()) {
      if (entry.leftAt! > before) break;
      this.#release(entry);
    }
  }

  #slot(): number | null {
    this.#reap();
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#fresh < (this.#options.capacity ?? CAPACITY)) return SLOTS_AT + this.#fresh++ * SLOT_WORDS;
    // No room: what lingers longest goes early. It rests first, so this call has nothing of it yet.
    const [oldest] = this.#left.values();
    if (oldest !== undefined) this.#release(oldest);
    this.#reap();
    return this.#free.pop() ?? null;
  }

  /** What rested until all workers had been elsewhere. */
  #reap(): void {
    if (this.#resting.length === 0) return;
    const quiet = this.#options.oldestHeartbeat();
    while (this.#resting.length > 0 && this.#resting[0]!.since < quiet) {
      this.#free.push(this.#resting.shift()!.at);
    }
  }

  #release(entry: Entry): void {
    const { words } = this.zone;
    const { at } = entry.handle;
    this.#entries.delete(entry.name);
    this.#left.delete(entry.name);
    const own = (at - SLOTS_AT) / SLOT_WORDS + 1;
    let before = bucketOf(entry.key);
    while (words[before] !== own) before = SLOTS_AT + (words[before]! - 1) * SLOT_WORDS + NEXT;
    // The slot itself goes on to point to the next one, for readers that stand on it.
    Atomics.store(words, before, words[at + NEXT]!);
    Atomics.add(words, at + GENERATION, 1);
    this.#changed(at);
    this.#resting.push({ at, since: this.#options.now() });
  }

  #changed(at: number): void {
    const { words } = this.zone;
    Atomics.add(words, words[at + GROUP]! + EPOCH, 1);
    Atomics.add(words, ALLOCATIONS, 1);
  }
}
