/**
 * What a write does to the rows, within the transaction of the queue: what it refuses is found before it writes
 * anything. It notes the marks of what it changes, for whoever tells them when the transaction is committed.
 */
import type { Connection } from '../catalog/connection.ts';
import { CounterRows } from './counter-rows.ts';
import { marksOf } from './marks.ts';
import type { RecordRows } from './record-rows.ts';
import {
  isName,
  mergedSteps,
  type CounterStep,
  type Owner,
  type PutOptions,
  type PutResult,
  type RecordInput,
} from './records.ts';

export class SqliteWriter {
  readonly #rows: RecordRows;
  readonly #counters: CounterRows;
  readonly #exists: (owner: Owner) => boolean;
  /** Of the transaction under way; null: they cannot be told. */
  #marks: string[] | null = [];

  /** @param exists is there such an entity in the configuration? */
  constructor(connection: Connection, rows: RecordRows, exists: (owner: Owner) => boolean) {
    this.#rows = rows;
    this.#counters = new CounterRows(connection);
    this.#exists = exists;
  }

  put(collection: string, record: RecordInput, { ifVersion, ttlMs }: PutOptions): PutResult {
    const { key, unique = {}, owners = [] } = record;
    const version = this.#version(collection, key);
    if (ifVersion !== undefined && ifVersion !== version) return { stored: false, conflict: 'version' };
    if (!owners.every((owner) => this.#exists(owner))) return { stored: false, conflict: 'owner' };
    const others = Object.entries(unique)
      .flatMap(([index, value]) => this.#rows.holders(collection, index, value))
      .filter((holder) => holder !== key);
    if (others.some((other) => this.#version(collection, other) > 0)) {
      return { stored: false, conflict: 'unique' };
    }
    for (const over of new Set(others)) this.#remove(collection, over);
    this.#remove(collection, key);
    this.#marks?.push(...marksOf(collection, record));
    const expires = ttlMs === undefined ? null : Date.now() + ttlMs;
    return { stored: true, version: this.#rows.put(collection, record, expires) };
  }

  delete(collection: string, key: string, ifVersion: number | undefined): boolean {
    const version = this.#version(collection, key);
    if (version === 0 || (ifVersion ?? version) !== version) return false;
    this.#remove(collection, key);
    return true;
  }

  /** Answers whether there were any. */
  removeOwned(owner: Owner, limit: number): boolean {
    const places = this.#rows.owned(owner, limit);
    for (const { collection, key } of places) this.#remove(collection, key);
    return places.length > 0;
  }

  increment(collection: string, steps: readonly CounterStep[]): readonly number[] {
    const now = Date.now();
    const counts = new Map<string, number>();
    for (const [key, step] of mergedSteps(steps)) {
      counts.set(key, this.#counters.increment(collection, step, now));
    }
    return steps.map(({ key }) => counts.get(key) ?? 0);
  }

  /** What a counter is. */
  count(collection: string, key: string): number {
    return isName(key) ? this.#counters.count(collection, key, Date.now()) : 0;
  }

  /** Removes some of what is over. Answers how many that were. */
  removeOver(limit: number): number {
    const now = Date.now();
    return this.#rows.sweep(now, limit) + this.#counters.sweep(now, limit);
  }

  /** Those of the transaction that ends; null: anything may have changed. */
  takeMarks(): string[] | null {
    const marks = this.#marks;
    this.#marks = [];
    return marks;
  }

  #version(collection: string, key: string): number {
    return isName(key) ? this.#rows.version(collection, key, Date.now()) : 0;
  }

  #remove(collection: string, key: string): void {
    const marks = this.#rows.remove(collection, key);
    if (marks === null) this.#marks = null;
    else this.#marks?.push(...marks);
  }
}
