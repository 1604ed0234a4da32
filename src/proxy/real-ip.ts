/**
 * Who the client is when the peer is a trusted proxy: nginx's realip module, as Kong configures it
 * (`trusted_ips`, `real_ip_header`, `real_ip_recursive`).
 *
 * nginx reads the header from its end. An entry is what follows the last comma or space: an address, or `address:port`
 * with IPv6 in brackets (brackets without a port are not accepted). Without recursion the last entry of the last line
 * is the client. With it the walk goes on, over the lines too, while the address found is itself trusted; an entry
 * that is no address ends it, and the last good one stands. Only X-Forwarded-For is read over several lines; of any
 * other header the first line counts.
 *
 * With `real_ip_header = proxy_protocol` the client is whom the PROXY header of the connection names, where it names one.
 *
 * One difference: nginx reads `010.1.1.1` and `1..2.3` as addresses, here they are not.
 */
import { formatIp, parseIp } from '../lib/ip.ts';
import { IpSet } from '../lib/ip-set.ts';
import type { Settings } from '../settings/settings.ts';
import type { Headers } from '../wire/message.ts';
import type { ProxiedAddresses } from '../wire/proxy-protocol/header.ts';

export interface ClientAddress {
  /** Canonical text, IPv6 without brackets. */
  readonly ip: string;
  /** The port that the header gave, else null. */
  readonly port: number | null;
}

const FORWARDED_FOR = 'x-forwarded-for';
const PROXY_PROTOCOL = 'proxy_protocol';

/** The rule of one worker. */
export class RealIp {
  readonly #trusted: IpSet;
  readonly #header: string;
  readonly #recursive: boolean;
  readonly #fromProxyHeader: boolean;

  /** @throws {SyntaxError} on a bad entry of `trusted_ips`. */
  constructor(settings: Pick<Settings, 'trusted_ips' | 'real_ip_header' | 'real_ip_recursive'>) {
    this.#trusted = new IpSet(settings.trusted_ips);
    this.#header = settings.real_ip_header.toLowerCase();
    this.#recursive = settings.real_ip_recursive;
    this.#fromProxyHeader = this.#header === PROXY_PROTOCOL;
  }

  /** Ask once for each connection; `unix:` is a peer on a unix socket. */
  trusts(peerIp: string): boolean {
    return this.#trusted.has(peerIp);
  }

  /**
   * For a request from a trusted peer. Null: the header says nothing usable, the peer is the client.
   * @param proxied what the connection's PROXY header said.
   */
  client(headers: Headers, proxied: ProxiedAddresses | null): ClientAddress | null {
    if (this.#fromProxyHeader) {
      return proxied === null ? null : { ip: proxied.remoteAddress, port: proxied.remotePort };
    }
    const first = headers.get(this.#header);
    if (first === undefined) return null;
    const values = this.#header === FORWARDED_FOR ? headers.all(FORWARDED_FOR) : [first];
    return walk(values, this.#trusted, this.#recursive);
  }
}

/** The whole rule as one function; `headerValues` in the order of the header lines. */
export function clientIp(
  peerIp: string,
  trusted: IpSet,
  headerValues: readonly string[],
  recursive: boolean,
): ClientAddress {
  const found = trusted.has(peerIp) ? walk(headerValues, trusted, recursive) : null;
  return found ?? { ip: peerIp, port: null };
}

function walk(values: readonly string[], trusted: IpSet, recursive: boolean): ClientAddress | null {
  let found: ClientAddress | null = null;
  for (let line = values.length - 1; line >= 0; line--) {
    const value = values[line]!;
    let end = value.length;
    do {
      if (found !== null && !trusted.has(found.ip)) return found;
      while (end > 0 && isSeparator(value.charCodeAt(end - 1))) end--;
      let start = end;
      while (start > 0 && !isSeparator(value.charCodeAt(start - 1))) start--;
      const entry = parseEntry(value, start, end);
      if (entry === null || !recursive) return entry ?? found;
      found = entry;
      end = start;
    } while (end > 0);
  }
  return found;
}

function isSeparator(c: number): boolean {
  return c === 0x20 || c === 0x2c;
}

const words = new Uint32Array(4);

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1` or `[2001:db8::1]:80`. */
function parseEntry(text: string, start: number, end: number): ClientAddress | null {
  let family = parseIp(text, start, end, words);
  if (family !== 0) return { ip: addressText(family, text, start, end), port: null };
  const colon = text.lastIndexOf(':', end - 1);
  if (colon <= start) return null;
  const port = parsePort(text.slice(colon + 1, end));
  if (port === null) return null;
  let from = start;
  let to = colon;
  const bracketed = text.charCodeAt(start) === 0x5b;
  if (bracketed) {
    if (text.charCodeAt(colon - 1) !== 0x5d) return null;
    from++;
    to--;
  }
  family = parseIp(text, from, to, words);
  if (family === 0 || (family === 6 && !bracketed)) return null;
  return { ip: addressText(family, text, from, to), port };
}

/** An accepted IPv4 text is canonical already. */
function addressText(family: 4 | 6, text: string, start: number, end: number): string {
  return family === 4 ? text.slice(start, end) : formatIp(family, words);
}

function parsePort(text: string): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : null;
}
