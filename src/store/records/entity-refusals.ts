/** Why an entity that is a record is not written: what is taken, what it refers to, and what its author may not do. */
import type { Values } from '../../entities/schema/field.ts';
import { referencedIds, referenceOf, type KindIndex } from '../catalog/kind-index.ts';
import { shownValues } from '../catalog/refuse.ts';
import type { ConfigReader, Judge } from '../config-store.ts';
import { Forbidden, missingForeign, type StoreError, uniqueViolation } from '../errors.ts';
import type { PutResult, RecordInput, RecordStore, StoredRecord } from './records.ts';

export class EntityRefusals {
  readonly #kind: KindIndex;
  readonly #records: RecordStore;
  readonly #config: Pick<ConfigReader, 'get'>;

  constructor(kind: KindIndex, records: RecordStore, config: Pick<ConfigReader, 'get'>) {
    this.#kind = kind;
    this.#records = records;
    this.#config = config;
  }

  /** What a put would answer. */
  async wouldPut(record: Required<RecordInput>, before: StoredRecord | null): Promise<PutResult> {
    const refused = (conflict: 'version' | 'unique' | 'owner'): PutResult => ({ stored: false, conflict });
    if (before === null && (await this.#records.get(this.#kind.name, record.key)) !== null) {
      return refused('version');
    }
    if (this.#firstMissing(record.value) !== null) return refused('owner');
    return (await this.taken(record)) === null ? { stored: true, version: 0 } : refused('unique');
  }

  /** Null: whoever had the value has gone meanwhile. */
  async taken({ key, value, unique }: Required<RecordInput>): Promise<StoreError | null> {
    for (const index of this.#kind.uniques) {
      const text = unique[index.name];
      if (text === undefined) continue;
      const holder = await this.#records.findBy(this.#kind.name, index.name, text);
      if (holder !== null && holder.key !== key) {
        return uniqueViolation(shownValues(this.#kind, index, value));
      }
    }
    return null;
  }

  /** Where this node does not know yet which of them has gone, the first is named. */
  missingOwner(value: Values): StoreError {
    const [field, id] = this.#firstMissing(value) ?? [...referencedIds(this.#kind, value)][0] ?? ['', ''];
    return missingForeign(field, id, this.#kindOf(field));
  }

  #firstMissing(value: Values): readonly [field: string, id: string] | null {
    for (const [field, id] of referencedIds(this.#kind, value)) {
      if (this.#config.get(this.#kindOf(field), { id }) === null) return [field, id];
    }
    return null;
  }

  /** @throws Forbidden */
  allow(judge: Judge | null, before: Values | null, after: Values | null): void {
    const refused = judge?.({ kind: this.#kind.name, before, after }) ?? null;
    if (refused !== null) throw new Forbidden(refused);
  }

  #kindOf(field: string): string {
    return referenceOf(this.#kind.name, field)?.kind ?? '';
  }
}
