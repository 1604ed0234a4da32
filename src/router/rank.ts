/**
 * The order in which routes are tried.
 *
 * `traditional_compatible` and `expressions`: Kong's 64-bit priority word, then the larger uuid. `traditional`: Kong's
 * categories and the rules inside them, then the older route. Either is three 32-bit words here, compared as signed
 * integers, so that no BigInt and no boxed number is met on the hot path.
 *
 *     word     compat                                traditional
 *     high     bits 63-51: attributes, plain hosts,  attributes, which, sub-rules, headers
 *              headers, regex
 *     middle   bits 50-19: regex_priority            regex_priority
 *     low      bits 18-0: length of the prefix       length of the plain path
 */
import { createHash } from 'node:crypto';
import type { Route } from '../entities/route.ts';

export interface Rank {
  readonly high: number;
  readonly middle: number;
  readonly low: number;
}

const MAX_HEADERS = 255;
const MAX_LENGTH = 0x7ffff;

function has(value: readonly unknown[] | null | undefined): boolean {
  return value !== null && value !== undefined && value.length > 0;
}

/** Unsigned 32 bits as a signed integer of the same order. */
function ordered(unsigned: number): number {
  return (unsigned >>> 0) - 0x8000_0000;
}

/** A `regex_priority` that does not fit is clamped: what Kong's word makes of one, below 0 too, is not defined. */
function regexPriority(route: Route, hasRegex: boolean, least: number, most: number): number {
  return hasRegex ? Math.min(Math.max(route.regex_priority, least), most) : 0;
}

/** @param length bytes of the plain paths of this virtual route; 0 when they are regexes or there are none. */
export function compatRank(route: Route, hasRegex: boolean, length: number): Rank {
  const headers = route.headers === null ? 0 : Object.keys(route.headers).length;
  const kinds =
    Number(has(route.methods)) +
    Number(has(route.hosts)) +
    Number(headers > 0) +
    Number(has(route.snis)) +
    Number(has(route.paths)) +
    Number(has(route.sources)) +
    Number(has(route.destinations));
  const plainHosts = has(route.hosts) && route.hosts?.every((host) => !host.includes('*')) === true;
  return {
    high:
      (kinds << 10) | (Number(plainHosts) << 9) | (Math.min(headers, MAX_HEADERS) << 1) | Number(hasRegex),
    middle: ordered(regexPriority(route, hasRegex, 0, 0xffff_ffff)),
    low: length & MAX_LENGTH,
  };
}

/** The word of a route with an expression: its eight high bits set, above every other route. */
export function expressionRank(priority: number): Rank {
  const upper = Math.floor(priority / 0x8_0000);
  return {
    high: (0xff << 5) | Math.floor(upper / 0x1_0000_0000),
    middle: ordered(upper % 0x1_0000_0000),
    low: priority % 0x8_0000,
  };
}

/** @param length bytes of the plain path; 0 when it is a regex or there is none. */
export function traditionalRank(route: Route, hasRegex: boolean, length: number): Rank {
  const headers = route.headers === null ? 0 : Object.keys(route.headers).length;
  const present = [
    has(route.hosts),
    headers > 0,
    has(route.paths),
    has(route.methods),
    has(route.snis),
    has(route.sources),
    has(route.destinations),
  ];
  const bits = present.reduce((word, set) => (word << 1) | Number(set), 0);
  const count = present.filter(Boolean).length;
  const hosts = route.hosts ?? [];
  const wildcardPort = hosts.some((host) => host.includes('*') && /:\d+$/.test(host));
  const plainHosts = hosts.length > 0 && hosts.every((host) => !host.includes('*'));
  const rules = (Number(wildcardPort) << 2) | (Number(plainHosts) << 1) | Number(hasRegex);
  return {
    high: (count << 18) | (bits << 11) | (rules << 8) | Math.min(headers, MAX_HEADERS),
    middle: regexPriority(route, hasRegex, -0x8000_0000, 0x7fff_ffff),
    low: length,
  };
}

/** Kong's name space of the ids of virtual routes. */
const VIRTUAL_NAMESPACE = Buffer.from('7f145bf90dce4f9198ebdebbce4b9f6b', 'hex');

/**
 * uuid v5 (RFC 9562 §5.5) of `<id>#<number>`.
 * @param number which of the route's groups of paths, from 1, in the order in which its paths name them.
 */
export function virtualId(routeId: string, number: number): string {
  const hash = createHash('sha1').update(VIRTUAL_NAMESPACE).update(`${routeId}#${number}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
