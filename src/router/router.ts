/**
 * The router: a request's method, host, path and headers to the route that Kong would choose.
 */
import type { Route } from '../entities/route.ts';
import type { Captures } from './regex.ts';

export type RouterFlavor = 'traditional_compatible' | 'expressions' | 'traditional';

/**
 * What a match reads of a request. Cheap to implement on the exchange: `headerValues`, `query` and the addresses are
 * only read when some candidate needs them.
 */
export interface RouterInput {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host header without its port, case as received; '' when there is none. */
  readonly host: string;
  /** Port of the Host header, else the listener's. */
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
}

export class Router<T> {
  readonly flavor: RouterFlavor;
  readonly size: number;

  private constructor(flavor: RouterFlavor, size: number) {
    this.flavor = flavor;
    this.size = size;
  }

  static empty<T>(flavor: RouterFlavor): Router<T> {
    return new Router<T>(flavor, 0);
  }

  match(_input: RouterInput): Match<T> | null {
    return null;
  }

  edit(): RouterEdit<T> {
    return { put: () => undefined, remove: () => undefined, commit: () => this };
  }
}
