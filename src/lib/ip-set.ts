/** A set of IP addresses and networks (`trusted_ips`), IPv4 and IPv6, IPv4-mapped IPv6 counted as IPv4. */
export class IpSet {
  /**
   * @param entries `10.0.0.1`, `10.0.0.0/8`, `::1`, `fc00::/7`, or `unix:` (peers on a UNIX socket).
   * @throws {SyntaxError} naming the first entry that is none of these.
   */
  constructor(_entries: readonly string[]) {
    throw new Error('not built yet');
  }

  /** False for text that is no address. A UNIX-socket peer is the empty string or `unix:`. */
  has(_ip: string): boolean {
    throw new Error('not built yet');
  }
}
