/**
 * Slows whoever guesses tokens. Each source address (an IPv6 network of 64 bits counts as one) has a number of failed
 * tries; from the sixth on, the next try of that address waits before it is looked at, twice as long each time, and
 * tries that come together wait one after the other. What would wait too long is refused at once.
 *
 * It never locks anybody out: other addresses are not concerned, and a token that has been good lately skips the line,
 * so that a client with an old token behind the same proxy harms nobody. Memory is bounded: the address that failed
 * longest ago is forgotten first.
 */
import { formatIp, isMapped, parseIp } from '../../lib/ip.ts';

const FREE_FAILURES = 5;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** Beyond this a try is refused rather than held. */
const MAX_WAIT_MS = 20_000;
const FORGET_MS = 15 * 60_000;
const MAX_ADDRESSES = 4096;

interface Failures {
  count: number;
  /** When the next try may be looked at. */
  free: number;
  last: number;
}

export class FailureThrottle {
  readonly #now: () => number;
  readonly #byAddress = new Map<string, Failures>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Milliseconds that the try has to wait before it is looked at; null: too many wait already. */
  wait(address: string): number | null {
    const failures = this.#known(network(address));
    if (failures === null || failures.count < FREE_FAILURES) return 0;
    const now = this.#now();
    const start = Math.max(now, failures.free);
    if (start - now > MAX_WAIT_MS) return null;
    failures.free = start + delayAfter(failures.count);
    return start - now;
  }

  /** @returns how many there are now. */
  failed(address: string): number {
    const key = network(address);
    const now = this.#now();
    const failures = this.#known(key) ?? { count: 0, free: now, last: now };
    failures.count += 1;
    failures.last = now;
    failures.free = Math.max(failures.free, now + delayAfter(failures.count));
    // The last place: what failed longest ago comes first.
    this.#byAddress.delete(key);
    this.#byAddress.set(key, failures);
    if (this.#byAddress.size > MAX_ADDRESSES)
      this.#byAddress.delete(this.#byAddress.keys().next().value ?? '');
    return failures.count;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  #known(key: string): Failures | null {
    const failures = this.#byAddress.get(key);
    if (failures === undefined) return null;
    if (this.#now() - failures.last < FORGET_MS) return failures;
    this.#byAddress.delete(key);
    return null;
  }
}

function delayAfter(failures: number): number {
  const steps = failures - FREE_FAILURES;
  return steps < 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** Math.min(steps, 20), MAX_DELAY_MS);
}

/** An address, or the 64 bits of an IPv6 one that a provider gives to one customer. */
function network(address: string): string {
  const words = new Uint32Array(4);
  const family = parseIp(address, 0, address.length, words);
  if (family !== 6) return address;
  if (isMapped(words)) return formatIp(4, words.slice(3));
  words.fill(0, 2);
  return formatIp(6, words);
}
