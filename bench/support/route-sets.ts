/** Sets of routes for the benchmarks: their configuration, and requests spread over them. */
import type { KongConfig } from '../../test/support/gateway.ts';

export interface RouteSet {
  readonly count: number;
  config(upstreamPort: number): KongConfig;
  /** The same with the first `count` routes changed in something that does not show in an answer. */
  changed(upstreamPort: number, count: number): KongConfig;
  /** Request targets, one route after the other in a mixed order, each with segments of its own. */
  targets(count: number): string[];
}

type KongRoute = Readonly<Record<string, unknown>>;

function routeSet(
  routes: readonly KongRoute[],
  target: (route: number, request: number) => string,
): RouteSet {
  const config = (upstreamPort: number, list: readonly KongRoute[]): KongConfig => ({
    _format_version: '3.0',
    services: [{ name: 'upstream', url: `http://127.0.0.1:${upstreamPort}`, routes: list }],
  });
  return {
    count: routes.length,
    config: (upstreamPort) => config(upstreamPort, routes),
    changed: (upstreamPort, count) =>
      config(
        upstreamPort,
        routes.map((route, index) => (index < count ? { ...route, preserve_host: true } : route)),
      ),
    targets: (count) => {
      // A step that shares no factor with the number of routes visits them all before any comes again.
      const step = 7919;
      return Array.from({ length: count }, (_, request) => target((request * step) % routes.length, request));
    },
  };
}

/** Routes `/service-N/items`, each a prefix of its own. */
export function manyPaths(count: number): RouteSet {
  const routes = Array.from({ length: count }, (_, n) => ({
    name: `route-${n}`,
    paths: [`/service-${n}/items`],
    strip_path: false,
  }));
  return routeSet(routes, (route, request) => `/service-${route}/items/${request}?page=2`);
}

export function largeApi(): RouteSet {
  return manyPaths(609);
}
