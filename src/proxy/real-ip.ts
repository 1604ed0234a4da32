/** Who the client is when the peer is a trusted proxy: nginx's realip module, as Kong configures it. */
import type { IpSet } from '../lib/ip-set.ts';
import type { Settings } from '../settings/settings.ts';
import type { Headers } from '../wire/message.ts';

export interface ClientAddress {
  readonly ip: string;
  /** The port that the header gave, else null. */
  readonly port: number | null;
}

/** The rule of one worker, made from `trusted_ips`, `real_ip_header` and `real_ip_recursive`. */
export class RealIp {
  /** @throws {SyntaxError} on a bad entry of `trusted_ips`; on `proxy_protocol`, which is not supported yet. */
  constructor(_settings: Pick<Settings, 'trusted_ips' | 'real_ip_header' | 'real_ip_recursive'>) {
    throw new Error('not built yet');
  }

  /** Ask once for each connection. */
  trusts(_peerIp: string): boolean {
    throw new Error('not built yet');
  }

  /** For a request from a trusted peer. Null: the headers say nothing usable, the peer is the client. */
  client(_headers: Headers): ClientAddress | null {
    throw new Error('not built yet');
  }
}

/** The whole rule as one function; values in the order of the header lines. */
export function clientIp(
  _peerIp: string,
  _trusted: IpSet,
  _headerValues: readonly string[],
  _recursive: boolean,
): ClientAddress {
  throw new Error('not built yet');
}
