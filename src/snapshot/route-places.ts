/** Where a route stands: in the router of requests or in that of streams; and that it keeps its place when it is broken. */
import type { Route } from '../entities/route.ts';
import { RouteError, type Router, type RouterEdit } from '../router/router.ts';
import { isStreamRoute, type StreamRouter, type StreamRouterEdit } from '../router/stream-router.ts';
import { compileRoute, placeholderRoute, protocolMask } from './route-target.ts';
import type { RouteTarget, ServiceTarget } from './snapshot.ts';

export class RoutePlaces {
  readonly requests: RouterEdit<RouteTarget>;
  readonly streams: StreamRouterEdit<RouteTarget>;
  /** Why routes are broken, by id. */
  readonly #broken: Map<string, string>;
  readonly #traditional: boolean;

  constructor(
    from: { readonly router: Router<RouteTarget>; readonly streams: StreamRouter<RouteTarget> },
    broken: Map<string, string>,
  ) {
    this.requests = from.router.edit();
    this.streams = from.streams.edit();
    this.#broken = broken;
    this.#traditional = from.router.flavor === 'traditional';
  }

  remove(id: string): void {
    this.#broken.delete(id);
    this.requests.remove(id);
    this.streams.remove(id);
  }

  /** Puts the route in as it is now, or takes it out when its service is disabled. */
  put(route: Route, service: ServiceTarget | undefined): void {
    this.#broken.delete(route.id);
    const stream = isStreamRoute(route);
    if (service?.entity.enabled === false || (!stream && protocolMask(route.protocols) === 0)) {
      return this.remove(route.id);
    }
    const target = compileRoute(route, service, this.#traditional);
    if (target.broken !== null) this.#broken.set(route.id, target.broken);
    // Its protocols may have changed from one kind to the other.
    (stream ? this.requests : this.streams).remove(route.id);
    try {
      if (stream) this.streams.put(route, target);
      else this.requests.put(route, target);
    } catch (error) {
      if (!(error instanceof RouteError)) throw error;
      this.#broken.set(route.id, error.message);
      const broken = { ...target, broken: error.message };
      if (stream) this.streams.putBroken(route, broken);
      else this.requests.put(placeholderRoute(route), broken);
    }
  }
}
