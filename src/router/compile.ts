/**
 * Route → compiled route: virtual routes, ranks, places in the index, and the conditions that the index leaves.
 *
 * In Kong's compat router a route with paths of several kinds is several virtual routes, one for each length of plain
 * path and one for all regexes, each with its own priority and id. In the `traditional` router each path is one.
 */
import type { Route } from '../entities/route.ts';
import {
  addressCondition,
  type Condition,
  headerCondition,
  hostCondition,
  type HostPattern,
  parseHost,
  schemeCondition,
  sniCondition,
} from './conditions.ts';
import type { CompiledRoute, Entry } from './entry.ts';
import { compileExpressionRoute } from './expressions/route.ts';
import { methodBits } from './methods.ts';
import { compatRank, type Rank, traditionalRank, virtualId } from './rank.ts';
import { CompiledRegex, encodeBytes } from './regex.ts';
import type { RouterFlavor } from './router.ts';
import { splitsOf } from './splits.ts';

/** More places (hosts times paths) than this, and the hosts are a condition instead of an index. */
const MAX_PLACES = 1024;

/** A path of a route with the id and rank of its virtual route. */
interface RankedPath {
  readonly id: string;
  readonly rank: Rank;
  /** Null: the route has none. */
  readonly path: string | null;
}

/** What all entries of a route share. */
type Common<T> = Pick<
  Entry<T>,
  'order' | 'value' | 'routeId' | 'methods' | 'methodBits' | 'conditions' | 'splits'
>;

/** @throws RegexSyntaxError, ExpressionError, SyntaxError */
export function compileRoute<T>(route: Route, value: T, flavor: RouterFlavor): CompiledRoute<T> {
  if (flavor === 'expressions' && typeof route.expression === 'string')
    return compileExpressionRoute(route, value);
  const traditional = flavor === 'traditional';
  const conditions = conditionsOf(route, flavor);
  let hosts = isSet(route.hosts) ? route.hosts.map(parseHost) : null;
  if (hosts !== null && hosts.length * Math.max(1, route.paths?.length ?? 0) > MAX_PLACES) {
    conditions.unshift(hostCondition(hosts, traditional));
    hosts = null;
  }
  const methods = isSet(route.methods) ? route.methods : null;
  const common: Common<T> = {
    order: traditional ? -route.created_at : 0,
    value,
    routeId: route.id,
    methods,
    methodBits: methodBits(methods),
    conditions: conditions.length === 0 ? null : conditions,
    splits: splitsOf(route, flavor),
  };
  const paths = traditional ? traditionalPaths(route) : compatPaths(route);
  const entries = paths.map((path, index) => entryOf(path, index, common, traditional));
  return { hosts: hosts === null ? null : distinctHosts(hosts), entries };
}

function isSet<V>(list: readonly V[] | null): list is readonly V[] {
  return list !== null && list.length > 0;
}

function isRegex(path: string): boolean {
  return path.startsWith('~');
}

function distinctHosts(hosts: readonly HostPattern[]): readonly HostPattern[] {
  const seen = new Map(hosts.map((host) => [`${host.kind} ${host.text} ${host.port}`, host]));
  return [...seen.values()];
}

function compatPaths(route: Route): RankedPath[] {
  const paths = route.paths ?? [];
  if (paths.length === 0) return [{ id: route.id, rank: compatRank(route, false, 0), path: null }];
  const lengths = paths.map(plainLength);
  const split = new Set(lengths).size > 1;
  const groups = new Map<number, Pick<RankedPath, 'id' | 'rank'>>();
  return paths.map((path, i) => {
    const length = lengths[i] ?? 0;
    let group = groups.get(length);
    if (group === undefined) {
      const id = split ? virtualId(route.id, groups.size + 1) : route.id;
      groups.set(length, (group = { id, rank: compatRank(route, isRegex(path), length) }));
    }
    return { id: group.id, rank: group.rank, path };
  });
}

/** Each path has a rank of its own, and all have the route's id. */
function traditionalPaths(route: Route): RankedPath[] {
  const paths = isSet(route.paths) ? route.paths : [null];
  return paths.map((path) => {
    const regex = path !== null && isRegex(path);
    return { id: route.id, rank: traditionalRank(route, regex, path === null ? 0 : plainLength(path)), path };
  });
}

/** In bytes; 0 for a regex. */
function plainLength(path: string): number {
  return isRegex(path) ? 0 : encodeBytes(path).length;
}

/** @param index of the path among those of the route. */
function entryOf<T>(ranked: RankedPath, index: number, common: Common<T>, traditional: boolean): Entry<T> {
  const { prefix, regex, proven, mustEnd, steps } = pathFields(ranked.path, traditional);
  // Of the winner alone the entry is read: in this order that lies side by side.
  return {
    value: common.value,
    routeId: common.routeId,
    evaluate: null,
    prefix,
    regex,
    proven,
    conditions: common.conditions,
    methods: common.methods,
    high: ranked.rank.high,
    middle: ranked.rank.middle,
    low: ranked.rank.low,
    methodBits: common.methodBits,
    mustEnd,
    order: common.order,
    id: ranked.id,
    index,
    steps,
    splits: common.splits,
  };
}

type PathFields = Pick<Entry<unknown>, 'prefix' | 'regex' | 'proven' | 'mustEnd' | 'steps'>;

/** @param path as configured; null when the route has none. */
function pathFields(path: string | null, traditional: boolean): PathFields {
  if (path === null) return { prefix: null, regex: null, proven: true, mustEnd: false, steps: [] };
  if (!isRegex(path)) {
    const prefix = encodeBytes(path);
    return { prefix, regex: null, proven: true, mustEnd: false, steps: [prefix] };
  }
  // Kong's compat router writes one `^` before the pattern, which binds to its first alternative only; the
  // traditional one anchors the whole match.
  const regex = new CompiledRegex(path.slice(1), traditional ? 'whole' : 'first');
  const { steps, mustEnd, proven } = regex.template;
  return { prefix: null, regex, proven, mustEnd, steps };
}

function conditionsOf(route: Route, flavor: RouterFlavor): Condition[] {
  const traditional = flavor === 'traditional';
  const scheme = flavor === 'expressions' ? schemeCondition(route.protocols) : null;
  const conditions: Condition[] = scheme === null ? [] : [scheme];
  for (const [name, values] of Object.entries(route.headers ?? {})) {
    conditions.push(headerCondition(name.toLowerCase(), values, flavor));
  }
  if (isSet(route.snis)) conditions.push(sniCondition(route.snis, !traditional));
  if (isSet(route.sources)) conditions.push(addressCondition(route.sources, 'source'));
  if (isSet(route.destinations)) conditions.push(addressCondition(route.destinations, 'destination'));
  return conditions;
}
