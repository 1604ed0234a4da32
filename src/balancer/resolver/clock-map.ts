/**
 * A bounded map by name whose hits cost nothing: what goes is found by the clock algorithm (a hit sets a flag, the hand
 * clears it and takes the first without), where a true LRU list would be relinked by every request.
 */
export interface Clocked {
  readonly host: string;
  /** Hit since the hand came by. */
  used: boolean;
}

export class ClockMap<T extends Clocked> {
  readonly #entries = new Map<string, T>();
  readonly #size: number;
  readonly #isUsed: (entry: T) => boolean;
  readonly #dropped: (entry: T) => void;

  /** @param isUsed beside the flag: somebody else has used it since the last call. */
  constructor(size: number, dropped: (entry: T) => void, isUsed: (entry: T) => boolean = () => false) {
    this.#size = size;
    this.#dropped = dropped;
    this.#isUsed = isUsed;
  }

  get(host: string): T | undefined {
    return this.#entries.get(host);
  }

  values(): IterableIterator<T> {
    return this.#entries.values();
  }

  get full(): boolean {
    return this.#entries.size >= this.#size;
  }

  /** The hand goes round the map's own order: oldest first. */
  insert(entry: T): T {
    if (this.full) {
      for (const [host, oldest] of this.#entries) {
        this.#entries.delete(host);
        if (!oldest.used && !this.#isUsed(oldest)) {
          this.#dropped(oldest);
          break;
        }
        oldest.used = false;
        this.#entries.set(host, oldest);
      }
    }
    this.#entries.set(entry.host, entry);
    return entry;
  }
}
