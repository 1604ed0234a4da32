/**
 * What may go to a name server, and what needs none.
 *
 * A name is checked before it is asked for: letters, digits, hyphen and underscore in labels of 1 to 63 octets, 253 in
 * all (RFC 1035 §2.3.4; underscores because service names and containers have them). A dotted name that ends in a
 * number is a mistyped address and not a name.
 */
import { ipFamily } from '../../lib/is-ip.ts';

const LABEL = /^[a-z0-9_-]{1,63}$/;
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;
const MAX_NAME = 253;

/** The address itself when the host is one (IPv6 with or without brackets), else null. */
export function literalAddress(host: string): string | null {
  const bracketed = host.startsWith('[') && host.endsWith(']');
  const text = bracketed ? host.slice(1, -1) : host;
  const family = ipFamily(text);
  return family === 6 || (family === 4 && !bracketed) ? text : null;
}

/** Lower case, the trailing dot of an absolute name kept; null when it is no name that may be asked for. */
export function normalizeName(host: string): string | null {
  if (host.length > MAX_NAME + 1) return null;
  const name = host.toLowerCase();
  const labels = relativeName(name).split('.');
  if (relativeName(name).length > MAX_NAME || !labels.every((label) => LABEL.test(label))) return null;
  return labels.length > 1 && NUMBER.test(labels.at(-1)!) ? null : name;
}

/** Without the trailing dot of an absolute name. */
export function relativeName(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** `localhost` and all names below it are this host and never asked for (RFC 6761 §6.3). */
export function isLocalhost(name: string): boolean {
  const relative = relativeName(name);
  return relative === 'localhost' || relative.endsWith('.localhost');
}
