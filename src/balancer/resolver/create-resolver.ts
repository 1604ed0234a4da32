/** The resolver that a worker uses, made from the settings `dns_*`. */
import type { Settings } from '../../settings/settings.ts';
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

/** @param warn called with a line for the error log (an unreadable hosts file, a refresh that failed). */
export function createResolver(_settings: DnsSettings, _warn: (line: string) => void): Resolver {
  throw new Error('not built yet');
}
