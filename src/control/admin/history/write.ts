/**
 * One write of a transaction as it is sent: `{"op", "kind", "id" or "key", "entity"}`, or with the `path` that it would
 * have as a request of its own. A path may begin with a parent, which is then referred to; what the transaction has made
 * before counts. `"stored": true` says that secrets in it are hashed already, as an export has them.
 */
import { fromKinds } from '../../../entities/plugin-entities.ts';
import { isRecordKind } from '../../../entities/registry.ts';
import type { Values } from '../../../entities/schema/field.ts';
import { isUuid } from '../../../entities/schema/string-check.ts';
import type { Selector, Write } from '../../../store/config-store.ts';
import { selectorOf } from '../crud/select.ts';
import { type Along, ENDPOINTS, type Endpoint, pluginKindEndpoints } from '../endpoints.ts';
import { definitionOf } from '../kinds.ts';
import { RequestError } from '../request-error.ts';

const OPS: ReadonlySet<unknown> = new Set(['create', 'put', 'patch', 'delete']);
const FIELDS: ReadonlySet<string> = new Set(['op', 'kind', 'path', 'id', 'key', 'entity', 'stored']);
const ONE = new Set(['entity', 'nested-entity', 'target', 'group', 'member']);
const ALL = new Set(['collection', 'nested-collection', 'targets', 'members']);

const shapeOf = (segments: readonly string[]): string =>
  segments.map((segment, index) => (index % 2 === 1 ? '*' : segment)).join('/');

const endpoints = fromKinds(() => [...ENDPOINTS, ...pluginKindEndpoints()]);

const byPath = fromKinds(
  () =>
    new Map(
      endpoints()
        .filter(({ shape }) => ONE.has(shape) || ALL.has(shape))
        .map((endpoint) => [shapeOf(endpoint.path.split('/').slice(1)), endpoint]),
    ),
);

const kinds = fromKinds(
  () =>
    new Set(
      endpoints()
        .filter(({ shape }) => ONE.has(shape))
        .map(({ kind }) => kind),
    ),
);

/** @throws RequestError for what no commit can have. */
function checkConfiguration(kind: string): void {
  if (isRecordKind(kind)) refuse(`${kind} are no configuration: a transaction cannot write them`);
}

interface Place {
  readonly kind: string;
  readonly select: Selector | null;
  /** The reference that the path begins with. */
  readonly owned: Values;
}

function refuse(message: string): never {
  throw new RequestError(400, message);
}

/** @throws RequestError, StoreError */
export function parseWrite(value: unknown): Write {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('expected an object');
  const given = value as Values;
  for (const name of Object.keys(given)) if (!FIELDS.has(name)) refuse(`unknown field '${name}'`);
  const { op, entity, stored = false } = given;
  if (!OPS.has(op)) refuse("'op' must be create, put, patch or delete");
  if (typeof stored !== 'boolean') refuse("'stored' is true or false");
  const { kind, select, owned } = Object.hasOwn(given, 'path') ? placeOf(given['path']) : named(given);
  if (op === 'create' && select !== null) refuse('a creation names no entity');
  if (op !== 'create' && select === null) refuse('which entity? Say its id or key');
  if (op === 'delete') {
    if (entity !== undefined) refuse('a deletion has no entity');
    return { op, kind, select: select ?? {} };
  }
  if (typeof entity !== 'object' || entity === null || Array.isArray(entity))
    refuse("'entity' must be an object");
  const input = { ...(entity as Values), ...owned };
  if (op === 'create') return { op, kind, input, stored };
  return { op: op as 'put' | 'patch', kind, select: select ?? {}, input, stored };
}

function named({ kind, id, key }: Values): Place {
  if (typeof kind !== 'string' || !kinds().has(kind))
    refuse("'kind' must be a kind of entity, or 'path' a path");
  checkConfiguration(kind);
  if (id !== undefined && key !== undefined) refuse("either 'id' or 'key'");
  const name = id ?? key;
  if (name === undefined) return { kind, select: null, owned: {} };
  if (typeof name !== 'string' || name === '') refuse("'id' and 'key' are texts");
  if (id === undefined) return { kind, select: { key: name }, owned: {} };
  return isUuid(id) ? { kind, select: { id }, owned: {} } : refuse("'id' must be a UUID");
}

function placeOf(path: unknown): Place {
  if (typeof path !== 'string') refuse("'path' must be a text");
  const segments = path.replace(/^\//, '').replace(/\/$/, '').split('/').map(decode);
  const endpoint = byPath().get(shapeOf(segments));
  if (endpoint?.kind === undefined || endpoint.kind === null)
    refuse(`there is no path '${path}' to write to`);
  checkConfiguration(endpoint.kind);
  if (endpoint.shape === 'member' || endpoint.shape === 'members')
    return membership(endpoint.along, segments);
  const { kind } = endpoint;
  const last = segments.at(-1) ?? '';
  if (endpoint.along === null) {
    return { kind, select: segments.length === 1 ? null : selectorOf(kind, last), owned: {} };
  }
  return within(endpoint.along, kind, segments);
}

function within(along: NonNullable<Endpoint['along']>, kind: string, segments: readonly string[]): Place {
  const { field, target } = along;
  const [, parent = '', , name] = segments;
  const key = definitionOf(target).endpoint_key;
  if (!isUuid(parent) && key === undefined) refuse(`name the one of the ${target} by its id`);
  const reference = isUuid(parent) ? { id: parent } : { [key ?? '']: parent };
  const owned = { [field]: reference };
  if (name === undefined) return { kind, select: null, owned };
  if (!isUuid(parent)) refuse(`name the one of the ${target} by its id`);
  const select = isUuid(name) || kind !== 'targets' ? selectorOf(kind, name) : { key: name };
  return { kind, select: { ...select, within: { field, id: parent.toLowerCase() } }, owned };
}

/** `/consumer_groups/{id}/consumers[/{id}]`, or from the other side. A membership is named by its two ends. */
function membership(along: Along | null, [, parent = '', , name]: readonly string[]): Place {
  if (along === null || !isUuid(parent) || (name !== undefined && !isUuid(name)))
    refuse('name consumers and their groups by their ids');
  const ends = { [along.field]: { id: parent.toLowerCase() } };
  if (name === undefined) return { kind: along.holder, select: null, owned: ends };
  const field = along.field === 'consumer' ? 'consumer_group' : 'consumer';
  const owned: Record<string, { readonly id: string }> = { ...ends, [field]: { id: name.toLowerCase() } };
  const within = { field: 'consumer_group', id: owned['consumer_group']?.id ?? '' };
  return { kind: along.holder, select: { key: owned['consumer']?.id ?? '', within }, owned };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return refuse('the path is not valid UTF-8');
  }
}
