/**
 * The keys that seal TLS session tickets, in memory that all workers share: so a session that began on one worker is
 * resumed on any. The main thread makes and rotates them; nothing else writes.
 *
 * Two keys lie there: the current one, which seals new tickets, and the one before, which still opens its own. A key that
 * is rotated out is overwritten. Whoever reads looks at `generation` first: it is odd while the keys are written.
 */
import { randomFillSync } from 'node:crypto';

/** What `node:tls` takes: 16 octets of name, 16 for the MAC, 16 for the cipher. */
const KEY_BYTES = 48;
/** How a key is recognized in a ticket. */
export const KEY_NAME_BYTES = 16;
/** Generation and padding, then the current key, then the one before. */
const HEADER_BYTES = 16;

export interface TicketKeyPair {
  readonly generation: number;
  readonly current: Buffer;
  readonly previous: Buffer;
}

/** As a worker sees them. */
export class TicketKeys {
  readonly #generation: Int32Array;
  readonly #bytes: Uint8Array;
  #read: TicketKeyPair | null = null;

  constructor(memory: SharedArrayBuffer) {
    this.#generation = new Int32Array(memory, 0, 1);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES, 2 * KEY_BYTES);
  }

  /** The same object as long as nothing was rotated. */
  get pair(): TicketKeyPair {
    for (;;) {
      const generation = Atomics.load(this.#generation, 0);
      if (this.#read?.generation === generation) return this.#read;
      // The writer is done in less than a microsecond.
      if (generation % 2 !== 0) continue;
      const copy = Buffer.from(this.#bytes);
      if (Atomics.load(this.#generation, 0) !== generation) continue;
      const current = copy.subarray(0, KEY_BYTES);
      this.#read = { generation, current, previous: copy.subarray(KEY_BYTES) };
      return this.#read;
    }
  }
}

/** As the main thread sees them. */
export class TicketKeyRing {
  readonly memory = new SharedArrayBuffer(HEADER_BYTES + 2 * KEY_BYTES);
  readonly #generation = new Int32Array(this.memory, 0, 1);
  readonly #bytes = new Uint8Array(this.memory, HEADER_BYTES, 2 * KEY_BYTES);
  #timer: NodeJS.Timeout | null = null;
  #periodMs = 0;

  constructor() {
    this.#write(() => randomFillSync(this.#bytes));
  }

  rotate(): void {
    this.#write(() => {
      this.#bytes.copyWithin(KEY_BYTES, 0, KEY_BYTES);
      randomFillSync(this.#bytes, 0, KEY_BYTES);
    });
  }

  /** Rotates from now on once in each period; the same period again changes nothing. */
  rotateEvery(periodMs: number): void {
    if (periodMs === this.#periodMs) return;
    this.close();
    this.#periodMs = periodMs;
    this.#timer = setInterval(() => this.rotate(), periodMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#periodMs = 0;
  }

  #write(change: () => void): void {
    Atomics.add(this.#generation, 0, 1);
    change();
    Atomics.add(this.#generation, 0, 1);
  }
}
