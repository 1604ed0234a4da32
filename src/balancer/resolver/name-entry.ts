/** What a cache knows of one name. */
import { AddressRing } from './address-ring.ts';
import type { LookupAnswer, RecordType } from './lookup.ts';
import type { DnsError, ResolvedName } from './resolver.ts';

export class NameEntry {
  readonly host: string;
  /** Lower case, as it is asked for. */
  readonly name: string;
  /** Where threads note that they have used it; 0: nowhere. */
  slot = 0;
  ring: AddressRing | null = null;
  /** Seconds, of the last answer. */
  ttl = 0;
  /** `peek` starts a refresh from here on. */
  refreshAt = 0;
  /** `peek` answers until here. */
  peekUntil = 0;
  /** The addresses may serve when nothing better can be had, until here. */
  staleUntil = 0;
  /** After a failure: no new lookup before. */
  retryAt = 0;
  /** Failures in a row. */
  failures = 0;
  error: DnsError | null = null;
  flight: Promise<ResolvedName> | null = null;
  lastType: RecordType | null = null;
  /** Hit since the hand came by; not at the start, so that names asked for once do not drive out those in use. */
  used = false;
  /** Hit since it was last looked at whether somebody still wants it. */
  touched = true;
  usedAt: number;
  /** It stands in the configuration. */
  configured = false;

  constructor(host: string, name: string, now: number) {
    this.host = host;
    this.name = name;
    this.usedAt = now;
  }

  /** @param refresh 0 to 1: the part of the TTL after which it is refreshed; `random` likewise: where the turn begins. */
  accept(
    { addresses, ttl, type }: LookupAnswer,
    { now, staleTtl, refresh, random }: { now: number; staleTtl: number; refresh: number; random: number },
  ): AddressRing {
    const expiresAt = now + ttl * 1000;
    let { ring } = this;
    if (ring?.holds(addresses)) ring.expiresAt = expiresAt;
    else ring = new AddressRing(addresses, expiresAt, Math.floor(random * addresses.length));
    this.ring = ring;
    this.ttl = ttl;
    this.error = null;
    this.retryAt = 0;
    this.failures = 0;
    this.lastType = type ?? this.lastType;
    this.refreshAt = now + ttl * 1000 * refresh;
    this.staleUntil = expiresAt + staleTtl * 1000;
    this.peekUntil = ttl === 0 ? expiresAt : this.staleUntil;
    return ring;
  }
}
