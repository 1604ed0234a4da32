/**
 * The cache in front of the lookups (Kong's `dns_*` settings).
 *
 * Life of a name: fresh until its TTL ends; in the last part of the TTL its next use starts a refresh in the
 * background, so that a name in use never waits; past the TTL it is stale, and serves on for `dns_stale_ttl` while each
 * use may start a refresh, at most one per `dns_error_ttl` after a failure. So when name servers are down, the last
 * addresses serve on. An answer "no such name" or "no records" is believed: it drops the addresses and is kept for as
 * long as the zone says, at most `dns_not_found_ttl`. A TTL of 0 is asked for again by every `resolve`, and falls back on
 * the last addresses.
 *
 * There are no timers: everything happens on use (or by `refresh`, which refresh-ahead.ts calls). One lookup at a time
 * per name. The cache is bounded (clock-map.ts).
 */
import { AddressHolds, type LeaveListener } from './address-holds.ts';
import { AddressRing } from './address-ring.ts';
import type { CacheOptions, Hosts, NameObserver } from './cache-options.ts';
import { ClockMap } from './clock-map.ts';
import { isLocalhost, literalAddress, normalizeName, relativeName } from './host-name.ts';
import type { Lookup, LookupAnswer } from './lookup.ts';
import { asDnsError } from './lookup-failures.ts';
import { NameEntry } from './name-entry.ts';
import { DnsError, type PlaneResolver, type ResolvedName } from './resolver.ts';

/** A name is refreshed when this part of its TTL is over, plus up to a tenth so that workers do not ask in step. */
const REFRESH_AT = 0.8;
const REFRESH_SPREAD = 0.1;

export class CachingResolver implements PlaneResolver {
  /** Null: nobody listens. */
  observer: NameObserver | null = null;
  readonly #entries: ClockMap<NameEntry>;
  readonly #holds = new AddressHolds();
  readonly #lookup: Lookup;
  readonly #hosts: Hosts;
  readonly #options: CacheOptions;
  readonly #closeBackend: () => void;
  #flights = 0;
  #closed = false;

  constructor(lookup: Lookup, hosts: Hosts, options: CacheOptions, closeBackend: () => void) {
    this.#lookup = lookup;
    this.#hosts = hosts;
    this.#options = options;
    this.#closeBackend = closeBackend;
    this.#entries = new ClockMap(
      options.size,
      (entry) => {
        this.#holds.forget(entry.ring?.addresses ?? null);
        this.observer?.dropped(entry);
      },
      (entry) => this.observer?.inUse(entry) === true,
    );
  }

  set leaving(listener: LeaveListener) {
    this.#holds.listener = listener;
  }

  /** All that is known. */
  entries(): IterableIterator<NameEntry> {
    return this.#entries.values();
  }

  find(host: string): NameEntry | undefined {
    return this.#entries.get(host);
  }

  /** Another name would drive one out. */
  get full(): boolean {
    return this.#entries.full;
  }

  peek(host: string): ResolvedName | null {
    const entry = this.#entries.get(host);
    if (entry === undefined) return this.#literal(host);
    entry.used = entry.touched = true;
    if (entry.ring === null) return null;
    const now = this.#options.now();
    if (now < entry.refreshAt) return entry.ring;
    if (now >= entry.peekUntil) return null;
    void this.refresh(entry);
    return entry.ring;
  }

  /** Asks for it anew in the background, unless that is under way or may not be yet. */
  refresh(entry: NameEntry): Promise<unknown> {
    if (entry.flight !== null) return entry.flight.catch(ignore);
    if (this.#options.now() < entry.retryAt || !this.#hasRoom()) return NOTHING;
    return this.#start(entry).catch(ignore);
  }

  resolve(host: string): Promise<ResolvedName> {
    const known = this.peek(host);
    if (known !== null) return Promise.resolve(known);
    let entry = this.#entries.get(host);
    if (entry?.flight) return entry.flight;
    if (entry !== undefined && this.#options.now() < entry.retryAt) return this.#fallback(entry);
    if (!this.#hasRoom()) {
      const reason = this.#closed ? 'the resolver is closed' : 'too many names are being looked up';
      return Promise.reject(new DnsError('server_failure', reason));
    }
    if (entry === undefined) {
      const name = normalizeName(host);
      if (name === null)
        return Promise.reject(new DnsError('name_error', 'dns name error (not a host name)'));
      entry = this.#entries.insert(new NameEntry(host, name, this.#options.now()));
    }
    return this.#start(entry);
  }

  close(): void {
    this.#closed = true;
    this.#closeBackend();
  }

  #hasRoom(): boolean {
    return !this.#closed && this.#flights < this.#options.size;
  }

  /** An address stands for itself, for ever; it is kept like a name so that the next `peek` is a hit. */
  #literal(host: string): ResolvedName | null {
    const ip = literalAddress(host);
    if (ip === null) return null;
    const entry = this.#entries.insert(new NameEntry(host, host, 0));
    entry.ring = new AddressRing([{ ip, port: null, weight: 1 }], Infinity, 0);
    entry.ttl = entry.refreshAt = entry.peekUntil = Infinity;
    this.#holds.replace(null, entry.ring.addresses);
    return entry.ring;
  }

  #start(entry: NameEntry): Promise<ResolvedName> {
    this.#flights++;
    const flight = this.#ask(entry)
      .then(
        (answer) => this.#accept(entry, answer),
        (error: unknown) => this.#refuse(entry, asDnsError(error)),
      )
      .finally(() => {
        this.#flights--;
        entry.flight = null;
        this.observer?.settled(entry);
      });
    entry.flight = flight;
    return flight;
  }

  async #ask(entry: NameEntry): Promise<LookupAnswer> {
    await this.#hosts.refresh();
    const found = this.#hosts.find(relativeName(entry.name));
    if (found !== undefined) return this.#lookup.fromHosts(found);
    if (isLocalhost(entry.name)) return this.#lookup.fromHosts({ v4: ['127.0.0.1'], v6: ['::1'] });
    return this.#lookup.run(entry.name, entry.lastType);
  }

  #accept(entry: NameEntry, answer: LookupAnswer): ResolvedName {
    const { now, random, staleTtl, late } = this.#options;
    const before = entry.ring?.addresses ?? null;
    const refresh = late === true ? 1 : REFRESH_AT + REFRESH_SPREAD * random();
    const ring = entry.accept(answer, { now: now(), staleTtl, refresh, random: random() });
    this.#holds.replace(before, ring.addresses);
    return ring;
  }

  #refuse(entry: NameEntry, error: DnsError): Promise<ResolvedName> {
    const known = error.code === 'name_error' || error.code === 'empty';
    const { now, notFoundTtl, errorTtl, warn } = this.#options;
    if (entry.ring !== null && entry.error === null && !this.#closed) {
      warn(`dns: ${entry.host} could not be refreshed: ${error.message}`);
    }
    entry.error = error;
    entry.failures++;
    const notFound = Math.max(
      Math.min(error.ttl ?? notFoundTtl, notFoundTtl),
      Math.min(errorTtl, notFoundTtl),
    );
    entry.retryAt = now() + (known ? notFound : errorTtl) * 1000;
    if (known) this.#lose(entry);
    return this.#fallback(entry);
  }

  #lose(entry: NameEntry): void {
    this.#holds.replace(entry.ring?.addresses ?? null, null);
    entry.ring = null;
  }

  /** After a failure: the last addresses while they may serve, else the failure. */
  #fallback(entry: NameEntry): Promise<ResolvedName> {
    if (entry.ring !== null && this.#options.now() < entry.staleUntil) return Promise.resolve(entry.ring);
    this.#lose(entry);
    return Promise.reject(entry.error ?? new DnsError('server_failure', 'dns server failure'));
  }
}

const NOTHING = Promise.resolve();

/** A refresh in the background: the entry has noted the failure. */
function ignore(): void {}
