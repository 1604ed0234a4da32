/**
 * Entities that are records (OAuth 2.0 tokens), with the rules of entities: they are looked for by id or endpoint key,
 * validated by their schema, refused with the same errors, and go with what they refer to.
 *
 * The record's key is the id, its value the entity, its time to live Kong's `ttl`. Each write is a compare-and-set on
 * what was read for it; whoever is overtaken reads again.
 */
import type { Values } from '../../entities/schema/field.ts';
import { toldValue } from '../../entities/secrets.ts';
import { recordKind, referenceOf, type KindIndex } from '../catalog/kind-index.ts';
import type { ConfigReader, Judge, Page, PageOptions, Parent, Selector } from '../config-store.ts';
import { missingEntity, primaryKeyViolation, type StoreError, StoreUnavailable } from '../errors.ts';
import { prepareRecord, type PreparedRecord } from './entity-input.ts';
import { EntityRefusals } from './entity-refusals.ts';
import type { PutResult, RecordStore, StoredRecord } from './records.ts';

export interface EntityWriteOptions {
  readonly judge: Judge | null;
  /** Validate everything and keep nothing. */
  readonly dryRun: boolean;
}

/** How often others may be faster before a write gives up. */
const TRIES = 50;

export class EntityRecords {
  readonly #kind: KindIndex;
  readonly #records: RecordStore;
  readonly #config: Pick<ConfigReader, 'get'>;
  readonly #refusals: EntityRefusals;

  /** @param config what references are looked up in. */
  constructor(kind: string, records: RecordStore, config: Pick<ConfigReader, 'get'>) {
    this.#kind = recordKind(kind);
    this.#records = records;
    this.#config = config;
    this.#refusals = new EntityRefusals(this.#kind, records, config);
  }

  async get(select: Selector): Promise<Values | null> {
    const found = await this.#find(select);
    return found === null ? null : shown(found.value, found.ttlMs);
  }

  async page({ size, after, within }: PageOptions): Promise<Page> {
    const { name } = this.#kind;
    const owner =
      within == null ? null : { kind: referenceOf(name, within.field)?.kind ?? '', id: within.id };
    const { records, next } = await this.#records.list(name, { size, after: after ?? null, owner });
    return { entities: records.map(({ value, ttlMs }) => shown(value, ttlMs)), next };
  }

  /** @throws StoreError, StoreUnavailable, as all writes do */
  async create(input: Values, options: EntityWriteOptions): Promise<Values> {
    const prepared = this.#prepare(input, {}, null);
    const made = await this.#store(prepared, null, options);
    if (made === null) throw primaryKeyViolation({ id: prepared.record.key });
    return made;
  }

  /** Replaces the entity, or creates it with this id or key. */
  async put(select: Selector, input: Values, options: EntityWriteOptions): Promise<Values> {
    const { id, key, within } = select;
    const parent = within == null ? {} : { [within.field]: { id: within.id } };
    const name = id === undefined ? { [this.#key]: key } : { id: id.toLowerCase() };
    return await untilDone(async () => {
      const before = await this.#find({ ...select, within: null });
      // Another parent's: it is not for the taking.
      if (before !== null && within != null && !refersTo(before.value, within)) throw this.#gone(select);
      const known = before === null ? {} : { id: before.key };
      const prepared = this.#prepare(input, { ...parent, ...name, ...known }, null);
      const isNew = before === null && id === undefined;
      try {
        const done = await this.#store(prepared, before, options);
        if (done !== null || !isNew) return done;
      } catch (error) {
        // Somebody has made the one with this key meanwhile.
        if (isNew && (await this.#find({ ...select, within: null })) !== null) return null;
        throw error;
      }
      throw primaryKeyViolation({ [this.#key]: this.#told(key ?? '') });
    });
  }

  async patch(select: Selector, input: Values, options: EntityWriteOptions): Promise<Values> {
    return await untilDone(async () => {
      const before = await this.#find(select);
      if (before === null) throw this.#gone(select);
      return await this.#store(this.#prepare(input, {}, before), before, options);
    });
  }

  /** Answers whether there was one. */
  async delete(select: Selector, { judge, dryRun }: EntityWriteOptions): Promise<boolean> {
    const { name } = this.#kind;
    return await untilDone(async () => {
      const found = await this.#find(select);
      if (found === null) return false;
      this.#refusals.allow(judge, found.value, null);
      const { key, version } = found;
      return dryRun || (await this.#records.delete(name, key, { ifVersion: version })) ? true : null;
    });
  }

  async #find({ id, key, within }: Selector): Promise<StoredRecord | null> {
    const { name } = this.#kind;
    const found =
      id === undefined
        ? await this.#records.findBy(name, this.#key, key ?? '')
        : await this.#records.get(name, id.toLowerCase());
    return found === null || within == null || refersTo(found.value, within) ? found : null;
  }

  #prepare(input: Values, overrides: Values, stored: StoredRecord | null): PreparedRecord {
    return prepareRecord(
      this.#kind,
      { input, overrides, stored },
      {
        findBy: (kind, by, key) => {
          const found = this.#config.get(kind, { key, by });
          return found === null ? null : String(found['id']);
        },
      },
    );
  }

  /** Null: it is not any more what it was, or, of a new one, its id is taken. */
  async #store(
    { record, ttlMs }: PreparedRecord,
    before: StoredRecord | null,
    { judge, dryRun }: EntityWriteOptions,
  ): Promise<Values | null> {
    const { name } = this.#kind;
    this.#refusals.allow(judge, before?.value ?? null, record.value);
    const entity = shown(record.value, ttlMs);
    const condition = { ifVersion: before?.version ?? 0, ...(ttlMs === null ? {} : { ttlMs }) };
    const put = async (): Promise<PutResult> =>
      dryRun
        ? await this.#refusals.wouldPut(record, before)
        : await this.#records.put(name, record, condition);
    const stored = await untilDone(async () => {
      const result = await put();
      if (result.stored) return true;
      if (result.conflict === 'version') return false;
      const problem =
        result.conflict === 'owner'
          ? this.#refusals.missingOwner(record.value)
          : await this.#refusals.taken(record);
      if (problem !== null) throw problem;
      return null;
    });
    return stored ? entity : null;
  }

  #gone({ id, key }: Selector): StoreError {
    return missingEntity(id === undefined ? this.#key : 'id', id ?? this.#told(key ?? ''));
  }

  get #key(): string {
    return this.#kind.definition.endpoint_key ?? 'id';
  }

  #told(key: string): string {
    return toldValue(this.#kind.definition, this.#key, key);
  }
}

function refersTo(value: Values, { field, id }: Parent): boolean {
  return (value[field] as { readonly id: string } | null)?.id === id;
}

/** As Kong shows it: with the whole seconds that are left. 0 would be no end. */
function shown(value: Values, ttlMs: number | null): Values {
  return { ...value, ttl: ttlMs === null ? null : Math.max(1, Math.floor(ttlMs / 1000)) };
}

/** @param attempt null: somebody was faster. */
async function untilDone<T>(attempt: () => Promise<T | null>): Promise<T> {
  for (let n = 0; n < TRIES; n++) {
    const done = await attempt();
    if (done !== null) return done;
  }
  throw new StoreUnavailable('too many writes of the same record at once');
}
