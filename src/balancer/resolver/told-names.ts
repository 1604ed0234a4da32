/**
 * The resolver of a worker: what the main thread has told it of names, and a question to it where that is not enough.
 *
 * A hit is a look into a map and allocates nothing; it notes in shared memory that the name is in use, so that the main
 * thread goes on refreshing it. Addresses past their TTL serve on until they are stale, while the main thread is
 * reminded once a second: it may have given up a name that nobody used, or be busy. A request waits only for a name that
 * has no addresses here, and for one whose TTL is 0.
 */
import { AddressHolds, type LeaveListener } from './address-holds.ts';
import { AddressRing } from './address-ring.ts';
import { ClockMap } from './clock-map.ts';
import { literalAddress, normalizeName } from './host-name.ts';
import type { NameState } from './name-state.ts';
import { DnsError, type PlaneResolver, type ResolvedName } from './resolver.ts';

export interface ToldNamesOptions {
  /** Asks the main thread for a name; what it knows comes by `hear`. */
  readonly ask: (host: string) => void;
  /** Names kept at most, and names that may be waited for. */
  readonly size: number;
  /** One octet for each name of the main thread: what is in use. */
  readonly uses: Uint8Array;
  /** Milliseconds, the same in all threads. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Milliseconds that the main thread may take to answer. */
  readonly timeoutMs: number;
}

/** Milliseconds between two reminders of a name. */
const REMIND_MS = 1000;

class ToldName {
  readonly host: string;
  ring: AddressRing | null = null;
  /** Reminds the main thread from here on. */
  remindAt = 0;
  peekUntil = 0;
  retryAt = 0;
  error: NameState['error'] = null;
  slot = 0;
  used = false;

  constructor(host: string) {
    this.host = host;
  }
}

interface Waiting {
  readonly promise: Promise<ResolvedName>;
  readonly settle: (name: ResolvedName | null, error: DnsError) => void;
}

export class ToldNames implements PlaneResolver {
  readonly #options: ToldNamesOptions;
  readonly #names: ClockMap<ToldName>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #holds = new AddressHolds();
  #closed = false;

  constructor(options: ToldNamesOptions) {
    this.#options = options;
    this.#names = new ClockMap(options.size, ({ ring }) => this.#holds.forget(ring?.addresses ?? null));
  }

  set leaving(listener: LeaveListener) {
    this.#holds.listener = listener;
  }

  peek(host: string): ResolvedName | null {
    const name = this.#names.get(host);
    if (name === undefined) return this.#literal(host);
    name.used = true;
    this.#options.uses[name.slot] = 1;
    if (name.ring === null || name.remindAt === Infinity) return name.ring;
    const now = this.#options.now();
    if (now < name.remindAt) return name.ring;
    if (now >= name.peekUntil) return null;
    name.remindAt = now + REMIND_MS;
    this.#ask(host);
    return name.ring;
  }

  resolve(host: string): Promise<ResolvedName> {
    const known = this.peek(host);
    if (known !== null) return Promise.resolve(known);
    const name = this.#names.get(host);
    if (name !== undefined && name.error !== null && this.#options.now() < name.retryAt) {
      return Promise.reject(new DnsError(name.error.code, name.error.message));
    }
    const waiting = this.#waiting.get(host);
    if (waiting !== undefined) return waiting.promise;
    if (normalizeName(host) === null)
      return Promise.reject(new DnsError('name_error', 'dns name error (not a host name)'));
    if (this.#closed || this.#waiting.size >= this.#options.size) {
      const reason = this.#closed ? 'the resolver is closed' : 'too many names are being looked up';
      return Promise.reject(new DnsError('server_failure', reason));
    }
    return this.#wait(host);
  }

  /** What the main thread says. */
  hear(states: readonly NameState[]): void {
    for (const state of states) this.#take(state);
  }

  close(): void {
    this.#closed = true;
    const error = new DnsError('server_failure', 'the resolver is closed');
    this.#waiting.forEach(({ settle }) => settle(null, error));
  }

  /** An address stands for itself, for ever; it is kept like a name so that the next `peek` is a hit. */
  #literal(host: string): ResolvedName | null {
    const ip = literalAddress(host);
    if (ip === null) return null;
    const name = this.#names.insert(new ToldName(host));
    name.ring = new AddressRing([{ ip, port: null, weight: 1 }], Infinity, 0);
    name.remindAt = name.peekUntil = Infinity;
    this.#holds.replace(null, name.ring.addresses);
    return name.ring;
  }

  #take({ host, addresses, expiresAt, peekUntil, error, retryAt, slot }: NameState): void {
    const name = this.#names.get(host) ?? this.#names.insert(new ToldName(host));
    const before = name.ring?.addresses ?? null;
    if (addresses === null) name.ring = null;
    else if (name.ring?.holds(addresses)) name.ring.expiresAt = expiresAt;
    else name.ring = this.#ring(addresses, expiresAt);
    name.remindAt = expiresAt;
    name.peekUntil = peekUntil;
    name.error = error;
    name.retryAt = retryAt;
    name.slot = slot;
    this.#holds.replace(before, name.ring?.addresses ?? null);
    const failure = error === null ? NO_ANSWER : new DnsError(error.code, error.message);
    this.#waiting.get(host)?.settle(name.ring, failure);
  }

  #ring(addresses: NonNullable<NameState['addresses']>, expiresAt: number): AddressRing {
    return new AddressRing(addresses, expiresAt, Math.floor(this.#options.random() * addresses.length));
  }

  #ask(host: string): void {
    if (!this.#closed) this.#options.ask(host);
  }

  #wait(host: string): Promise<ResolvedName> {
    const { promise, resolve, reject } = Promise.withResolvers<ResolvedName>();
    const settle: Waiting['settle'] = (name, error) => {
      clearTimeout(timer);
      this.#waiting.delete(host);
      if (name === null) reject(error);
      else resolve(name);
    };
    const timer = setTimeout(settle, this.#options.timeoutMs, null, NO_ANSWER);
    this.#waiting.set(host, { promise, settle });
    this.#ask(host);
    return promise;
  }
}

const NO_ANSWER = new DnsError('timeout', 'dns timeout (the main thread does not answer)');
