/** What a segment of a path names: an entity by id, or by its kind's endpoint key; with Kong's refusals. */
import { randomUUID } from 'node:crypto';
import type { EntityDefinition, Values } from '../../../entities/schema/field.ts';
import { isUuid } from '../../../entities/schema/string-check.ts';
import { toldValue } from '../../../entities/secrets.ts';
import { EntityValidator } from '../../../entities/schema/validate.ts';
import type { ConfigStore, Parent, Selector } from '../../../store/config-store.ts';
import { CODES, luaTable, missingEntity, StoreError } from '../../../store/errors.ts';
import { definitionOf } from '../kinds.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';

const keyValidators = new WeakMap<EntityDefinition, Map<string, EntityValidator>>();

/** @throws StoreError code 10, when no entity can have this key, and code 1, when only an id will do. */
export function selectorOf(kind: string, segment: string): Selector {
  if (isUuid(segment)) return { id: segment };
  const definition = definitionOf(kind);
  const { endpoint_key: key } = definition;
  if (key === undefined) {
    const fields = { id: 'expected a valid UUID' };
    throw new StoreError(CODES.invalidPrimaryKey, `invalid primary key: '${luaTable(fields)}'`, { fields });
  }
  checkUnique(definition, key, segment);
  return { key: segment };
}

/** @throws StoreError code 10 */
export function checkUnique(definition: EntityDefinition, field: string, value: string): void {
  const name = `${definition.name} ${field}`;
  let validators = keyValidators.get(definition);
  if (validators === undefined) keyValidators.set(definition, (validators = new Map()));
  let validator = validators.get(field);
  if (validator === undefined) {
    const description = definition.fields[field];
    if (description === undefined) throw new Error(`there is no field ${name}`);
    validator = new EntityValidator({ name, fields: { [field]: description } });
    validators.set(field, validator);
  }
  const { issues } = validator.validate(
    { input: { [field]: value } },
    { flavor: 'traditional_compatible', now: 0 },
  );
  const [issue] = issues ?? [];
  if (issue === undefined) return;
  throw new StoreError({ ...CODES.invalidUnique, kind: `invalid unique ${field}` }, issue.message);
}

export interface Named {
  readonly select: Selector;
  /** A name that is no key of the kind: a certificate's SNI, a group of a consumer. */
  readonly alias: string | null;
}

/**
 * Certificates go by their SNIs, and a consumer's groups by their names.
 * @param creates the request makes what is not there (PUT).
 * @throws RequestError, StoreError
 */
export function nameOf(store: ConfigStore, kind: string, segment: string, creates: boolean): Named {
  if (kind !== 'certificates' || isUuid(segment)) return { select: selectorOf(kind, segment), alias: null };
  const sni = store.get('snis', selectorOf('snis', segment));
  if (sni !== null) return { select: sni['certificate'] as Selector, alias: segment };
  if (!creates) throw new RequestError(404, 'SNI not found');
  return { select: { id: randomUUID() }, alias: segment };
}

export function nestedNameOf(
  store: ConfigStore,
  kind: string,
  segment: string,
  options: { readonly within: Parent; readonly creates: boolean },
): Named {
  const { within, creates } = options;
  if (kind !== 'acls' || isUuid(segment)) {
    return { select: { ...selectorOf(kind, segment), within }, alias: null };
  }
  const found = findGroup(store, within, segment);
  if (found === null && !creates) throw notFoundAnswer();
  return { select: { id: found ?? randomUUID(), within }, alias: segment };
}

function findGroup(store: ConfigStore, within: Parent, group: string): string | null {
  let after: string | null = null;
  do {
    const { entities, next } = store.page('acls', { size: 1000, after, within });
    const found = entities.find((acl) => acl['group'] === group);
    if (found !== undefined) return String(found['id']);
    after = next;
  } while (after !== null);
  return null;
}

/** @throws RequestError 404 */
export function existing(store: ConfigStore, kind: string, select: Selector): Values {
  const entity = store.get(kind, select);
  if (entity === null) throw notFoundAnswer();
  return entity;
}

/** Kong's code 6 for a PATCH of what is not there. */
export function missing(kind: string, { id, key }: Selector): StoreError {
  if (id !== undefined) return missingEntity('id', id);
  const definition = definitionOf(kind);
  const name = definition.endpoint_key ?? 'id';
  return missingEntity(name, toldValue(definition, name, key ?? ''));
}
