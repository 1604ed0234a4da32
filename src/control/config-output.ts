/** A configuration image in Kong's output forms: the answer of `POST /config`, and the file of `GET /config`. */
import { dump } from 'js-yaml';
import { fromKinds } from '../entities/plugin-entities.ts';
import { allDefinitions, relationsOf } from '../entities/registry.ts';
import type { Values } from '../entities/schema/field.ts';
import { readImage } from '../snapshot/image.ts';
import { PRINT_SCHEMA } from '../store/file/yaml-schema.ts';

/** `{"routes":{"<id>":{…}},"services":{…}}` with every field, unset ones null; kinds without entities are left out. */
export function entitiesJson(image: SharedArrayBuffer): string {
  const kinds = byKind(image, (entity) => `${JSON.stringify(entity['id'])}:${JSON.stringify(entity)}`);
  return `{${kinds.map(([kind, list]) => `${JSON.stringify(kind)}:{${list.join(',')}}`).join(',')}}`;
}

/** The answer of `GET /config`. */
export function configYaml(image: SharedArrayBuffer | null): string {
  return dump(declarativeFile(image), { schema: PRINT_SCHEMA });
}

/**
 * A declarative file as Kong exports one: flat, references as ids, unset fields left out, `_transform` off since
 * nothing is to be hashed a second time.
 */
function declarativeFile(image: SharedArrayBuffer | null): Values {
  const kinds = image === null ? [] : byKind(image, exported);
  return { _format_version: '3.0', _transform: false, ...Object.fromEntries(kinds) };
}

/** Kinds by name. */
function byKind<T>(
  image: SharedArrayBuffer,
  print: (entity: Values, kind: string) => T,
): Array<[kind: string, list: T[]]> {
  const kinds = new Map<string, T[]>();
  for (const { kind, entity } of readImage(image).entities()) {
    let list = kinds.get(kind);
    if (list === undefined) kinds.set(kind, (list = []));
    list.push(print(entity, kind));
  }
  return [...kinds].sort(([a], [b]) => (a < b ? -1 : 1));
}

const allReferences = fromKinds(
  (): ReadonlyMap<string, ReadonlySet<string>> =>
    new Map(
      allDefinitions().map((definition) => [
        definition.name,
        new Set(relationsOf(definition).map(({ name }) => name)),
      ]),
    ),
);

function exported(entity: Values, kind: string): Values {
  const references = allReferences().get(kind);
  return Object.fromEntries(
    Object.entries(entity)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [
        name,
        references?.has(name) === true ? (value as Values)['id'] : withoutNulls(value),
      ]),
  );
}

/** Unset fields of records, too, are left out. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]: [string, unknown]) => [name, withoutNulls(inner)]),
  );
}
