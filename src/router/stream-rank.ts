/**
 * The order in which stream routes are tried: Kong's priority, then its tie-break.
 *
 * `traditional_compatible`: server names, or sources and destinations together, stand above all others; then what is asked
 * of the source, then of the destination, where an address counts more than a port and a port more than a network; then
 * the larger uuid. `expressions`: a route with an expression stands above every other, by its own priority.
 * `traditional`: how many of server name, source and destination, then which, then the older route.
 */
import type { Route } from '../entities/route.ts';
import type { RouterFlavor } from './router.ts';

export interface StreamRank {
  readonly high: number;
  readonly low: number;
  /** Equal ranks: the larger first. */
  readonly order: number;
  readonly id: string;
}

type Ends = Route['sources'];

const ADDRESS = 8;
const PORT = 4;
const NETWORK = 1;

export function streamRank(route: Route, flavor: RouterFlavor): StreamRank {
  const { id, snis, sources, destinations } = route;
  if (flavor === 'expressions' && typeof route.expression === 'string') {
    return { high: 2, low: route.priority ?? 0, order: 0, id };
  }
  if (flavor === 'traditional') {
    const present = [has(snis), has(sources), has(destinations)];
    const bits = present.reduce((word, set) => (word << 1) | Number(set), 0);
    return { high: present.filter(Boolean).length, low: bits, order: -route.created_at, id };
  }
  const high = Number(has(snis) || (has(sources) && has(destinations)));
  return { high, low: (weight(sources) << 4) | weight(destinations), order: 0, id };
}

export function outranksStream(a: { readonly rank: StreamRank }, b: { readonly rank: StreamRank }): boolean {
  const one = a.rank;
  const two = b.rank;
  if (one.high !== two.high) return one.high > two.high;
  if (one.low !== two.low) return one.low > two.low;
  if (one.order !== two.order) return one.order > two.order;
  return one.id > two.id;
}

function has(list: readonly unknown[] | null): boolean {
  return list !== null && list.length > 0;
}

function weight(ends: Ends): number {
  let bits = 0;
  for (const { ip, port } of ends ?? []) {
    if (ip !== null) bits |= ip.includes('/') ? NETWORK : ADDRESS;
    if (port !== null) bits |= PORT;
  }
  return bits;
}
