/** The resolver that a worker uses, made from the settings `dns_*`. */
import { performance } from 'node:perf_hooks';
import type { Settings } from '../../settings/settings.ts';
import { CachingResolver, type Hosts } from './caching-resolver.ts';
import { createDnsBackend, type DnsBackend } from './dns-backend.ts';
import { HostsFile } from './hosts-file.ts';
import { Lookup } from './lookup.ts';
import { readResolvConf, type ResolvConf } from './resolv-conf.ts';
import type { Resolver } from './resolver.ts';

/** The settings that resolving reads (Kong's names and units). */
export type DnsSettings = Pick<
  Settings,
  | 'dns_resolver'
  | 'dns_hostsfile'
  | 'dns_order'
  | 'dns_valid_ttl'
  | 'dns_stale_ttl'
  | 'dns_cache_size'
  | 'dns_not_found_ttl'
  | 'dns_error_ttl'
>;

/** What tests replace. */
export interface ResolverParts {
  /** Milliseconds, never going back. A worker may give its own coarse clock. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly backend?: DnsBackend;
  readonly resolvConf?: ResolvConf;
  readonly hosts?: Hosts;
}

const RESOLV_CONF = '/etc/resolv.conf';

/** @param warn called with a line for the error log (an unreadable hosts file, a refresh that failed). */
export function createResolver(
  settings: DnsSettings,
  warn: (line: string) => void,
  parts: ResolverParts = {},
): Resolver {
  const now = parts.now ?? (() => performance.now());
  const { search, ndots, timeout, attempts } = parts.resolvConf ?? readResolvConf(RESOLV_CONF);
  const backend = parts.backend ?? createDnsBackend({ servers: settings.dns_resolver, timeout, attempts });
  const lookup = new Lookup(backend, {
    order: settings.dns_order,
    search,
    ndots,
    validTtl: settings.dns_valid_ttl,
  });
  const hosts = parts.hosts ?? new HostsFile(settings.dns_hostsfile, now, warn);
  const options = {
    staleTtl: settings.dns_stale_ttl,
    notFoundTtl: settings.dns_not_found_ttl,
    errorTtl: settings.dns_error_ttl,
    size: settings.dns_cache_size,
    now,
    random: parts.random ?? Math.random,
    warn,
  };
  return new CachingResolver(lookup, hosts, options, () => backend.close());
}
