/**
 * Writes on a catalog, within its transaction: validation, what must be unique, what must exist, what goes along.
 *
 * What the transaction has done so far counts for the next write. Every change is recorded with what was before, so
 * that the log can tell and undo it.
 */
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import { toldValue } from '../../entities/secrets.ts';
import type { Judge, Selector, Write, WriteResult } from '../config-store.ts';
import {
  Forbidden,
  missingEntity,
  missingForeign,
  notFound,
  primaryKeyViolation,
  referencedBy,
  referencedByOthers,
  schemaViolation,
  uniqueViolation,
} from '../errors.ts';
import { SealedForm } from '../sealing.ts';
import { checkDerived, checkNames, checkTtl, expiry, type Given, transform, withoutTtl } from './derive.ts';
import { withForeignIssues } from './foreign-values.ts';
import { mergePatch, resolveReferences } from './inputs.ts';
import { checkProtocols } from './plugin-protocols.ts';
import { maskIssues, notYetIssues, sameContent, shownValues } from './refuse.ts';
import { keyField, kindIndex, referencedIds, referenceOf, type KindIndex } from './kind-index.ts';
import type { Recorder } from './recorder.ts';
import type { Rows } from './rows.ts';

/** Children looked at together when their parent goes. */
const CHILDREN = 256;

interface Prepared {
  readonly entity: Record<string, unknown>;
  /** Names of a certificate's SNIs, when the input says them. */
  readonly snis: readonly string[] | null;
  /** The input says when the entity was created; else that is no change. */
  readonly dated: boolean;
}

export class Writer {
  readonly #rows: Rows;
  readonly #recorder: Recorder;
  readonly #context: CheckContext;
  readonly #judge: Judge | null;

  constructor(rows: Rows, recorder: Recorder, context: CheckContext, judge: Judge | null = null) {
    this.#rows = rows;
    this.#recorder = recorder;
    this.#context = context;
    this.#judge = judge;
  }

  /** In steps, for what takes very many children along. @throws StoreError */
  *apply(write: Write): Generator<void, WriteResult> {
    switch (write.op) {
      case 'create':
        return yield* this.#create(write.kind, write.input, write.stored === true);
      case 'put':
        return yield* this.#put(write);
      case 'patch':
        return yield* this.#patch(write);
      default:
        return yield* this.#delete(write.kind, write.select);
    }
  }

  /** An entity whose time is over: nobody's doing. */
  *removeExpired(kind: string, id: string): Generator<void> {
    const stored = this.#rows.raw(kind, id);
    if (stored !== null) yield* new Writer(this.#rows, this.#recorder, this.#context).#remove(kind, stored);
  }

  *#create(name: string, input: Values, asStored = false): Generator<void, WriteResult> {
    const kind = kindIndex(name);
    const prepared = this.#prepare(kind, { input, asStored }, {}, null);
    const id = String(prepared.entity['id']);
    // One that was generated is new.
    if (Object.hasOwn(input, 'id') && this.#rows.has(name, id)) throw primaryKeyViolation({ id });
    return { entity: yield* this.#store(kind, null, prepared), happened: true };
  }

  *#put(write: Write & { op: 'put' }): Generator<void, WriteResult> {
    const { kind: name, select, input, stored: asStored = false } = write;
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
    if (stored === null && select.id === undefined && this.#rows.has(name, String(prepared.entity['id']))) {
      const field = kind.definition.endpoint_key ?? 'id';
      throw primaryKeyViolation({ [field]: toldValue(kind.definition, field, select.key ?? null) });
    }
    return { entity: yield* this.#store(kind, stored, prepared), happened: stored === null };
  }

  *#patch(write: Write & { op: 'patch' }): Generator<void, WriteResult> {
    const { kind: name, select, input, stored: asStored = false } = write;
    const kind = kindIndex(name);
    const stored = this.#stored(name, select);
    if (stored === null) {
      const field = (select.id === undefined ? keyField(kind, select) : 'id') ?? 'key';
      const value = toldValue(kind.definition, field, select.id ?? select.key ?? '');
      throw missingEntity(field, value);
    }
    const prepared = this.#prepare(kind, { input, asStored }, {}, stored);
    // Kong: another id is looked at, and changes nothing.
    prepared.entity['id'] = stored['id'];
    return { entity: yield* this.#store(kind, stored, prepared), happened: false };
  }

  *#delete(name: string, select: Selector): Generator<void, WriteResult> {
    const stored = this.#stored(name, select);
    if (stored === null) return { entity: null, happened: false };
    yield* this.#remove(name, stored);
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
    const resolved = { ...resolveReferences(this.#rows, kind, input), ...overrides };
    const ttl = Object.hasOwn(input, 'ttl') ? input['ttl'] : undefined;
    checkTtl(kind, ttl);
    if (kind.name === 'certificates') checkNames(input['snis']);
    const whole = stored === null ? input : mergePatch(kind.definition.fields, withoutTtl(stored), input);
    const context = { ...this.#context, updating: stored !== null };
    const { entity, issues } = kind.validator.validate({ input: whole, overrides: resolved }, context);
    if (issues !== null) throw schemaViolation(withForeignIssues(kind.name, whole, issues, context));
    if (stored !== null) checkDerived(kind, input, entity, stored);
    if (kind.name === 'plugins') checkProtocols(this.#rows, input, entity, stored !== null);
    const refused = [...notYetIssues(kind.name, entity), ...maskIssues(kind, entity)];
    if (refused.length > 0) throw schemaViolation(refused);
    transform(kind, entity, given, stored);
    if (typeof entity['id'] === 'string') entity['id'] = entity['id'].toLowerCase();
    if (kind.definition.ttl === true) entity['ttl'] = expiry(ttl, stored);
    const snis = (entity['snis'] as readonly string[] | undefined | null) ?? null;
    for (const name of kind.transient) delete entity[name];
    return { entity, snis, dated: Object.hasOwn(input, 'created_at') };
  }

  *#store(kind: KindIndex, stored: Values | null, prepared: Prepared): Generator<void, Values> {
    const { entity, snis, dated } = prepared;
    const { name } = kind;
    // Also when it changes nothing: or it would tell whether a secret is what was sent.
    this.#allow(name, stored, entity);
    this.#checkUnique(kind, entity);
    this.#checkReferences(kind, entity, stored);
    const same = stored !== null && sameContent(stored, entity, dated);
    if (!same) {
      const before = stored === null ? null : this.#rows.text(name, String(stored['id']));
      const text = this.#encoded(name, entity);
      if (stored !== null) yield* this.#rows.removeInSteps(name, stored);
      yield* this.#rows.putInSteps(name, entity, text);
      this.#recorder.record(name, String(entity['id']), before, text);
    }
    if (snis !== null && name === 'certificates') yield* this.#replaceSnis(String(entity['id']), snis);
    return this.#rows.shown(name, same ? stored : entity) ?? entity;
  }

  #encoded(kind: string, entity: Values): string {
    try {
      return this.#rows.encode(kind, entity);
    } catch (error) {
      if (!(error instanceof SealedForm)) throw error;
      throw schemaViolation([{ at: error.path, message: error.problem }]);
    }
  }

  #checkUnique(kind: KindIndex, entity: Values): void {
    for (const index of kind.uniques) {
      const owner = this.#rows.owner(kind.name, index, entity);
      if (owner === null || owner === entity['id']) continue;
      throw uniqueViolation(shownValues(kind, index, entity));
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

  /** @throws Forbidden */
  #allow(kind: string, before: Values | null, after: Values | null): void {
    const refused = this.#judge?.({ kind, before, after }) ?? null;
    if (refused !== null) throw new Forbidden(refused);
  }

  *#remove(kind: string, stored: Values): Generator<void> {
    this.#allow(kind, stored, null);
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
        if (entity !== null) yield* this.#remove(child.kind, entity);
        yield;
      }
    }
    const before = this.#rows.text(kind, id);
    yield* this.#rows.removeInSteps(kind, stored);
    this.#recorder.record(kind, id, before, null);
  }

  /** Kong's `snis` of a certificate: the names that shall be its own. */
  *#replaceSnis(id: string, names: readonly string[]): Generator<void> {
    const wanted = new Set(names);
    for (const sni of this.#rows.ids('snis', { size: -1, within: { field: 'certificate', id } })) {
      const entity = this.#rows.raw('snis', sni);
      if (entity !== null && !wanted.delete(String(entity['name']))) yield* this.#remove('snis', entity);
      yield;
    }
    for (const name of wanted) {
      const taken = this.#rows.findBy('snis', 'name', name);
      if (taken !== null) {
        const owner = this.#rows.raw('snis', taken)?.['certificate'] as { id: string } | undefined;
        const message = `${name} already associated with existing certificate '${String(owner?.id)}'`;
        throw schemaViolation([{ at: ['snis'], message }]);
      }
      yield* this.#create('snis', { name, certificate: { id } });
      yield;
    }
  }
}
