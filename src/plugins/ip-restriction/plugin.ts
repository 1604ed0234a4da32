/** ip-restriction: the client's address, as `trusted_ips` and `real_ip_header` have it, in lists of networks. */
import { IpSet } from '../../lib/ip-set.ts';
import { definePlugin } from '../kit/define.ts';
import { refuse } from '../kit/reply.ts';
import { ipRestriction } from './schema.ts';

const NO_ADDRESS = 'Cannot identify the client IP address, unix domain sockets are not supported.';

export default definePlugin({
  ...ipRestriction,
  create(config, { log }) {
    const allow = listOf(config.allow);
    const deny = listOf(config.deny);
    const status = config.status ?? 403;

    /** Why the address may not pass, or null. */
    function problem(ip: string): string | null {
      if (ip === '' || ip.startsWith('unix:')) return NO_ADDRESS;
      const refused = deny?.has(ip) === true || (allow !== null && !allow.has(ip));
      return refused ? (config.message ?? `IP address not allowed: ${ip}`) : null;
    }

    return {
      access({ client: { ip } }) {
        const why = problem(ip);
        if (why === null) return undefined;
        log.warn(why);
        return refuse(why === NO_ADDRESS ? 403 : status, why);
      },
      preread({ client: { ip } }) {
        const why = problem(ip);
        if (why === null) return undefined;
        log.warn(why);
        return { refuse: why };
      },
    };
  },
});

/** Null: there is none. */
function listOf(addresses: readonly string[] | null): IpSet | null {
  return addresses === null || addresses.length === 0 ? null : new IpSet(addresses);
}
