/** Sets of routes for the benchmarks: their configuration, and requests spread over all of them. */
import type { KongConfig } from '../../test/support/gateway.ts';
import {
  manyRequestFor,
  manyRoutes,
  requestFor,
  restRoutes,
  type PlainRequest,
  type PlainRoute,
} from './rest-routes.ts';

export interface RouteSet {
  readonly count: number;
  config(upstreamPort: number): KongConfig;
  /** The same with the first `count` routes changed in something that does not show in an answer. */
  changed(upstreamPort: number, count: number): KongConfig;
  /** Requests for one route after the other in a mixed order, each with path segments of its own. */
  requests(count: number): PlainRequest[];
}

/** Shares no factor with the numbers of routes used: steps of it visit all before any comes again. */
const STEP = 7919;

/** Repeatable: the same numbers in every run (a linear congruential generator). */
function generator(): () => number {
  let seed = 42;
  return () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return seed / 0x8000_0000;
  };
}

function routeSet(
  routes: readonly PlainRoute[],
  request: (route: number, rand: () => number) => PlainRequest,
): RouteSet {
  const configure = (port: number, changed: number): KongConfig => ({
    _format_version: '3.0',
    services: [
      {
        name: 'upstream',
        url: `http://127.0.0.1:${port}`,
        routes: routes.map((route, index) => ({
          ...route,
          strip_path: false,
          preserve_host: index < changed,
        })),
      },
    ],
  });
  return {
    count: routes.length,
    config: (port) => configure(port, 0),
    changed: configure,
    requests: (count) => {
      const rand = generator();
      return Array.from({ length: count }, (_, index) => request((index * STEP) % routes.length, rand));
    },
  };
}

/** The shape of a large REST API. */
export function restRouteSet(): RouteSet {
  return routeSet(restRoutes(), requestFor);
}

/** Any number of routes over many hosts and prefixes. */
export function manyRouteSet(count: number): RouteSet {
  return routeSet(manyRoutes(count), manyRequestFor);
}
