/**
 * One name asked for anew: hosts file, then name servers over the search domains and record types.
 *
 * For each candidate name (search domains as resolv.conf(5) says) the types of
 * `dns_order` are asked one after the other until one has addresses; LAST is the type that worked for this name the
 * last time. Of SRV records only those of the lowest priority count, weight 0 is 1, port 0 is the service's own port.
 * The client follows aliases; CNAME is asked for on its own for servers that leave them out of other answers.
 *
 * The outcome is `name_error` or `empty` only if no address query, nor that of the type that worked the last time, failed for
 * another reason: a server that is down must not make a name unknown. Two queries in a row that time out end the lookup.
 */
import { ipFamily } from '../../lib/is-ip.ts';
import type { AddressRecord, DnsBackend, ServiceRecord } from './dns-backend.ts';
import { normalizeName, relativeName } from './host-name.ts';
import { HOSTS_TTL, type HostAddresses } from './hosts-file.ts';
import { asDnsError, Failures } from './lookup-failures.ts';
import { DnsError, type ResolvedAddress } from './resolver.ts';

export type RecordType = 'SRV' | 'A' | 'AAAA' | 'CNAME';

export interface LookupAnswer {
  /** At least one, sorted. */
  readonly addresses: readonly ResolvedAddress[];
  /** Seconds. */
  readonly ttl: number;
  /** The type that had them; null for the hosts file. */
  readonly type: RecordType | null;
}

export interface LookupOptions {
  /** `dns_order`: record types and LAST. */
  readonly order: readonly string[];
  readonly search: readonly string[];
  readonly ndots: number;
  /** Seconds in place of every TTL; null: the records' own. */
  readonly validTtl: number | null;
}

const MAX_ALIASES = 8;
/** Targets of a name and addresses of a name that are used. */
const MAX_TARGETS = 64;
const MAX_ADDRESSES = 1024;
/** So many queries in a row without an answer: the server is down. */
const MAX_TIMEOUTS = 2;
/** Seconds that an answer lives of which a part could not be told, since a name server failed. */
const PARTIAL_TTL = 5;
/** A target's weight is shared by its addresses; a multiple of 1 to 6 keeps the shares whole. */
const WEIGHT_SCALE = 60;

const TYPES: readonly string[] = ['SRV', 'A', 'AAAA', 'CNAME'] satisfies RecordType[];

export class Lookup {
  readonly #backend: DnsBackend;
  readonly #options: LookupOptions;
  readonly #useLast: boolean;
  readonly #types: readonly RecordType[];
  /** A and AAAA in the configured order, for targets and aliases. */
  readonly #families: ReadonlyArray<4 | 6>;

  constructor(backend: DnsBackend, options: LookupOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#useLast = options.order.includes('LAST');
    const types = [...new Set(options.order)].filter((type): type is RecordType => TYPES.includes(type));
    this.#types = types.length === 0 ? ['A'] : types;
    const families = this.#types.filter((type) => type === 'A' || type === 'AAAA');
    this.#families = families.length === 0 ? [4] : families.map((type) => (type === 'A' ? 4 : 6));
  }

  /** What the hosts file says, as an answer: IPv4 unless AAAA comes first or there is none. */
  fromHosts(found: HostAddresses): LookupAnswer {
    const [preferred, other] = this.#families[0] === 6 ? [found.v6, found.v4] : [found.v4, found.v6];
    const ips = preferred.length > 0 ? preferred : other;
    return { addresses: plain(ips), ttl: HOSTS_TTL, type: null };
  }

  /**
   * @param last the type that worked the last time, or null.
   * @throws {DnsError}
   */
  async run(name: string, last: RecordType | null): Promise<LookupAnswer> {
    const types = new Set(this.#useLast && last !== null ? [last, ...this.#types] : this.#types);
    const failures = new Failures();
    for (const candidate of this.#candidates(name)) {
      for (const type of types) {
        try {
          return await this.#ask(candidate, type);
        } catch (error) {
          const failure = asDnsError(error);
          failures.add(failure, isAddress(type) || type === last);
          if (failures.timeoutsInARow === MAX_TIMEOUTS) throw failure;
          // A server or firewall that swallows this type would swallow it for every candidate.
          if (failure.code === 'timeout' && !isAddress(type)) types.delete(type);
          // No such name at all. Not believed of SRV: some servers say it of every type they do not know.
          if (failure.code === 'name_error' && isAddress(type)) break;
        }
      }
    }
    throw failures.outcome();
  }

  #candidates(name: string): string[] {
    const relative = relativeName(name);
    if (relative !== name) return [relative];
    const searched = this.#options.search.map((domain) => `${name}.${domain}`);
    const dots = name.split('.').length - 1;
    const all = dots >= this.#options.ndots ? [name, ...searched] : [...searched, name];
    return all.filter((candidate) => candidate.length <= 253);
  }

  async #ask(name: string, type: RecordType): Promise<LookupAnswer> {
    if (type === 'SRV') return this.#services(name);
    if (type === 'CNAME') return this.#alias(name);
    return this.#fromRecords(await this.#backend.addresses(name, type === 'A' ? 4 : 6), type);
  }

  /** @param bound seconds: of the aliases that led there. */
  #fromRecords(records: readonly AddressRecord[], type: RecordType, bound = Infinity): LookupAnswer {
    if (records.length === 0) throw new DnsError('empty', `dns ${type} answer without records`);
    const ttl = Math.min(bound, ...records.map((record) => record.ttl));
    return { addresses: plain(records.map((record) => record.address)), ttl: this.#ttl(ttl), type };
  }

  #ttl(seconds: number): number {
    return this.#options.validTtl ?? Math.max(seconds, 0);
  }

  /** Addresses of a target or alias: the first family that has any. */
  async #target(name: string): Promise<readonly AddressRecord[]> {
    if (normalizeName(name) === null) throw new DnsError('name_error', 'dns name error (not a host name)');
    let failure: DnsError | null = null;
    for (const family of this.#families) {
      try {
        const records = await this.#backend.addresses(name, family);
        if (records.length > 0) return records;
      } catch (error) {
        failure ??= asDnsError(error);
      }
    }
    throw failure ?? new DnsError('empty', 'dns target without addresses');
  }

  async #services(name: string): Promise<LookupAnswer> {
    const all = await this.#backend.services(name);
    const priority = Math.min(...all.map((record) => record.priority));
    // The root as target: "decidedly not available" (RFC 2782).
    const chosen = all.filter((record) => record.priority === priority && relativeName(record.name) !== '');
    if (chosen.length === 0) throw new DnsError('empty', 'dns SRV answer without targets');
    const targets = chosen.slice(0, MAX_TARGETS);
    const found = await Promise.allSettled(targets.map((record) => this.#targetOf(record)));
    const resolved = found.map((result) => (result.status === 'fulfilled' ? result.value : []));
    const scale = resolved.some((records) => records.length > 1) ? WEIGHT_SCALE : 1;
    let ttl = Math.min(...targets.map((record) => record.ttl));
    const addresses: ResolvedAddress[] = [];
    for (const [i, records] of resolved.entries()) {
      const { name, port, weight } = targets[i]!;
      const named = ipFamily(relativeName(name)) === 0 ? { name: relativeName(name) } : {};
      const share = Math.max(Math.round((Math.max(weight, 1) * scale) / records.length), 1);
      for (const { address, ttl: own } of records) {
        ttl = Math.min(ttl, own);
        addresses.push({ ip: address, port: port === 0 ? null : port, weight: share, ...named });
      }
    }
    const failures = found.flatMap((one) => (one.status === 'rejected' ? [asDnsError(one.reason)] : []));
    const unknown = failures.find(({ code }) => code !== 'name_error' && code !== 'empty');
    if (addresses.length === 0) throw unknown ?? failures[0];
    const kept = unknown === undefined ? this.#ttl(ttl) : Math.min(this.#ttl(ttl), PARTIAL_TTL);
    return { addresses: sorted(addresses), ttl: kept, type: 'SRV' };
  }

  async #targetOf(record: ServiceRecord): Promise<readonly AddressRecord[]> {
    const name = relativeName(record.name);
    return ipFamily(name) === 0 ? this.#target(name) : [{ address: name, ttl: record.ttl }];
  }

  async #alias(name: string): Promise<LookupAnswer> {
    let current = name;
    let ttl = Infinity;
    for (let i = 0; i < MAX_ALIASES; i++) {
      const alias = (await this.#backend.aliases(current))[0];
      if (alias === undefined) throw new DnsError('empty', 'dns CNAME answer without records');
      current = relativeName(alias.name);
      ttl = Math.min(ttl, alias.ttl);
      try {
        return this.#fromRecords(await this.#target(current), 'CNAME', ttl);
      } catch (error) {
        if (asDnsError(error).code !== 'empty') throw error;
      }
    }
    throw new DnsError('server_failure', 'dns chain of aliases is too long');
  }
}

function isAddress(type: RecordType): boolean {
  return type === 'A' || type === 'AAAA';
}

function plain(ips: readonly string[]): readonly ResolvedAddress[] {
  return sorted(ips.map((ip) => ({ ip, port: null, weight: 1 })));
}

/** Servers rotate their answers: sorted, the same answer looks the same. */
function sorted(addresses: ResolvedAddress[]): readonly ResolvedAddress[] {
  const key = (address: ResolvedAddress): string => `${address.ip} ${address.port}`;
  return addresses.sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, MAX_ADDRESSES);
}
