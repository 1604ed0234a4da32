/**
 * Slows whoever guesses tokens. Each source address (an IPv6 network of 64 bits counts as one) has a number of failed
 * tries; from the sixth on, the next try of that address waits before it is looked at, twice as long each time, and
 * tries that come together wait one after the other. What would wait too long is refused at once. Clients begin with
 * several requests together, so an address without failures may have some tries in the works at a time.
 *
 * It never locks anybody out: other addresses are not concerned, and a token that has been good lately skips the line,
 * so that a client with an old token behind the same proxy harms nobody. Memory is bounded: the address that came
 * longest ago is forgotten first.
 */
import { formatIp, isMapped, parseIp } from '../../lib/ip.ts';

const FREE_FAILURES = 5;
const FREE_AT_A_TIME = 32;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** Beyond this a try is refused rather than held. */
const MAX_WAIT_MS = 20_000;
const FORGET_MS = 15 * 60_000;
const MAX_ADDRESSES = 4096;

interface Tries {
  failed: number;
  /** Begun, and not yet known how they end. */
  pending: number;
  /** When the next may be looked at. */
  free: number;
  last: number;
}

export class FailureThrottle {
  readonly #now: () => number;
  readonly #byAddress = new Map<string, Tries>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Milliseconds that the try has to wait; then `end` has to follow. Null: too many wait already. */
  begin(address: string): number | null {
    const now = this.#now();
    const tries = this.#tries(network(address), now);
    const atATime = tries.failed < FREE_FAILURES ? FREE_AT_A_TIME : 0;
    const free = tries.pending < atATime;
    const start = free ? now : Math.max(now, tries.free);
    if (start - now > MAX_WAIT_MS) return null;
    // Those in the line are taken for failures, as they mostly will be.
    if (!free) tries.free = start + delayAfter(tries.failed + tries.pending - atATime);
    tries.pending += 1;
    return start - now;
  }

  /** @returns how many of this address have failed. */
  end(address: string, outcome: 'passed' | 'failed'): number {
    const key = network(address);
    const now = this.#now();
    const tries = this.#tries(key, now);
    tries.pending = Math.max(0, tries.pending - 1);
    if (outcome === 'failed') {
      tries.failed += 1;
      tries.last = now;
      if (tries.failed >= FREE_FAILURES) tries.free = Math.max(tries.free, now + delayAfter(tries.failed));
    }
    if (tries.failed === 0 && tries.pending === 0) this.#byAddress.delete(key);
    else this.#keep(key, tries);
    return tries.failed;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  #tries(key: string, now: number): Tries {
    const found = this.#byAddress.get(key);
    if (found !== undefined && now - found.last < FORGET_MS) return found;
    const fresh = { failed: 0, pending: 0, free: now, last: now };
    this.#keep(key, fresh);
    return fresh;
  }

  #keep(key: string, tries: Tries): void {
    this.#byAddress.delete(key);
    this.#byAddress.set(key, tries);
    if (this.#byAddress.size > MAX_ADDRESSES)
      this.#byAddress.delete(this.#byAddress.keys().next().value ?? '');
  }
}

function delayAfter(failed: number): number {
  const steps = Math.max(0, failed - FREE_FAILURES);
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(steps, 20), MAX_DELAY_MS);
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
