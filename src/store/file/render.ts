/** Errors of a declarative file for people and for Kong's clients. */
import { ENTITY, type FieldsTree, fieldsTree, type Segment } from '../../entities/schema/issue.ts';
import { shorten } from './bounds.ts';
import type { DeclarativeError, DeclarativeErrorEntity } from './declarative.ts';

/** One line each: `kong.yml:12:5: services[0].port: expected an integer`. */
export function renderErrors(errors: readonly DeclarativeError[], filename: string): string[] {
  return errors.map(({ line, column, path, message }) => {
    const place = line === null ? filename : `${filename}:${line}:${column ?? 1}`;
    return `${place}: ${printable(path === '' ? message : shorten(`${path}: ${message}`))}`;
  });
}

/** Paths and messages quote the file: what would break the line or steer a terminal is written as JSON may write it. */
function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Kong's `fields`: messages by entity kind, index and field (arrays with null holes; `@entity` lists). */
export function errorFields(errors: readonly DeclarativeError[]): FieldsTree {
  if (errors.every(({ kind }) => kind === 'syntax')) return { error: errors.map(syntaxText).join('; ') };
  return fieldsTree(errors);
}

/** The tree has no place for lines, and this is the one error that has no other place. */
function syntaxText({ line, column, message }: DeclarativeError): string {
  return line === null ? message : `${message} at line ${line}, column ${column ?? 1}`;
}

export interface FlattenedError {
  /** Singular: `route`. */
  readonly entity_type: string;
  readonly entity_id?: string;
  readonly entity_name?: string;
  readonly entity_tags?: readonly string[];
  readonly entity: Readonly<Record<string, unknown>>;
  readonly errors: ReadonlyArray<
    | { readonly type: 'entity'; readonly message: string }
    | { readonly type: 'field'; readonly field: string; readonly message: string }
  >;
}

/** Kong's `flattened_errors`: one object for each entity that has errors. Errors outside entities are not in it. */
export function flattenErrors(errors: readonly DeclarativeError[]): FlattenedError[] {
  const groups = new Map<DeclarativeErrorEntity, Array<FlattenedError['errors'][number]>>();
  for (const { entity, at, message } of errors) {
    if (entity === undefined) continue;
    let group = groups.get(entity);
    if (group === undefined) groups.set(entity, (group = []));
    const field = fieldText(at.slice(entity.depth));
    group.push(field === '' ? { type: 'entity', message } : { type: 'field', field, message });
  }
  return Array.from(groups, ([entity, list]) => flattened(entity, list));
}

/** Joined by dots, positions from 1, map keys left out. */
function fieldText(at: readonly Segment[]): string {
  const words: string[] = [];
  for (const segment of at) {
    if (typeof segment === 'number') words.push(String(segment + 1));
    else if (typeof segment === 'string' && segment !== ENTITY) words.push(segment);
  }
  return words.join('.');
}

function flattened(from: DeclarativeErrorEntity, errors: FlattenedError['errors']): FlattenedError {
  const { type, id, name, tags, entity } = from;
  return {
    entity_type: type.replace(/s$/, ''),
    ...(id === null ? {} : { entity_id: id }),
    ...(name === null ? {} : { entity_name: name }),
    ...(tags === null ? {} : { entity_tags: tags }),
    entity,
    errors,
  };
}
