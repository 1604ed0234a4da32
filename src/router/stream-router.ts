/**
 * The stream router: addresses, transport and server name of a connection to the route that Kong would choose.
 *
 * As for HTTP the order of routes is total (`stream-rank.ts`), so the answer is the best-ranked of all that match. Lists
 * are kept best first, and a connection meets three of them at most: routes by their exact server name, by their
 * destination port, and all others. An edit shares the lists that it does not touch, so that connections in flight keep
 * the router that they began with.
 *
 * Routes with `protocols` that the connection does not speak do not match. Kong looks at that only after the match and
 * ends the connection; so a route of `udp` would hide one of `tcp` on the same port.
 */
import type { Route, RouteProtocol } from '../entities/route.ts';
import { parseExpression } from './expressions/parser.ts';
import { compileExpression } from './expressions/evaluate.ts';
import { addressCondition, type Condition, sniMatches } from './conditions.ts';
import { RouteError, type RouterFlavor, type RouterInput } from './router.ts';
import { outranksStream, type StreamRank, streamRank } from './stream-rank.ts';

/** What a connection is made of when it is matched; `tls`: its ClientHello has been read. */
export type StreamTransport = 'tcp' | 'tls' | 'udp';

export interface StreamInput {
  readonly transport: StreamTransport;
  /** Server name of the ClientHello, or ''. */
  readonly sni: string;
  readonly srcIp: string;
  readonly srcPort: number;
  readonly dstIp: string;
  readonly dstPort: number;
}

interface StreamEntry<T> {
  readonly routeId: string;
  readonly rank: StreamRank;
  readonly transports: ReadonlySet<StreamTransport>;
  readonly conditions: readonly Condition[];
  /** Where it is kept: exact server names, else destination ports, else everywhere. */
  readonly names: readonly string[] | null;
  readonly ports: readonly number[] | null;
  readonly value: T;
}

type List<T> = ReadonlyArray<StreamEntry<T>>;

interface Lists<T> {
  readonly byName: ReadonlyMap<string, List<T>>;
  readonly byPort: ReadonlyMap<number, List<T>>;
  readonly others: List<T>;
}

interface OwnLists<T> {
  readonly byName: Map<string, List<T>>;
  readonly byPort: Map<number, List<T>>;
  others: List<T>;
}

type Make<T> = (lists: Lists<T>, routes: ReadonlyMap<string, StreamEntry<T>>) => StreamRouter<T>;

const STREAM_PROTOCOLS: Readonly<Partial<Record<RouteProtocol, StreamTransport>>> = {
  tcp: 'tcp',
  tls: 'tls',
  tls_passthrough: 'tls',
  udp: 'udp',
};

/** Is this route for streams? Protocols of both kinds do not stand together. */
export function isStreamRoute({ protocols }: Pick<Route, 'protocols'>): boolean {
  return protocols.some((protocol) => STREAM_PROTOCOLS[protocol] !== undefined);
}

export class StreamRouter<T> {
  readonly flavor: RouterFlavor;
  readonly #lists: Lists<T>;
  readonly #routes: ReadonlyMap<string, StreamEntry<T>>;

  private constructor(flavor: RouterFlavor, lists: Lists<T>, routes: ReadonlyMap<string, StreamEntry<T>>) {
    this.flavor = flavor;
    this.#lists = lists;
    this.#routes = routes;
  }

  static empty<T>(flavor: RouterFlavor): StreamRouter<T> {
    return new StreamRouter<T>(flavor, { byName: new Map(), byPort: new Map(), others: [] }, new Map());
  }

  /** Number of routes. */
  get size(): number {
    return this.#routes.size;
  }

  /** The value of the route that Kong would choose, or null. */
  match(input: StreamInput): T | null {
    if (this.#routes.size === 0) return null;
    const { byName, byPort, others } = this.#lists;
    const request = asRequest(input);
    let best: StreamEntry<T> | null = null;
    for (const list of [byName.get(input.sni), byPort.get(input.dstPort), others]) {
      const found = list === undefined ? null : firstOf(list, input.transport, request);
      if (found !== null && (best === null || outranksStream(found, best))) best = found;
    }
    return best?.value ?? null;
  }

  /** Starts a copy that shares what the edit does not touch. */
  edit(): StreamRouterEdit<T> {
    return new StreamRouterEdit(this.flavor, this.#lists, this.#routes, (lists, routes) =>
      lists === this.#lists ? this : new StreamRouter(this.flavor, lists, routes),
    );
  }
}

export class StreamRouterEdit<T> {
  readonly #flavor: RouterFlavor;
  readonly #make: Make<T>;
  readonly #base: Lists<T>;
  readonly #routes: ReadonlyMap<string, StreamEntry<T>>;
  /** Null: nothing has changed. */
  #own: OwnLists<T> | null = null;
  #ownRoutes: Map<string, StreamEntry<T>> | null = null;
  /** Lists that this edit made, and may therefore change. */
  readonly #fresh = new WeakSet<object>();

  constructor(
    flavor: RouterFlavor,
    lists: Lists<T>,
    routes: ReadonlyMap<string, StreamEntry<T>>,
    make: Make<T>,
  ) {
    this.#flavor = flavor;
    this.#base = lists;
    this.#routes = routes;
    this.#make = make;
  }

  /** Adds the route or replaces the one with its id. @throws RouteError, and then nothing has changed. */
  put(route: Route, value: T): void {
    this.#place(compileStreamRoute(route, value, this.#flavor));
  }

  /** Keeps the place of a route that does not compile: it matches whatever its protocols say. */
  putBroken(route: Route, value: T): void {
    this.#place(placeholder(route, value, this.#flavor));
  }

  remove(routeId: string): void {
    const old = (this.#ownRoutes ?? this.#routes).get(routeId);
    if (old === undefined) return;
    const { lists, routes } = this.#begin();
    routes.delete(routeId);
    if (old.names !== null) for (const name of old.names) this.#takeFrom(lists.byName, name, old);
    else if (old.ports !== null) for (const port of old.ports) this.#takeFrom(lists.byPort, port, old);
    else lists.others = this.#without(lists.others, old);
  }

  commit(): StreamRouter<T> {
    return this.#make(this.#own ?? this.#base, this.#ownRoutes ?? this.#routes);
  }

  #place(entry: StreamEntry<T>): void {
    this.remove(entry.routeId);
    const { lists, routes } = this.#begin();
    routes.set(entry.routeId, entry);
    if (entry.names !== null) {
      for (const name of entry.names) lists.byName.set(name, this.#with(lists.byName.get(name) ?? [], entry));
    } else if (entry.ports !== null) {
      for (const port of entry.ports) lists.byPort.set(port, this.#with(lists.byPort.get(port) ?? [], entry));
    } else lists.others = this.#with(lists.others, entry);
  }

  #begin(): { lists: OwnLists<T>; routes: Map<string, StreamEntry<T>> } {
    const { byName, byPort, others } = this.#base;
    this.#own ??= { byName: new Map(byName), byPort: new Map(byPort), others };
    this.#ownRoutes ??= new Map(this.#routes);
    return { lists: this.#own, routes: this.#ownRoutes };
  }

  #with(list: List<T>, entry: StreamEntry<T>): List<T> {
    const mine = this.#owned(list);
    let low = 0;
    let high = mine.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = mine[middle];
      if (other !== undefined && outranksStream(other, entry)) low = middle + 1;
      else high = middle;
    }
    mine.splice(low, 0, entry);
    return mine;
  }

  #without(list: List<T>, entry: StreamEntry<T>): List<T> {
    const mine = this.#owned(list);
    const at = mine.indexOf(entry);
    if (at >= 0) mine.splice(at, 1);
    return mine;
  }

  #takeFrom<K>(map: Map<K, List<T>>, key: K, entry: StreamEntry<T>): void {
    const rest = this.#without(map.get(key) ?? [], entry);
    if (rest.length === 0) map.delete(key);
    else map.set(key, rest);
  }

  #owned(list: List<T>): Array<StreamEntry<T>> {
    if (this.#fresh.has(list)) return list as Array<StreamEntry<T>>;
    const mine = [...list];
    this.#fresh.add(mine);
    return mine;
  }
}

function firstOf<T>(list: List<T>, transport: StreamTransport, request: RouterInput): StreamEntry<T> | null {
  for (const entry of list) {
    if (entry.transports.has(transport) && entry.conditions.every((holds) => holds(request))) return entry;
  }
  return null;
}

/** Conditions and expressions are those of HTTP: they read only what streams have, too. */
function asRequest(input: StreamInput): RouterInput {
  const { transport, sni, srcIp, srcPort, dstIp, dstPort } = input;
  const addresses = { srcIp, srcPort, dstIp, dstPort, port: dstPort };
  return {
    scheme: transport,
    sni,
    ...addresses,
    method: '',
    host: '',
    path: '',
    query: '',
    headerValues: () => [],
  };
}

function transportsOf({ protocols }: Route): ReadonlySet<StreamTransport> {
  return new Set(protocols.flatMap((protocol) => STREAM_PROTOCOLS[protocol] ?? []));
}

function compileStreamRoute<T>(route: Route, value: T, flavor: RouterFlavor): StreamEntry<T> {
  try {
    const base = placeholder(route, value, flavor);
    if (flavor === 'expressions' && typeof route.expression === 'string') {
      const evaluate = compileExpression(parseExpression(route.expression, 'stream'));
      return { ...base, conditions: [(input) => evaluate(input, null)] };
    }
    return { ...base, ...plainConditions(route, base.transports, flavor) };
  } catch (error) {
    throw new RouteError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function placeholder<T>(route: Route, value: T, flavor: RouterFlavor): StreamEntry<T> {
  const shape = { transports: transportsOf(route), conditions: [], names: null, ports: null };
  return { routeId: route.id, rank: streamRank(route, flavor), ...shape, value };
}

type Placed = Pick<StreamEntry<unknown>, 'conditions' | 'names' | 'ports'>;

function plainConditions(
  { snis, sources, destinations }: Route,
  transports: ReadonlySet<StreamTransport>,
  flavor: RouterFlavor,
): Placed {
  const conditions: Condition[] = [];
  let names: readonly string[] | null = null;
  if (snis !== null && snis.length > 0) {
    const plain = snis.map((name) => (name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name));
    const wildcards = flavor !== 'traditional';
    // Server names say nothing of a connection without TLS.
    const onlyTls = transports.size === 1 && transports.has('tls');
    if (onlyTls && plain.every((name) => !name.includes('*'))) names = [...new Set(plain)];
    else {
      conditions.push(
        ({ scheme, sni }) => scheme !== 'tls' || plain.some((name) => sniMatches(name, sni, wildcards)),
      );
    }
  }
  let ports: number[] | null = null;
  if (destinations !== null && destinations.length > 0) {
    conditions.push(addressCondition(destinations, 'destination'));
    const all = destinations.map(({ port }) => port);
    if (names === null && all.every((port) => port !== null)) ports = [...new Set(all)];
  }
  if (sources !== null && sources.length > 0) conditions.push(addressCondition(sources, 'source'));
  return { conditions, names, ports };
}
