/**
 * Questions to name servers, one record type at a time: an interface, and c-ares behind it.
 *
 * `Resolver` of `node:dns` is asynchronous and takes no thread of the pool. Node switches its answer cache off, it
 * applies no search domains and repeats a truncated answer over TCP. It tells the TTL of A and AAAA records only.
 */
import { Resolver } from 'node:dns/promises';
import { DnsError, type DnsErrorCode } from './resolver.ts';

export interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Every method rejects with a {@link DnsError}; an answer may be empty all the same. */
export interface DnsBackend {
  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
  aliases(name: string): Promise<readonly string[]>;
  close(): void;
}

export interface DnsBackendOptions {
  /** `ip` or `ip:port`; empty: the system's. */
  readonly servers: readonly string[];
  /** Milliseconds that one server has for one try. */
  readonly timeout: number;
  /** Tries of each server. */
  readonly attempts: number;
}

/** c-ares' codes that are answers; all the others mean that nothing is known. */
const CODES: Readonly<Record<string, DnsErrorCode>> = {
  ENOTFOUND: 'name_error',
  EBADNAME: 'name_error',
  ENODATA: 'empty',
  ETIMEOUT: 'timeout',
};

export function createDnsBackend(options: DnsBackendOptions): DnsBackend {
  const resolver = new Resolver({
    timeout: options.timeout,
    maxTimeout: options.timeout,
    tries: options.attempts,
  });
  if (options.servers.length > 0) resolver.setServers(options.servers);
  let closed = false;
  // A lookup under way must end with its current question.
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (closed) throw new DnsError('server_failure', 'dns resolver is closed');
    return asked(question());
  };
  return {
    addresses: (name, family) =>
      ask(() =>
        family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }),
      ),
    services: (name) => ask(() => resolver.resolveSrv(name)),
    aliases: (name) => ask(() => resolver.resolveCname(name)),
    close: () => {
      closed = true;
      resolver.cancel();
    },
  };
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const kind = CODES[code] ?? 'server_failure';
    throw new DnsError(kind, `dns ${kind.replaceAll('_', ' ')} (${code})`);
  }
}
