/**
 * The endpoints beside the entities', as a pure table: what is registered (`special.ts` has a handler for each), what
 * OpenAPI describes and what the reference page lists. Paths are written as Kong's `/endpoints` lists them.
 */
import type { Method } from './endpoints.ts';

export interface ApiEndpoint {
  /** `/schemas/{name}` */
  readonly path: string;
  readonly methods: readonly Method[];
  /** Kind of the entities in bodies and answers; null where there is none. */
  readonly kind: string | null;
  /** What it answers: one entity, a page of them, or something of its own. */
  readonly answers: 'entity' | 'page' | 'other';
  /** The only member of a body that is no entity. */
  readonly bodyField?: string;
  /** Half a sentence for documents. */
  readonly summary: string;
}

function other(path: string, methods: readonly Method[], summary: string): ApiEndpoint {
  return { path, methods, kind: null, answers: 'other', summary };
}

/** Literal paths stand before those that would match them too. */
export const SPECIAL_ENDPOINTS: readonly ApiEndpoint[] = [
  other('/', ['GET'], 'what this node is, and its settings'),
  other('/robots.txt', ['GET'], 'tells crawlers to stay away'),
  other('/openapi.json', ['GET'], 'this API as an OpenAPI document'),
  other('/endpoints', ['GET'], 'every path of this API'),
  other('/status', ['GET'], 'connections, memory, what each worker serves'),
  other('/status/dns', ['GET'], 'statistics of the DNS client'),
  other('/timers', ['GET'], 'timers of the main thread'),
  other('/config', ['GET', 'POST'], 'the whole configuration as a declarative file, without a database'),
  other('/schemas/plugins/validate', ['POST'], 'whether the body is a valid plugin'),
  other('/schemas/vaults/validate', ['POST'], 'whether the body is a valid vault'),
  other('/schemas/plugins/{name}', ['GET'], 'the schema of a plugin'),
  other('/schemas/vaults/{name}', ['GET'], 'the schema of a kind of vault'),
  other('/schemas/filters/{name}', ['GET'], 'the schema of a WebAssembly filter'),
  other('/schemas/{name}/validate', ['POST'], 'whether the body is a valid entity of the kind'),
  other('/schemas/{name}', ['GET'], 'the schema of a kind of entity'),
  other('/plugins/enabled', ['GET'], 'the names of the plugins that may be used'),
  other('/plugins/schema/{name}', ['GET'], "the schema of a plugin's configuration (deprecated)"),
  other('/plugins/{id}/cost', ['GET'], 'what the calls of a plugin cost: how many, mean and 99th percentile'),
  other('/metrics', ['GET'], 'metrics of plugins and of the health of targets, as Prometheus reads them'),
  other('/cache', ['DELETE'], 'forgets cached rows'),
  other('/cache/{key}', ['GET', 'DELETE'], 'one cached row'),
  other('/debug/node/log-level', ['GET'], 'the log level'),
  other('/debug/node/log-level/{level}', ['PUT'], 'another log level for a time'),
  other(
    '/debug/cluster/log-level/{level}',
    ['PUT'],
    'another log level for a time, on all nodes of the database',
  ),
  other('/jwt-signer/jwks/{name}', ['GET'], 'the public keys of a key set, as a JWK set'),
  other('/clustering/data-planes', ['GET'], 'data planes of this control plane'),
  other('/clustering/status', ['GET'], 'data planes of this control plane (deprecated)'),
];
