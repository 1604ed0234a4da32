/**
 * The cache in front of the lookups (Kong's `dns_*` settings).
 *
 * Life of a name: fresh until its TTL ends; in the last part of the TTL its next use starts a refresh in the
 * background, so that a name in use never waits; past the TTL it is stale, and serves on for `dns_stale_ttl` while each
 * use may start a refresh, at most one per `dns_error_ttl` after a failure. So when name servers are down, the last
 * addresses serve on. An answer "no such name" or "no records" is believed: it drops the addresses and is kept for
 * `dns_not_found_ttl`. A TTL of 0 is asked for again by every `resolve`, and falls back on the last addresses.
 *
 * There are no timers: everything happens on use. One lookup at a time per name. The cache is bounded; what goes is
 * found by the clock algorithm (a hit sets a flag, the hand clears it and takes the first name without), which costs
 * a hit nothing, where a true LRU list would be relinked by every request.
 */
import { AddressRing } from './address-ring.ts';
import { isLocalhost, literalAddress, normalizeName, relativeName } from './host-name.ts';
import type { HostsFile } from './hosts-file.ts';
import type { Lookup, LookupAnswer, RecordType } from './lookup.ts';
import { asDnsError } from './lookup-failures.ts';
import { DnsError, type ResolvedName, type Resolver } from './resolver.ts';

/** What is read of a hosts file. */
export type Hosts = Pick<HostsFile, 'find' | 'refresh'>;

export interface CacheOptions {
  /** Seconds. */
  readonly staleTtl: number;
  readonly notFoundTtl: number;
  readonly errorTtl: number;
  /** Names kept at most, and lookups under way at most. */
  readonly size: number;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly warn: (line: string) => void;
}

/** A name is refreshed when this part of its TTL is over, plus up to a tenth so that workers do not ask in step. */
const REFRESH_AT = 0.8;
const REFRESH_SPREAD = 0.1;

class Entry {
  readonly host: string;
  /** Lower case, as it is asked for. */
  readonly name: string;
  ring: AddressRing | null = null;
  /** `peek` starts a refresh from here on. */
  refreshAt = 0;
  /** `peek` answers until here. */
  peekUntil = 0;
  /** The addresses may serve when nothing better can be had, until here. */
  staleUntil = 0;
  /** After a failure: no new lookup before. */
  retryAt = 0;
  error: DnsError | null = null;
  flight: Promise<ResolvedName> | null = null;
  lastType: RecordType | null = null;
  /** Hit since the hand came by; not at the start, so that names asked for once do not drive out those in use. */
  used = false;

  constructor(host: string, name: string) {
    this.host = host;
    this.name = name;
  }
}

export class CachingResolver implements Resolver {
  readonly #entries = new Map<string, Entry>();
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
  }

  peek(host: string): ResolvedName | null {
    const entry = this.#entries.get(host);
    if (entry === undefined) return this.#literal(host);
    entry.used = true;
    if (entry.ring === null) return null;
    const now = this.#options.now();
    if (now < entry.refreshAt) return entry.ring;
    if (now >= entry.peekUntil) return null;
    if (entry.flight === null && now >= entry.retryAt && this.#hasRoom()) this.#start(entry).catch(ignore);
    return entry.ring;
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
      entry = this.#insert(new Entry(host, name));
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
    const entry = this.#insert(new Entry(host, host));
    entry.ring = new AddressRing([{ ip, port: null, weight: 1 }], Infinity, 0);
    entry.refreshAt = Infinity;
    return entry.ring;
  }

  /** The hand goes round the map's own order: oldest first. */
  #insert(entry: Entry): Entry {
    if (this.#entries.size >= this.#options.size) {
      for (const [host, oldest] of this.#entries) {
        this.#entries.delete(host);
        if (!oldest.used) break;
        oldest.used = false;
        this.#entries.set(host, oldest);
      }
    }
    this.#entries.set(entry.host, entry);
    return entry;
  }

  #start(entry: Entry): Promise<ResolvedName> {
    this.#flights++;
    const flight = this.#ask(entry)
      .then(
        (answer) => this.#accept(entry, answer),
        (error: unknown) => this.#refuse(entry, asDnsError(error)),
      )
      .finally(() => {
        this.#flights--;
        entry.flight = null;
      });
    entry.flight = flight;
    return flight;
  }

  async #ask(entry: Entry): Promise<LookupAnswer> {
    await this.#hosts.refresh();
    const found = this.#hosts.find(relativeName(entry.name));
    if (found !== undefined) return this.#lookup.fromHosts(found);
    if (isLocalhost(entry.name)) return this.#lookup.fromHosts({ v4: ['127.0.0.1'], v6: ['::1'] });
    return this.#lookup.run(entry.name, entry.lastType);
  }

  #accept(entry: Entry, { addresses, ttl, type }: LookupAnswer): ResolvedName {
    const { now, random, staleTtl } = this.#options;
    const expiresAt = now() + ttl * 1000;
    let ring = entry.ring;
    if (ring?.holds(addresses)) ring.expiresAt = expiresAt;
    else ring = new AddressRing(addresses, expiresAt, Math.floor(random() * addresses.length));
    entry.ring = ring;
    entry.error = null;
    entry.retryAt = 0;
    entry.lastType = type ?? entry.lastType;
    entry.refreshAt = expiresAt - ttl * 1000 * (1 - REFRESH_AT - REFRESH_SPREAD * random());
    entry.staleUntil = expiresAt + staleTtl * 1000;
    entry.peekUntil = ttl === 0 ? expiresAt : entry.staleUntil;
    return ring;
  }

  #refuse(entry: Entry, error: DnsError): Promise<ResolvedName> {
    const known = error.code === 'name_error' || error.code === 'empty';
    const { now, notFoundTtl, errorTtl, warn } = this.#options;
    if (entry.ring !== null && entry.error === null && !this.#closed) {
      warn(`dns: ${entry.host} could not be refreshed: ${error.message}`);
    }
    entry.error = error;
    entry.retryAt = now() + (known ? notFoundTtl : errorTtl) * 1000;
    if (known) entry.ring = null;
    return this.#fallback(entry);
  }

  /** After a failure: the last addresses while they may serve, else the failure. */
  #fallback(entry: Entry): Promise<ResolvedName> {
    if (entry.ring !== null && this.#options.now() < entry.staleUntil) return Promise.resolve(entry.ring);
    entry.ring = null;
    return Promise.reject(entry.error ?? new DnsError('server_failure', 'dns server failure'));
  }
}

/** A refresh in the background: the entry has noted the failure. */
function ignore(): void {}
