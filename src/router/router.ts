/**
 * The router: a request's method, host, path and headers to the route that Kong would choose.
 *
 * Kong's order of routes is total: a priority computed from what a route asks for, then its id (`rank.ts`). So the
 * answer is the best-ranked of all routes that match, and the router may look for it in any order. It looks where an
 * index says that routes may match:
 *
 *     host (exact, *.x, x.*, any)  ->  tree of path prefixes and segments  ->  list of entries, best first
 *     host-index.ts                    trie.ts                                 bucket.ts
 *
 * Path regexes stand in the same tree, by their literal text and their variable segments (`regex/template.ts`). What
 * the index does not prove is checked on the entry. `compile.ts` makes entries of a route.
 *
 * Edits work on objects. At its end an edit writes what it changed as records into an arena (`freeze.ts`, `arena.ts`),
 * and the match reads nothing but those (`walker.ts`): few cache lines, where the objects would be many.
 *
 * A router is immutable. An edit shares all that it does not touch, so that a changed route costs microseconds and
 * requests in flight keep the router that they began with.
 */
import type { Route } from '../entities/route.ts';
import { compileRoute } from './compile.ts';
import type { CompiledRoute, Entry } from './entry.ts';
import type { Evaluate, PathTrace } from './expressions/evaluate.ts';
import { finish, type Steps } from '../lib/steps.ts';
import { freezeAnew, type FrozenIndex, refreeze } from './freeze.ts';
import { addRoute, emptyHostIndex, type HostIndex, ownHostIndex, removeRoute } from './host-index.ts';
import { type Captures, encodeBytes } from './regex.ts';
import { type EditToken, lookup, own, place, replaceValue, TrieNode } from './trie.ts';
import { Walker } from './walker.ts';

export type RouterFlavor = 'traditional_compatible' | 'expressions' | 'traditional';

/**
 * What a match reads of a request. Cheap to implement on the exchange: `headerValues`, `query` and the addresses are
 * only read when some candidate needs them.
 */
export interface RouterInput {
  readonly method: string;
  /** Of a connection that is no HTTP, its transport (`stream-router.ts`). */
  readonly scheme: 'http' | 'https' | 'tcp' | 'tls' | 'udp';
  /** Host header without its port, case as received; '' when there is none. */
  readonly host: string;
  /** Port of the Host header, else the one that clients of the listener use. */
  readonly port: number;
  /** Normalized (see `normalizePath`), one char per byte, without query. */
  readonly path: string;
  /** Raw, without `?`; '' when there is none. */
  readonly query: string;
  /** Server name of the TLS handshake, or ''. */
  readonly sni: string;
  readonly srcIp: string;
  readonly srcPort: number;
  readonly dstIp: string;
  readonly dstPort: number;
  /** All values of a header, by lower-case name. */
  headerValues(name: string): readonly string[];
}

export interface Match<T> {
  readonly value: T;
  readonly routeId: string;
  /** What `strip_path` takes from the request path: the matched prefix, '' when the route has no paths. */
  readonly matchedPrefix: string;
  /** Captures of a regex path, null for others; computed when first read. */
  readonly captures: Captures | null;
}

/** A route whose regex or expression does not compile. The message is for the configuration's author. */
export class RouteError extends Error {}

export interface RouterEdit<T> {
  /** Adds the route or replaces the one with its id. @throws RouteError, and then nothing has changed. */
  put(route: Route, value: T): void;
  /** Takes the route out; unknown ids are ignored. */
  remove(routeId: string): void;
  /** The edited router. The edit ends here: another `put` throws. */
  commit(): Router<T>;
  /** The same in short steps, so that the commit of many routes need not hold up whoever else runs on this thread. */
  commitInSteps(): Steps<Router<T>>;
}

export class Router<T> {
  readonly flavor: RouterFlavor;
  /** Number of routes. */
  readonly size: number;
  /** What edits begin with. */
  readonly #hosts: HostIndex<T>;
  /** What a match reads. */
  readonly #index: FrozenIndex<T>;
  /** What is in the index, by route id. */
  readonly #routes: TrieNode<CompiledRoute<T>>;
  readonly #walker = new Walker<T>();

  private constructor(flavor: RouterFlavor, contents: Contents<T>, index: FrozenIndex<T>) {
    this.flavor = flavor;
    this.size = contents.size;
    this.#hosts = contents.hosts;
    this.#index = index;
    this.#routes = contents.routes;
  }

  static empty<T>(flavor: RouterFlavor): Router<T> {
    const nobody = {};
    const hosts = emptyHostIndex<T>(nobody, flavor === 'traditional');
    const contents = { size: 0, hosts, routes: new TrieNode<CompiledRoute<T>>(nobody, '') };
    return new Router<T>(flavor, contents, finish(freezeAnew(hosts)));
  }

  /** The route that Kong would choose, or null. Never throws. */
  match(input: RouterInput): Match<T> | null {
    const walker = this.#walker;
    const best = walker.walk(this.#index, input);
    const end = walker.isProof() ? walker.end : UNPROVEN;
    walker.clear();
    if (best === null) return null;
    return best.evaluate === null
      ? new FoundMatch(best, input.path, end)
      : expressionMatch(best, best.evaluate, input);
  }

  /** Of the route with this id; null: there is none. */
  valueOf(routeId: string): T | null {
    return lookup(this.#routes, encodeBytes(routeId))?.entries[0]?.value ?? null;
  }

  /** Starts a copy that shares what the edit does not touch. This router stays as it is. */
  edit(): RouterEdit<T> {
    const contents = { size: this.size, hosts: this.#hosts, routes: this.#routes };
    const { flavor } = this;
    const { arena } = this.#index;
    return new Edit(flavor, contents, function* (edited, changes) {
      const isMuch = changes > edited.size / MUCH;
      const index = yield* isMuch ? freezeAnew(edited.hosts) : refreeze(arena, edited.hosts);
      return new Router<T>(flavor, edited, index);
    });
  }
}

/** More changes than one for so many routes, and the edit begins a new arena. */
const MUCH = 4;

type Finish<T> = (contents: Contents<T>, changes: number) => Steps<Router<T>>;

interface Contents<T> {
  size: number;
  hosts: HostIndex<T>;
  routes: TrieNode<CompiledRoute<T>>;
}

class Edit<T> implements RouterEdit<T> {
  readonly #token: EditToken = {};
  readonly #flavor: RouterFlavor;
  readonly #contents: Contents<T>;
  readonly #finish: Finish<T>;
  #changes = 0;
  #open = true;

  constructor(flavor: RouterFlavor, contents: Contents<T>, finish: Finish<T>) {
    this.#flavor = flavor;
    this.#finish = finish;
    const hosts = ownHostIndex(contents.hosts, this.#token);
    this.#contents = { size: contents.size, hosts, routes: own(contents.routes, this.#token) };
  }

  put(route: Route, value: T): void {
    this.#assertOpen();
    const compiled = this.#compile(route, value);
    this.remove(route.id);
    addRoute(this.#contents.hosts, compiled, this.#token);
    place(this.#contents.routes, [encodeBytes(route.id)], this.#token).value = compiled;
    this.#contents.size++;
    this.#changes++;
  }

  #compile(route: Route, value: T): CompiledRoute<T> {
    try {
      return compileRoute(route, value, this.#flavor);
    } catch (error) {
      throw new RouteError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  remove(routeId: string): void {
    this.#assertOpen();
    const key = encodeBytes(routeId);
    const old = lookup(this.#contents.routes, key);
    if (old === null) return;
    removeRoute(this.#contents.hosts, old, this.#token);
    replaceValue(this.#contents.routes, [key], this.#token, () => null);
    this.#contents.size--;
    this.#changes++;
  }

  commit(): Router<T> {
    return finish(this.commitInSteps());
  }

  commitInSteps(): Steps<Router<T>> {
    this.#assertOpen();
    this.#open = false;
    return this.#finish(this.#contents, this.#changes);
  }

  #assertOpen(): void {
    if (!this.#open) throw new Error('this edit of the router is committed');
  }
}

/** The path is not ASCII, so that a walk does not say where the match of a regex ends. */
const UNPROVEN = -1;

/** A match; what costs something is computed when it is read. */
class FoundMatch<T> implements Match<T> {
  readonly #entry: Entry<T>;
  readonly #path: string;
  readonly #end: number;
  #captures: Captures | null = null;

  constructor(entry: Entry<T>, path: string, end: number) {
    this.#entry = entry;
    this.#path = path;
    this.#end = end;
  }

  get value(): T {
    return this.#entry.value;
  }

  get routeId(): string {
    return this.#entry.routeId;
  }

  get matchedPrefix(): string {
    const { prefix, regex, proven } = this.#entry;
    if (prefix !== null) return prefix;
    if (regex === null) return '';
    if (proven && this.#end !== UNPROVEN) return this.#path.slice(0, this.#end);
    return this.captures?.groups[0] ?? '';
  }

  get captures(): Captures | null {
    const { regex } = this.#entry;
    if (regex === null) return null;
    this.#captures ??= regex.exec(this.#path);
    return this.#captures;
  }
}

/** Which path predicates held is asked once more, of the winner alone. */
function expressionMatch<T>(entry: Entry<T>, evaluate: Evaluate, input: RouterInput): Match<T> {
  const trace: PathTrace = { prefix: '', regex: null };
  evaluate(input, trace);
  return new FoundMatch(
    { ...entry, prefix: trace.regex === null ? trace.prefix : null, regex: trace.regex, proven: false },
    input.path,
    0,
  );
}
