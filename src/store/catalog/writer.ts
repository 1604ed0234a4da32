/**
 * Writes on a catalog, within its transaction: validation, what must be unique, what must exist, what goes along.
 *
 * What the transaction has done so far counts for the next write. Every change is recorded with what was before, so
 * that the log can tell and undo it.
 */
import { notYet } from '../../entities/not-yet.ts';
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import type { Issue } from '../../entities/schema/issue.ts';
import type { Selector, Write, WriteResult } from '../config-store.ts';
import {
  missingForeign,
  notFound,
  primaryKeyViolation,
  referencedBy,
  referencedByOthers,
  schemaViolation,
  uniqueViolation,
} from '../errors.ts';
import { mergePatch, resolveReferences } from './inputs.ts';
import { kindIndex, referencedIds, referenceOf, type KindIndex } from './kind-index.ts';
import type { Recorder } from './recorder.ts';
import type { Rows } from './rows.ts';

/** Children looked at together when their parent goes. */
const CHILDREN = 256;

interface Prepared {
  readonly entity: Record<string, unknown>;
  /** Names of a certificate's SNIs, when the input says them. */
  readonly snis: readonly string[] | null;
}

/** What a write says. */
interface Given {
  readonly input: Values;
  /** Its secrets are hashed already. */
  readonly asStored: boolean;
}

export class Writer {
  readonly #rows: Rows;
  readonly #recorder: Recorder;
  readonly #context: CheckContext;

  constructor(rows: Rows, recorder: Recorder, context: CheckContext) {
    this.#rows = rows;
    this.#recorder = recorder;
    this.#context = context;
  }

  /** @throws StoreError */
  apply(write: Write): WriteResult {
    switch (write.op) {
      case 'create':
        return this.#create(write.kind, write.input, write.stored === true);
      case 'put':
        return this.#put(write);
      case 'patch':
        return this.#patch(write);
      default:
        return this.#delete(write.kind, write.select);
    }
  }

  /** An entity whose time is over. */
  removeExpired(kind: string, id: string): void {
    const stored = this.#rows.raw(kind, id);
    if (stored !== null) this.#remove(kind, stored);
  }

  #create(name: string, input: Values, asStored = false): WriteResult {
    const kind = kindIndex(name);
    const prepared = this.#prepare(kind, { input, asStored }, {}, null);
    const id = String(prepared.entity['id']);
    // One that was generated is new.
    if (Object.hasOwn(input, 'id') && this.#rows.has(name, id)) throw primaryKeyViolation(id);
    return { entity: this.#store(kind, null, prepared), happened: true };
  }

  #put({ kind: name, select, input, stored: asStored = false }: Write & { op: 'put' }): WriteResult {
    const kind = kindIndex(name);
    const overrides: Record<string, unknown> = {};
    if (select.within != null) overrides[select.within.field] = { id: select.within.id };
    const stored = this.#stored(name, select);
    if (select.id !== undefined) {
      overrides['id'] = select.id.toLowerCase();
      // Another parent's: this one does not have it, and it is not for the taking.
      if (stored === null && this.#rows.has(name, select.id.toLowerCase())) throw notFound({ id: select.id });
    } else {
      if (kind.definition.endpoint_key !== undefined) overrides[kind.definition.endpoint_key] = select.key;
      if (stored !== null) overrides['id'] = stored['id'];
    }
    const prepared = this.#prepare(kind, { input, asStored }, overrides, null);
    return { entity: this.#store(kind, stored, prepared), happened: stored === null };
  }

  #patch({ kind: name, select, input, stored: asStored = false }: Write & { op: 'patch' }): WriteResult {
    const kind = kindIndex(name);
    const stored = this.#stored(name, select);
    if (stored === null)
      throw notFound(select.id === undefined ? { key: select.key ?? '' } : { id: select.id });
    const id = Object.hasOwn(input, 'id') ? input['id'] : null;
    if (id !== null && (typeof id !== 'string' || id.toLowerCase() !== stored['id'])) {
      throw schemaViolation([{ at: ['id'], message: 'immutable field cannot be updated' }]);
    }
    const prepared = this.#prepare(kind, { input, asStored }, { id: stored['id'] }, stored);
    return { entity: this.#store(kind, stored, prepared), happened: false };
  }

  #delete(name: string, select: Selector): WriteResult {
    const stored = this.#stored(name, select);
    if (stored === null) return { entity: null, happened: false };
    this.#remove(name, stored);
    return { entity: null, happened: true };
  }

  /** The entity as it is stored; an entity whose time is over is gone. */
  #stored(kind: string, select: Selector): Values | null {
    const found = this.#rows.select(kind, select);
    return found === null ? null : this.#rows.raw(kind, String(found['id']));
  }

  /** Validated and complete. @param stored what a patch is laid over. */
  #prepare(kind: KindIndex, given: Given, overrides: Values, stored: Values | null): Prepared {
    const { input } = given;
    const resolved = { ...resolveReferences(this.#rows, kind.name, input), ...overrides };
    const ttl = Object.hasOwn(input, 'ttl') ? input['ttl'] : undefined;
    const whole = stored === null ? input : mergePatch(kind.definition.fields, withoutTtl(stored), input);
    const { entity, issues } = kind.validator.validate({ input: whole, overrides: resolved }, this.#context);
    if (issues !== null) throw schemaViolation(issues);
    const unsupported = notYetIssues(kind.name, entity);
    if (unsupported.length > 0) throw schemaViolation(unsupported);
    transform(kind, entity, given, stored);
    if (typeof entity['id'] === 'string') entity['id'] = entity['id'].toLowerCase();
    if (kind.definition.ttl === true) entity['ttl'] = expiry(ttl, stored);
    const snis = (entity['snis'] as readonly string[] | undefined | null) ?? null;
    for (const name of kind.transient) delete entity[name];
    return { entity, snis };
  }

  #store(kind: KindIndex, stored: Values | null, { entity, snis }: Prepared): Values {
    const { name } = kind;
    this.#checkUnique(kind, entity);
    this.#checkReferences(kind, entity, stored);
    const same = stored !== null && sameContent(stored, entity);
    if (!same) {
      const before = stored === null ? null : this.#rows.text(name, String(stored['id']));
      const text = this.#rows.encode(name, entity);
      if (stored !== null) this.#rows.remove(name, stored);
      this.#rows.put(name, entity, text);
      this.#recorder.record(name, String(entity['id']), before, text);
    }
    if (snis !== null && name === 'certificates') this.#replaceSnis(String(entity['id']), snis);
    return this.#rows.shown(name, same ? stored : entity) ?? entity;
  }

  #checkUnique(kind: KindIndex, entity: Values): void {
    for (const index of kind.uniques) {
      const owner = this.#rows.owner(kind.name, index, entity);
      if (owner === null || owner === entity['id']) continue;
      throw uniqueViolation(Object.fromEntries(index.fields.map((field) => [field, entity[field] ?? null])));
    }
  }

  #checkReferences(kind: KindIndex, entity: Values, stored: Values | null): void {
    const known = new Set(
      stored === null ? [] : referencedIds(kind, stored).map(([field, id]) => field + id),
    );
    for (const [field, id] of referencedIds(kind, entity)) {
      if (known.has(field + id)) continue;
      const reference = referenceOf(kind.name, field)?.kind ?? '';
      if (!this.#rows.has(reference, id)) throw missingForeign(field, id, reference);
    }
  }

  #remove(kind: string, stored: Values): void {
    const id = String(stored['id']);
    for (;;) {
      const children = this.#rows.children(id, CHILDREN);
      if (children.length === 0) break;
      for (const child of children) {
        if (referenceOf(child.kind, child.field)?.onDelete !== 'cascade') {
          throw kind === 'ca_certificates'
            ? referencedByOthers('ca certificate', id, child.kind, child.id)
            : referencedBy(kind, child.kind);
        }
        const entity = this.#rows.raw(child.kind, child.id);
        // It may have gone already with another child.
        if (entity !== null) this.#remove(child.kind, entity);
      }
    }
    const before = this.#rows.text(kind, id);
    this.#rows.remove(kind, stored);
    this.#recorder.record(kind, id, before, null);
  }

  /** Kong's `snis` of a certificate: the names that shall be its own. */
  #replaceSnis(id: string, names: readonly string[]): void {
    const wanted = new Set(names);
    for (const sni of this.#rows.ids('snis', { size: -1, within: { field: 'certificate', id } })) {
      const entity = this.#rows.raw('snis', sni);
      if (entity !== null && !wanted.delete(String(entity['name']))) this.#remove('snis', entity);
    }
    for (const name of wanted) {
      const taken = this.#rows.findBy('snis', 'name', name);
      if (taken !== null) {
        const owner = this.#rows.raw('snis', taken)?.['certificate'] as { id: string } | undefined;
        const message = `${name} already associated with existing certificate '${String(owner?.id)}'`;
        throw schemaViolation([{ at: ['snis'], message }]);
      }
      this.#create('snis', { name, certificate: { id } });
    }
  }
}

function withoutTtl(stored: Values): Values {
  if (!('ttl' in stored)) return stored;
  const { ttl: _, ...rest } = stored;
  return rest;
}

/** Seconds that are given → the second at which it ends. A patch without one keeps the time. */
function expiry(given: unknown, stored: Values | null): number | null {
  if (typeof given === 'number') return given === 0 ? null : Math.ceil(Date.now() / 1000 + given);
  return given === undefined && stored !== null ? ((stored['ttl'] as number | null) ?? null) : null;
}

/** Hashes and normal forms; a secret that a patch does not give is hashed already, as it is where the write says so. */
function transform(
  kind: KindIndex,
  entity: Record<string, unknown>,
  { input, asStored }: Given,
  stored: Values | null,
): void {
  kind.definition.transform?.(entity);
  for (const [name, field] of Object.entries(kind.definition.fields)) {
    if (field.type !== 'string' || field.encrypted !== true) continue;
    if (!Object.hasOwn(input, name)) {
      if (stored !== null) entity[name] = stored[name];
    } else if (asStored) entity[name] = input[name];
  }
}

/** Refused although valid: what Sluice cannot run yet. */
function notYetIssues(kind: string, entity: Values): Issue[] {
  return notYet(kind, entity).map(({ path, message }) => ({ at: path, message }));
}

/** Is it the same but for the timestamps? Then nothing has changed, and no revision says so. */
function sameContent(a: Values, b: Values): boolean {
  const text = (entity: Values): string =>
    JSON.stringify({ ...entity, created_at: undefined, updated_at: undefined });
  return text(a) === text(b);
}
