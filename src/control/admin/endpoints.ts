/**
 * Every endpoint that Kong's Admin API has for its entities, computed from their definitions, and Sluice's own beside
 * them. It is the one table for what is registered, what `/endpoints` lists and what OpenAPI describes.
 *
 * Kong's rule: a kind E has `/E` and `/E/{E}`; for each field f of it that refers to a kind P it has `/E/{E}/f` and,
 * the other way round, `/P/{P}/E` and `/P/{P}/E/{E}`. Paths are written as `/endpoints` lists them; a placeholder has
 * the name of the kind.
 */
import { fromKinds, pluginKinds } from '../../entities/plugin-entities.ts';
import { allDefinitions, DEFINITIONS, relationsOf } from '../../entities/registry.ts';
import type { EntityDefinition } from '../../entities/schema/field.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What an endpoint does; `crud/` and `history/` have one handler for each. */
export type Shape =
  /** All of a kind: list, create. */
  | 'collection'
  /** One of a kind. */
  | 'entity'
  /** The entity that a field of another refers to: `/routes/{routes}/service`. */
  | 'foreign'
  /** Those that refer to one: `/services/{services}/routes`. */
  | 'nested-collection'
  | 'nested-entity'
  /** Targets: newest first, and all as they are stored. */
  | 'targets'
  | 'all-targets'
  | 'target'
  | 'health'
  | 'target-health'
  /** Kong Enterprise's consumer groups: one with all that is in it, and memberships from either side. */
  | 'group'
  | 'members'
  | 'member'
  | 'tags'
  | 'tag'
  /** WebAssembly is off. */
  | 'wasm'
  /** Kong lists the path and answers 404. */
  | 'disabled'
  | 'transactions'
  | 'revisions'
  | 'revision'
  | 'diff'
  | 'restore'
  | 'events';

/** The reference that a path goes along: field `field` of `holder` refers to a `target`. */
export interface Along {
  readonly holder: string;
  readonly field: string;
  readonly target: string;
}

export interface Endpoint {
  /** `/services/{services}/routes/{routes}` */
  readonly path: string;
  readonly shape: Shape;
  readonly methods: readonly Method[];
  /** Kind of the entities in its bodies and answers; null where there is none. */
  readonly kind: string | null;
  readonly along: Along | null;
  /** Half a sentence for documents. */
  readonly summary: string;
}

const COLLECTION: readonly Method[] = ['GET', 'POST'];
const ENTITY: readonly Method[] = ['GET', 'PUT', 'PATCH', 'DELETE'];

/** The path segment of a kind: `key-sets` of key_sets. */
export function apiName(definition: EntityDefinition): string {
  return definition.admin_api_name ?? definition.name;
}

function nestedName(definition: EntityDefinition): string {
  return definition.admin_api_nested_name ?? apiName(definition);
}

/** @param kinds whose endpoints are wanted, among all that there are. */
export function entityEndpoints(
  definitions: readonly EntityDefinition[] = DEFINITIONS,
  kinds: readonly EntityDefinition[] = definitions,
): Endpoint[] {
  const shown = definitions.filter((one) => one.generate_admin_api !== false);
  const byName = new Map(shown.map((definition) => [definition.name, definition]));
  const wanted = new Set(kinds);
  return shown
    .filter((one) => wanted.has(one))
    .flatMap((definition) => {
      const related = relationsOf(definition).flatMap(({ name, field }) => {
        const target = byName.get(field.reference);
        return target === undefined ? [] : relationEndpoints(definition, name, target);
      });
      return ownEndpoints(definition).concat(related);
    });
}

function ownEndpoints(definition: EntityDefinition): Endpoint[] {
  const { name } = definition;
  const base = `/${apiName(definition)}`;
  return [
    special({
      path: base,
      shape: 'collection',
      methods: COLLECTION,
      kind: name,
      along: null,
      summary: `all ${name}, or a new one`,
    }),
    special({
      path: `${base}/{${name}}`,
      shape: 'entity',
      methods: ENTITY,
      kind: name,
      along: null,
      summary: `one of the ${name}, by id${definition.endpoint_key === undefined ? '' : ` or ${definition.endpoint_key}`}`,
    }),
  ];
}

function relationEndpoints(holder: EntityDefinition, field: string, target: EntityDefinition): Endpoint[] {
  const along: Along = { holder: holder.name, field, target: target.name };
  const below = `/${apiName(target)}/{${target.name}}/${nestedName(holder)}`;
  const shared = { kind: holder.name, along };
  return [
    special({
      path: `/${apiName(holder)}/{${holder.name}}/${field}`,
      shape: 'foreign',
      methods: ENTITY,
      kind: target.name,
      along,
      summary: `what field ${field} of one of the ${holder.name} refers to`,
    }),
    special({
      ...shared,
      path: below,
      shape: 'nested-collection',
      methods: COLLECTION,
      summary: `the ${holder.name} whose ${field} is this one, or a new one`,
    }),
    ...(holder.name === 'targets' ? [allTargets(below, along)] : []),
    special({
      ...shared,
      path: `${below}/{${holder.name}}`,
      shape: 'nested-entity',
      methods: ENTITY,
      summary: `one of the ${holder.name} whose ${field} is this one`,
    }),
  ];
}

function allTargets(below: string, along: Along): Endpoint {
  const summary = 'the targets of an upstream in the order of their ids';
  return { path: `${below}/all`, shape: 'all-targets', methods: ['GET'], kind: 'targets', along, summary };
}

/** Where Kong departs from its own rule. */
function special(endpoint: Endpoint): Endpoint {
  const { path, kind, along, shape } = endpoint;
  if (kind === 'filter_chains' || along?.holder === 'filter_chains') {
    return { ...endpoint, shape: 'wasm', summary: 'only with WebAssembly, which is off' };
  }
  if (path.startsWith('/targets') || path === '/snis/{snis}/certificate') {
    return { ...endpoint, shape: 'disabled', summary: 'not available' };
  }
  if (path === '/consumer_groups/{consumer_groups}') {
    const summary = 'one of the consumer_groups, by id or name; GET answers its consumers and plugins too';
    return { ...endpoint, shape: 'group', summary };
  }
  if (kind === 'targets' && shape === 'nested-collection') return { ...endpoint, shape: 'targets' };
  if (kind === 'targets') return { ...endpoint, shape: 'target' };
  return endpoint;
}

function other(path: string, shape: Shape, methods: readonly Method[], summary: string): Endpoint {
  return { path, shape, methods, kind: null, along: null, summary };
}

/** The kind beyond a membership, seen from `target`. */
function memberships(field: string, target: string, kind: string): Endpoint[] {
  const along: Along = { holder: 'consumer_group_consumers', field, target };
  const path = `/${target}/{${target}}/${kind}`;
  const name = kind === 'consumers' ? 'consumer' : 'group';
  return [
    {
      path,
      shape: 'members',
      methods: ['GET', 'POST', 'DELETE'],
      kind,
      along,
      summary: `the ${kind} of one of the ${target}; POST {"${name}": …} adds one, DELETE takes all out`,
    },
    {
      path: `${path}/{${kind}}`,
      shape: 'member',
      methods: ['GET', 'DELETE'],
      kind,
      along,
      summary: `one of the ${kind} of one of the ${target}; DELETE takes it out`,
    },
  ];
}

/** What is found out about targets. */
function health(): Endpoint[] {
  const along: Along = { holder: 'targets', field: 'upstream', target: 'upstreams' };
  const base = '/upstreams/{upstreams}';
  const told = [`${base}/targets/{targets}`, `${base}/targets/{targets}/{address}`].flatMap((path) =>
    ['healthy', 'unhealthy'].map((state): Endpoint => {
      const summary = `takes a target for ${state}, where its upstream has health checks`;
      return {
        path: `${path}/${state}`,
        shape: 'target-health',
        methods: ['PUT'],
        kind: 'targets',
        along,
        summary,
      };
    }),
  );
  const summary = 'the targets of an upstream with their health; `balancer_health=1` sums it up';
  return [
    { path: `${base}/health`, shape: 'health', methods: ['GET'], kind: 'targets', along, summary },
    ...told,
  ];
}

const OTHERS: readonly Endpoint[] = [
  ...health(),
  ...memberships('consumer_group', 'consumer_groups', 'consumers'),
  ...memberships('consumer', 'consumers', 'consumer_groups'),
  other('/tags', 'tags', ['GET'], 'all tags with the entities that have them'),
  other('/tags/{tags}', 'tag', ['GET'], 'the entities with a tag'),
  other('/routes/{routes}/filters/all', 'wasm', ['GET'], 'only with WebAssembly, which is off'),
  other('/routes/{routes}/filters/disabled', 'wasm', ['GET'], 'only with WebAssembly, which is off'),
  other('/routes/{routes}/filters/enabled', 'wasm', ['GET'], 'only with WebAssembly, which is off'),
  other('/transactions', 'transactions', ['POST'], 'many writes as one commit, or none of them'),
  other('/revisions', 'revisions', ['GET'], 'the commits, newest first'),
  other('/revisions/{revision}', 'revision', ['GET'], 'one commit: who, when, why'),
  other('/revisions/{revision}/diff', 'diff', ['GET'], 'what a commit changed'),
  other('/revisions/{revision}/restore', 'restore', ['POST'], 'makes the state that of a commit again'),
  other('/events', 'events', ['GET'], 'commits as they happen (server-sent events)'),
];

/** Kong Enterprise's paths for keys of key-auth-enc, which are those of key-auth here. */
function keyauthEnc(): Endpoint[] {
  const name = 'keyauth_credentials';
  return entityEndpoints()
    .filter(({ kind, along }) => kind === name || along?.holder === name)
    .map((endpoint) =>
      Object.assign({}, endpoint, {
        path: endpoint.path.replace(/\/key-auth(s?)(?=\/|$)/, '/key-auth$1-enc'),
      }),
    );
}

export const ENDPOINTS: readonly Endpoint[] = [...entityEndpoints(), ...keyauthEnc(), ...OTHERS];

/** Those of kinds that plugins bring: they come and go. */
export const pluginKindEndpoints = fromKinds((): readonly Endpoint[] => {
  const kinds = pluginKinds()
    .values()
    .map(({ definition }) => definition);
  return entityEndpoints(allDefinitions(), [...kinds]);
});

/** Kong's order: by segments, so that `/a/z` comes before `/ab`. */
export function comparePaths(a: string, b: string): number {
  const x = a.replaceAll('/', '\u0000');
  const y = b.replaceAll('/', '\u0000');
  if (x === y) return 0;
  return x < y ? -1 : 1;
}

/** As Hono writes it. */
export function honoPath({ path }: Endpoint): string {
  return path.replaceAll(/\{([^}]*)\}/g, ':$1');
}
