/**
 * Values that hold until a time of their own, and are asked for anew after a shorter one. A value that cannot be renewed is
 * good until its time. Bounded; what is asked is asked once for all who wait; failures are kept for a moment, and while they
 * are fresh nobody waits for the next attempt: a server that takes no connections must not hold up a request every few
 * seconds for as long as it may take.
 */

interface Entry<T> {
  readonly value: T;
  /** Milliseconds since 1970. */
  readonly until: number;
  renewAt: number;
  /** The last attempt to renew it failed. */
  failed: boolean;
}

interface Failure {
  readonly why: Unsure;
  /** When it is asked again, in milliseconds since 1970. */
  readonly until: number;
}

interface Unsure {
  readonly unsure: string;
}

/** Milliseconds after a failure. */
const PAUSE_MS = 5000;
/** Milliseconds after that in which an attempt is not waited for. */
const FRESH_MS = 50_000;

export class Renewed<T> {
  readonly #most: number;
  readonly #ttlMs: number;
  readonly #kept = new Map<string, Entry<T>>();
  readonly #failed = new Map<string, Failure>();
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
    const good = entry !== undefined && now < entry.until;
    if (good && now < entry.renewAt) return entry.value;
    const failure = entry === undefined ? this.#failed.get(key) : undefined;
    if (failure !== undefined && now < failure.until) return failure.why;
    const asking = this.#once(key, ask);
    if (good && entry.failed && now < entry.renewAt + FRESH_MS) return entry.value;
    if (failure !== undefined && now < failure.until + FRESH_MS) return failure.why;
    return asking;
  }

  /** Never rejects. */
  #once(key: string, ask: () => Promise<{ readonly value: T; readonly until: number }>): Promise<T | Unsure> {
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
      keep(this.#kept, key, { value, until, renewAt: Date.now() + this.#ttlMs, failed: false }, this.#most);
      return value;
    } catch (error) {
      const now = Date.now();
      const before = this.#kept.get(key);
      // A responder that says no end has to be asked: what it said is over with `renewAt`.
      if (before !== undefined && before.until !== Infinity && now < before.until) {
        before.renewAt = now + PAUSE_MS;
        before.failed = true;
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
