/**
 * Records: data that is not configuration (OAuth 2.0 tokens, sessions, certificate challenges, counters of a cluster).
 * They never enter the log, and of all that a store holds they alone may be read by a request, on a cache miss
 * (`cached-records.ts`; docs/adr/0020-records.md).
 *
 * A record has a key within its collection, and a JSON object as its value. It may have unique values by which it is
 * found as well, a time to live, and owners: entities of the configuration with which it goes. What is over, or whose
 * owner is gone, is not there: it is not read, and neither its key nor its unique values are taken.
 */
import type { Values } from '../../entities/schema/field.ts';

/** An entity of the configuration: `oauth2_credentials`, and its id. */
export interface Owner {
  readonly kind: string;
  readonly id: string;
}

export interface RecordInput {
  readonly key: string;
  readonly value: Values;
  /** Index → value, `{ refresh_token: '…' }`: no two records of a collection have the same one. */
  readonly unique?: Readonly<Record<string, string>>;
  readonly owners?: readonly Owner[];
}

export interface StoredRecord extends Required<RecordInput> {
  /** Positive, and another one after each change; never used twice. */
  readonly version: number;
  /** Milliseconds that were left to it when it was read from the store; null: no end. */
  readonly ttlMs: number | null;
}

export interface PutOptions {
  /** Only if the record has this version; 0: only if there is none. */
  readonly ifVersion?: number;
  /** Milliseconds from now; without, the record has no end. */
  readonly ttlMs?: number;
}

export type PutResult =
  | { readonly stored: true; readonly version: number }
  /** The record has another version, the unique value is another record's, or the owner does not exist. */
  | { readonly stored: false; readonly conflict: 'version' | 'unique' | 'owner' };

export interface ListOptions {
  readonly owner?: Owner | null;
  /** Only keys after this one; null begins. */
  readonly after?: string | null;
  readonly size: number;
}

export interface RecordPage {
  /** In the order of their keys' UTF-8. */
  readonly records: readonly StoredRecord[];
  /** Pass as `after` for the next page; null on the last one. */
  readonly next: string | null;
}

export interface CounterStep {
  readonly key: string;
  readonly amount: number;
  /** Milliseconds from the first step: later ones do not prolong it. */
  readonly ttlMs: number;
}

export interface RecordListener {
  /** Marks (`marks.ts`) of what was changed or deleted, here or on another node; null: anything may have been. */
  changed(marks: readonly string[] | null): void;
  /** Whether changes of all nodes are told at once. Where they are not, nothing may be kept for long. */
  telling?(works: boolean): void;
}

/** All reject with StoreUnavailable, and with RangeError what breaks a limit below. */
export interface RecordStore {
  get(collection: string, key: string): Promise<StoredRecord | null>;
  findBy(collection: string, index: string, value: string): Promise<StoredRecord | null>;
  list(collection: string, options: ListOptions): Promise<RecordPage>;
  put(collection: string, record: RecordInput, options?: PutOptions): Promise<PutResult>;
  /** Answers whether there was one (of that version). */
  delete(collection: string, key: string, options?: { readonly ifVersion?: number }): Promise<boolean>;
  /** All steps or none; answers what each counter is after the call. Counters are no records. */
  increment(collection: string, steps: readonly CounterStep[]): Promise<readonly number[]>;
  /** What counters are; 0 where there is none. */
  counts(collection: string, keys: readonly string[]): Promise<readonly number[]>;
  watch(listener: RecordListener): Disposable;
}

/** UTF-16 units of a name, a key or a unique value. */
export const MAX_NAME = 512;
/** Unique values, and owners, of one record. */
const MAX_LINKS = 8;
/** UTF-16 units of a value's JSON. */
export const MAX_VALUE = 64 * 1024;
const MAX_PAGE = 1000;
const MAX_STEPS = 1000;
const MAX_AMOUNT = 2 ** 40;
/** Ten years. */
const MAX_TTL_MS = 10 * 366 * 24 * 3600 * 1000;
/** Counters stop here. */
export const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** What can be a name at all. Others are not found: they would be stored as something else, or not at all. */
export function isName(text: string): boolean {
  return text.length > 0 && text.length <= MAX_NAME && text.isWellFormed() && !text.includes('\0');
}

function mustBeName(what: string, text: string): void {
  if (!isName(text)) throw new RangeError(`${what}: 1 to ${MAX_NAME} characters, without NUL`);
}

function mustBeTtl(ttlMs: number): void {
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > MAX_TTL_MS) throw new RangeError(`ttlMs: ${ttlMs}`);
}

/** @throws RangeError */
export function checkPut(collection: string, record: RecordInput, { ttlMs }: PutOptions): void {
  mustBeName('a collection', collection);
  mustBeName('a key', record.key);
  const unique = Object.entries(record.unique ?? {});
  const owners = record.owners ?? [];
  if (unique.length > MAX_LINKS || owners.length > MAX_LINKS) {
    throw new RangeError(`a record has at most ${MAX_LINKS} unique values and as many owners`);
  }
  for (const text of unique.flat()) mustBeName('a unique value', text);
  for (const text of owners.flatMap(({ kind, id }) => [kind, id])) mustBeName('an owner', text);
  if (ttlMs !== undefined) mustBeTtl(ttlMs);
  if (JSON.stringify(record.value).length > MAX_VALUE) {
    throw new RangeError(`a record's value has at most ${MAX_VALUE} characters of JSON`);
  }
}

/** @throws RangeError */
export function checkSteps(collection: string, steps: readonly CounterStep[]): void {
  mustBeName('a collection', collection);
  if (steps.length > MAX_STEPS) throw new RangeError(`at most ${MAX_STEPS} steps together`);
  for (const { key, amount, ttlMs } of steps) {
    mustBeName('a key', key);
    mustBeTtl(ttlMs);
    if (!Number.isInteger(amount) || Math.abs(amount) > MAX_AMOUNT) throw new RangeError(`amount: ${amount}`);
  }
}

/** @throws RangeError */
export function checkPage({ size }: ListOptions): void {
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) throw new RangeError(`size: ${size}`);
}

/** Steps of one counter together. */
export function mergedSteps(steps: readonly CounterStep[]): Map<string, CounterStep> {
  const merged = new Map<string, CounterStep>();
  for (const step of steps) {
    const before = merged.get(step.key);
    merged.set(step.key, before === undefined ? step : { ...before, amount: before.amount + step.amount });
  }
  return merged;
}
