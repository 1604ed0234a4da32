/**
 * Values that hold until a time of their own, and are asked for anew after a shorter one. A value that cannot be renewed is
 * good until its time. Bounded; what is asked is asked once for all who wait; failures are kept for a moment.
 */

interface Entry<T> {
  readonly value: T;
  /** Milliseconds since 1970. */
  readonly until: number;
  renewAt: number;
}

interface Unsure {
  readonly unsure: string;
}

/** Milliseconds after a failure. */
const PAUSE_MS = 5000;

export class Renewed<T> {
  readonly #most: number;
  readonly #ttlMs: number;
  readonly #kept = new Map<string, Entry<T>>();
  readonly #failed = new Map<string, { readonly why: Unsure; readonly until: number }>();
  readonly #asking = new Map<string, Promise<T | Unsure>>();

  constructor(most: number, ttlMs: number) {
    this.#most = most;
    this.#ttlMs = ttlMs;
  }

  /** @param ask throws (rejects) with why there is no value. */
  get(
    key: string,
    ask: () => Promise<{ readonly value: T; readonly until: number }>,
  ): T | Unsure | Promise<T | Unsure> {
    const now = Date.now();
    const entry = this.#kept.get(key);
    if (entry !== undefined && now < entry.renewAt && now < entry.until) return entry.value;
    const failure = this.#failed.get(key);
    if (failure !== undefined && now < failure.until && entry === undefined) return failure.why;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key, ask).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #ask(
    key: string,
    ask: () => Promise<{ readonly value: T; readonly until: number }>,
  ): Promise<T | Unsure> {
    try {
      const { value, until } = await ask();
      this.#failed.delete(key);
      keep(this.#kept, key, { value, until, renewAt: Date.now() + this.#ttlMs }, this.#most);
      return value;
    } catch (error) {
      const now = Date.now();
      const before = this.#kept.get(key);
      // A responder that says no end has to be asked: what it said is over with `renewAt`.
      if (before !== undefined && before.until !== Infinity && now < before.until) {
        before.renewAt = now + PAUSE_MS;
        return before.value;
      }
      this.#kept.delete(key);
      const why = { unsure: error instanceof Error ? error.message : String(error) };
      keep(this.#failed, key, { why, until: now + PAUSE_MS }, this.#most);
      return why;
    }
  }
}

/** The oldest makes room. */
function keep<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value ?? '');
}
