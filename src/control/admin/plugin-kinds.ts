/**
 * The endpoints of the kinds that plugins bring. They come and go with plugins, which routes of the application cannot: so
 * one handler behind all others finds them in the table of now. What they do is what those of the gateway's kinds do.
 */
import { fromKinds } from '../../entities/plugin-entities.ts';
import type { Admin } from './crud/request.ts';
import { type Endpoint, pluginKindEndpoints } from './endpoints.ts';
import { rawSegments } from './query.ts';
import { type AdminApp, type Methods, respond } from './resource.ts';

type MakeMethods = (endpoint: Endpoint, admin: Admin) => Methods;

interface Found {
  readonly endpoint: Endpoint;
  readonly segments: readonly string[];
}

/** By number of segments. */
const table = fromKinds((): ReadonlyMap<number, readonly Found[]> => {
  const all = pluginKindEndpoints().map((endpoint) => ({
    endpoint,
    segments: endpoint.path.split('/').slice(1),
  }));
  return Map.groupBy(all, ({ segments }) => segments.length);
});

export function pluginKindResources(app: AdminApp, admin: Admin, methodsOf: MakeMethods): void {
  const made = new WeakMap<Endpoint, Methods>();
  app.all('*', async (context, next) => {
    const endpoint = find(rawSegments(context));
    if (endpoint === null) return await next();
    let methods = made.get(endpoint);
    if (methods === undefined) made.set(endpoint, (methods = methodsOf(endpoint, admin)));
    return await respond(context, methods, endpoint.kind);
  });
}

function find(given: readonly string[]): Endpoint | null {
  const path = given.length > 1 && given.at(-1) === '' ? given.slice(0, -1) : given;
  for (const { endpoint, segments } of table().get(path.length) ?? []) {
    if (segments.every((segment, at) => segment === path[at] || (segment.startsWith('{') && path[at] !== '')))
      return endpoint;
  }
  return null;
}
