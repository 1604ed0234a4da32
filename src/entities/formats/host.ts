/** Host names and addresses in Kong's reading (its `normalize_ip`): a name, an IPv4 or IPv6 address, a port or none. */

export interface Host {
  readonly type: 'name' | 'ipv4' | 'ipv6';
  /** IPv4 without leading zeros, IPv6 expanded and without brackets, names as they are. */
  readonly host: string;
  readonly port: number | null;
}

/** What `parseHost` answers for a port above 65535; any other failure says `invalid hostname: X` and the like. */
const INVALID_PORT = 'invalid port number';

/** A string is what is wrong. */
export function parseHost(text: string): Host | string {
  const colon = text.indexOf(':');
  if (colon !== -1 && text.includes(':', colon + 1)) return parseIpv6(text);
  if (/^[\d.:]+$/.test(text) && /[\d.]/.test(text)) return parseIpv4(text);
  return parseName(text);
}

function parseIpv4(text: string): Host | string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::(\d+))?$/.exec(text);
  const numbers = match?.slice(1, 5).map(Number) ?? [];
  if (match === null || numbers.some((number) => number > 255)) return `invalid ipv4 address: ${text}`;
  const port = parsePort(match[5]);
  return typeof port === 'string' ? port : { type: 'ipv4', host: numbers.join('.'), port };
}

function parseIpv6(text: string): Host | string {
  const bracketed = /^\[([^\]]*)\](.*)$/.exec(text);
  const rest = bracketed?.[2] ?? '';
  const portText = /^:(\d+)$/.exec(rest)?.[1];
  if (rest !== '' && portText === undefined) return 'invalid ipv6 address';
  const port = parsePort(portText);
  if (typeof port === 'string') return port;
  const groups = expandIpv6(bracketed?.[1] ?? text);
  return groups === null ? `invalid ipv6 address: ${text}` : { type: 'ipv6', host: groups, port };
}

/** Eight groups of four digits in lower case, or null. */
function expandIpv6(text: string): string | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail] = groups;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...(tail ?? [])];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return all.map((group) => group.toLowerCase().padStart(4, '0')).join(':');
}

function parseName(text: string): Host | string {
  const portText = /:(\d+)$/.exec(text)?.[1];
  const port = parsePort(portText);
  if (typeof port === 'string') return port;
  const name = portText === undefined ? text : text.slice(0, -portText.length - 1);
  if (!/^[\dA-Za-z\-._]+$/.test(name)) return `invalid hostname: ${text}`;
  const labels = name.split('.');
  const last = labels.length - 1;
  // A dot at the end stands for the root; no other label is empty and none ends in a dash.
  const bad = labels.some((label, index) => label.endsWith('-') || (label === '' && index !== last));
  return bad || name === '.' ? `invalid hostname: ${text}` : { type: 'name', host: name, port };
}

function parsePort(text: string | undefined): number | null | string {
  if (text === undefined) return null;
  const port = Number(text);
  return port > 65535 ? INVALID_PORT : port;
}

/** Name or address without a port. */
export function checkHost(text: string): string | null {
  const parsed = parseHost(text);
  if (typeof parsed !== 'string') return parsed.port === null ? null : 'must not have a port';
  return parsed === INVALID_PORT ? 'must not have a port' : `invalid value: ${text}`;
}

/** Name or address, with a port or without. */
export function checkHostWithPort(text: string): string | null {
  const parsed = parseHost(text);
  return typeof parsed === 'string' ? parsed : null;
}

/** A route's host: a wildcard stands for any label. */
export function checkHostPattern(text: string): string | null {
  return checkHostWithPort(text.replaceAll('*', 'abc'));
}

/** A server name: no address, no port. */
export function checkSni(text: string): string | null {
  const parsed = parseHost(text);
  if (typeof parsed === 'string')
    return parsed === INVALID_PORT ? 'must not have a port' : `invalid value: ${text}`;
  if (parsed.type !== 'name') return 'must not be an IP';
  return parsed.port === null ? null : 'must not have a port';
}

/** A server name that may begin or end with one `*`. */
export function checkWildcardHost(text: string): string | null {
  const at = text.indexOf('*');
  if (at === -1) return checkSni(text);
  if (at !== 0 && at !== text.length - 1) return 'wildcard must be leftmost or rightmost character';
  if (text.includes('*', at + 1)) return 'only one wildcard must be specified';
  return checkSni(text.replace('*', 'wildcard'));
}
