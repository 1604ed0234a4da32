/**
 * Counters and values that all workers of a node share: one region of shared memory of a fixed size, as nginx's
 * `lua_shared_dict` is (docs/adr/0032-shared-zone.md).
 *
 * - **Keys** are not kept, only 64 bits of a keyed hash of them; each scope (a plugin) and each kind has a hash of its
 *   own, so that nobody meets another's keys.
 * - **Shards** are held for the time of one operation, well below a microsecond for a counter. Who waits sleeps. When a
 *   worker dies, the main thread mends the shard that it held (node-shared-zone.ts).
 * - **Room**: when a shard is full, what was not asked for since the last search makes room, whether its time is over or
 *   not. What has expired gives way when it is met.
 * - **Times** are those of the clock that all threads share and nobody sets.
 */
import { performance } from 'node:perf_hooks';
import { monotonicMs } from '../../lib/monotonic.ts';
import { Hash64 } from './hash64.ts';
import { CONTROL, CONTROL_INTS, HEAD, type SharedViews, viewsOf, WAITED } from './layout.ts';
import { ScopedCounters } from './scoped-counters.ts';
import { ScopedValues } from './scoped-values.ts';
import { Shards } from './shards.ts';

/** Milliseconds: a bound against a wake-up that is lost, not a measure. */
const WAIT_MS = 2;
const SPINS = 50;

export class SharedZone {
  readonly shards: Shards;
  readonly #views: SharedViews;
  readonly #hash: Hash64;
  /** What stands in a lock, or as the leader. */
  readonly #me: number;
  readonly #epoch = monotonicMs() - performance.now();
  readonly #clock: (() => number) | null;
  #resigned = false;

  /** @param id of the thread; no two that live have the same. @param clock another than that of all threads. */
  constructor(buffer: SharedArrayBuffer, id: number, clock: (() => number) | null = null) {
    this.#clock = clock;
    this.#views = viewsOf(buffer);
    this.shards = new Shards(this.#views);
    this.#hash = new Hash64(this.#views.head[HEAD.key0]!, this.#views.head[HEAD.key1]!);
    this.#me = id + 1;
  }

  counters(scope: string): ScopedCounters {
    return new ScopedCounters(this, this.#hash.derive(`counters/${scope}`));
  }

  values(scope: string): ScopedValues {
    return new ScopedValues(this, this.#hash.derive(`values/${scope}`));
  }

  /** Milliseconds by the clock of all threads. */
  now(): number {
    return this.#clock === null ? this.#epoch + performance.now() : this.#clock();
  }

  /** The shard of a hash. */
  shardOf(high: number): number {
    return high & (this.shards.count - 1);
  }

  hold(shard: number): void {
    if (Atomics.compareExchange(this.#views.control, shard * CONTROL_INTS, 0, this.#me) !== 0)
      this.#wait(shard);
  }

  release(shard: number): void {
    const { control } = this.#views;
    const at = shard * CONTROL_INTS + CONTROL.lock;
    if ((Atomics.exchange(control, at, 0) & WAITED) !== 0) Atomics.notify(control, at, 1);
  }

  /** True for one thread of the node, until it dies or resigns. */
  leads(): boolean {
    const { head } = this.#views;
    const leader = Atomics.load(head, HEAD.leader);
    if (leader === this.#me) return true;
    if (leader !== 0 || this.#resigned) return false;
    return Atomics.compareExchange(head, HEAD.leader, 0, this.#me) === 0;
  }

  /** It leads no more. */
  resign(): void {
    this.#resigned = true;
    Atomics.compareExchange(this.#views.head, HEAD.leader, this.#me, 0);
  }

  #wait(shard: number): void {
    const { control } = this.#views;
    const at = shard * CONTROL_INTS + CONTROL.lock;
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.compareExchange(control, at, 0, this.#me) === 0) return;
    }
    for (;;) {
      const holder = Atomics.load(control, at);
      if (holder === 0) {
        // Others may wait still.
        if (Atomics.compareExchange(control, at, 0, this.#me | WAITED) === 0) return;
        continue;
      }
      const waited = holder | WAITED;
      if (holder === waited || Atomics.compareExchange(control, at, holder, waited) === holder) {
        Atomics.wait(control, at, waited, WAIT_MS);
      }
    }
  }
}
