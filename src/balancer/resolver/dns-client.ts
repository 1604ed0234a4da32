/**
 * Our DNS client: asks name servers over UDP and TCP (dns-exchange.ts), one record type at a time.
 *
 * Each server has a time-out for one try; tries go round all servers `attempts` times. A server that refuses, answers
 * garbage or not at all is passed over and asked last for a while (name-servers.ts). One that knows no EDNS0 is asked
 * again without. An answer that ends in an alias is followed; the least TTL of the chain counts.
 *
 * Questions under way are bounded, and so is the line of those that wait.
 */
import type { Answer } from 'dns-packet';
import { ipFamily } from '../../lib/is-ip.ts';
import type { AddressRecord, AliasRecord, DnsBackend, ServiceRecord } from './dns-backend.ts';
import { type DnsOutcome, exchange, type NameServer, Openings } from './dns-exchange.ts';
import { type DnsAnswer, dnsQuery, type QuestionType, seconds } from './dns-message.ts';
import { normalizeName, relativeName } from './host-name.ts';
import { NameServers } from './name-servers.ts';
import { DnsError } from './resolver.ts';

export interface DnsClientOptions {
  readonly servers: readonly NameServer[];
  /** Milliseconds that one server has for one try. */
  readonly timeout: number;
  /** Tries of each server. */
  readonly attempts: number;
  readonly rotate: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
}

/** Questions under way: each has a socket; and how many may wait. */
const MAX_ASKING = 128;
const MAX_WAITING = 10_000;
/** Aliases of one name. */
const MAX_ALIASES = 8;
const FORMERR = 1;
const NOTIMP = 4;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

export class DnsClient implements DnsBackend {
  readonly #options: DnsClientOptions;
  readonly #servers: NameServers;
  readonly #openings = new Openings();
  readonly #line: Array<() => void> = [];
  #asking = 0;

  constructor(options: DnsClientOptions) {
    this.#options = options;
    this.#servers = new NameServers(options.servers, options.rotate, options.now);
  }

  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]> {
    return this.#follow(name, family === 4 ? 'A' : 'AAAA', (record, ttl) =>
      (record.type === 'A' || record.type === 'AAAA') && ipFamily(record.data) === family
        ? { address: record.data, ttl }
        : null,
    );
  }

  services(name: string): Promise<readonly ServiceRecord[]> {
    return this.#follow(name, 'SRV', (record, ttl) => {
      if (record.type !== 'SRV') return null;
      const { target, port, priority = 0, weight = 0 } = record.data;
      return { name: relativeName(target), port, priority, weight, ttl };
    });
  }

  async aliases(name: string): Promise<readonly AliasRecord[]> {
    const { answers } = await this.#ask(name, 'CNAME');
    return answers.flatMap((record) =>
      record.type === 'CNAME' && isNamed(record, name)
        ? [{ name: relativeName(record.data), ttl: seconds(record.ttl) }]
        : [],
    );
  }

  close(): void {
    this.#openings.close();
    for (const go of this.#line.splice(0)) go();
  }

  /** The records of a name or of what it is an alias of. */
  async #follow<T>(
    name: string,
    type: QuestionType,
    take: (record: Answer, ttl: number) => T | null,
  ): Promise<readonly T[]> {
    let owner = name;
    let asked = name;
    let ttl = Infinity;
    let answer = await this.#ask(name, type);
    for (let aliases = 0; ;) {
      const own = answer.answers.filter((record) => isNamed(record, owner));
      const found = own.flatMap((record) => {
        const taken = record.type === type ? take(record, Math.min(ttl, ttlOf(record))) : null;
        return taken === null ? [] : [taken];
      });
      if (found.length > 0) return found;
      const alias = own.find((record) => record.type === 'CNAME');
      if (alias?.type === 'CNAME') {
        if (aliases++ === MAX_ALIASES)
          throw new DnsError('server_failure', 'dns chain of aliases is too long');
        owner = relativeName(alias.data);
        ttl = Math.min(ttl, ttlOf(alias));
        // It goes on in the same answer, as a rule.
        if (answer.answers.some((record) => isNamed(record, owner))) continue;
      }
      // A server that has looked to the end of the chain says so.
      if (owner === asked || !answer.exists || answer.negativeTtl !== null) throw missing(answer);
      if (normalizeName(owner) === null) throw new DnsError('name_error', 'dns name error (not a host name)');
      asked = owner;
      answer = await this.#ask(owner, type);
    }
  }

  async #ask(name: string, type: QuestionType): Promise<DnsAnswer> {
    await this.#turn();
    try {
      return await this.#askServers(name, type);
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#asking--;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#asking < MAX_ASKING) {
      this.#asking++;
      return;
    }
    if (this.#line.length >= MAX_WAITING) throw new DnsError('server_failure', 'too many dns queries wait');
    await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** @throws {DnsError} when no server has an answer, or it is that there is no such name. */
  async #askServers(name: string, type: QuestionType): Promise<DnsAnswer> {
    const { attempts, timeout } = this.#options;
    let why = 'timeout';
    let silent = true;
    for (let attempt = 0; attempt < attempts; attempt++) {
      for (const server of this.#servers.order()) {
        const outcome = await this.#askServer(name, type, server, timeout);
        if (outcome.kind === 'closed') throw new DnsError('server_failure', 'dns resolver is closed');
        if (outcome.kind === 'answer') {
          this.#servers.answered(server);
          if (outcome.answers.length === 0) throw missing(outcome);
          return outcome;
        }
        this.#servers.failed(server);
        if (outcome.kind === 'timeout') continue;
        silent = false;
        why = outcome.kind === 'refused' ? (RCODES[outcome.rcode] ?? `rcode ${outcome.rcode}`) : outcome.kind;
      }
    }
    if (silent) throw new DnsError('timeout', 'dns timeout');
    throw new DnsError('server_failure', `dns server failure (${why})`);
  }

  async #askServer(
    name: string,
    type: QuestionType,
    server: NameServer,
    timeout: number,
  ): Promise<DnsOutcome> {
    const outcome = await exchange(dnsQuery(name, type, true), server, timeout, this.#openings);
    const plain = outcome.kind === 'refused' && (outcome.rcode === FORMERR || outcome.rcode === NOTIMP);
    return plain ? await exchange(dnsQuery(name, type, false), server, timeout, this.#openings) : outcome;
  }
}

function missing({ exists, negativeTtl }: DnsAnswer): DnsError {
  return exists
    ? new DnsError('empty', 'dns no records', negativeTtl)
    : new DnsError('name_error', 'dns name error (NXDOMAIN)', negativeTtl);
}

function isNamed(record: Answer, name: string): boolean {
  return record.name.toLowerCase() === relativeName(name).toLowerCase();
}

function ttlOf(record: Answer): number {
  return seconds('ttl' in record ? record.ttl : undefined);
}
