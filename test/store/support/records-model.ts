/** A model of records, plain and slow, and random commands that it and a store must answer alike. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Owner, PutResult, StoredRecord } from '../../../src/store/records/records.ts';
import { HOUR, type OpenRecords, type RecordsOpener } from './records-contract.ts';
import '../../support/fixed-seed.ts';

interface ModelRecord {
  readonly n: number;
  readonly version: number;
  readonly end: number;
  readonly unique: Readonly<Record<string, string>>;
  readonly owners: readonly number[];
}

/** `ifVersion`: none, must be absent, the current one, one that was. */
type Command =
  | {
      readonly op: 'put';
      readonly key: string;
      readonly n: number;
      readonly unique: Readonly<Record<string, string>>;
      readonly owners: readonly number[];
      readonly ifVersion: 'none' | 'absent' | 'current' | 'old';
      readonly hours: number | null;
    }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion: 'none' | 'current' | 'old' }
  | { readonly op: 'increment'; readonly key: string; readonly amount: number; readonly hours: number }
  | { readonly op: 'pass'; readonly hours: number }
  | { readonly op: 'removeOwner'; readonly owner: number };

const KEYS = ['a', 'b', 'c'];
const VALUES = ['x', 'y'];
const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom(...VALUES);
const hours = fc.integer({ min: 1, max: 4 });
const owner = fc.integer({ min: 0, max: 1 });

const COMMAND: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('put' as const),
      key,
      n: fc.integer({ min: 0, max: 99 }),
      unique: fc.record({ i: value, j: value }, { requiredKeys: [], noNullPrototype: true }),
      owners: fc.uniqueArray(owner, { maxLength: 2 }),
      ifVersion: fc.constantFrom('none', 'absent', 'current', 'old'),
      hours: fc.option(hours),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('delete' as const),
      key,
      ifVersion: fc.constantFrom('none', 'current', 'old'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('increment' as const),
      key,
      amount: fc.integer({ min: -3, max: 3 }),
      hours,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('pass' as const), hours }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('removeOwner' as const), owner }) },
);

class Model {
  #now = 0;
  readonly #records = new Map<string, ModelRecord>();
  readonly #counters = new Map<string, { count: number; end: number }>();
  readonly #gone = new Set<number>();

  get(key: string): ModelRecord | null {
    const record = this.#records.get(key);
    return record === undefined || record.end <= this.#now ? null : record;
  }

  keys(owner: number | null): string[] {
    return KEYS.filter((key) => {
      const record = this.get(key);
      return record !== null && (owner === null || record.owners.includes(owner));
    });
  }

  findBy(index: string, text: string): string | null {
    return this.keys(null).find((key) => this.get(key)?.unique[index] === text) ?? null;
  }

  /** Null: it is stored. */
  conflict(
    { key, unique, owners }: Command & { op: 'put' },
    ifVersion: number | undefined,
  ): 'version' | 'owner' | 'unique' | null {
    if (ifVersion !== undefined && ifVersion !== (this.get(key)?.version ?? 0)) return 'version';
    if (owners.some((one) => this.#gone.has(one))) return 'owner';
    const taken = Object.entries(unique).some(
      ([index, text]) => ![null, key].includes(this.findBy(index, text)),
    );
    return taken ? 'unique' : null;
  }

  put({ key, n, unique, owners, hours }: Command & { op: 'put' }, version: number): void {
    const end = hours === null ? Infinity : this.#now + hours;
    this.#records.set(key, { n, version, end, unique, owners });
  }

  delete(key: string, ifVersion: number | undefined): boolean {
    const record = this.get(key);
    if (record === null || (ifVersion ?? record.version) !== record.version) return false;
    return this.#records.delete(key);
  }

  increment({ key, amount, hours }: Command & { op: 'increment' }): number {
    const before = this.#counters.get(key);
    const alive = before !== undefined && before.end > this.#now;
    const after = alive
      ? { count: before.count + amount, end: before.end }
      : { count: amount, end: this.#now + hours };
    this.#counters.set(key, after);
    return after.count;
  }

  count(key: string): number {
    const counter = this.#counters.get(key);
    return counter === undefined || counter.end <= this.#now ? 0 : counter.count;
  }

  pass(hours: number): void {
    this.#now += hours;
  }

  removeOwner(owner: number): void {
    this.#gone.add(owner);
    for (const [key, record] of this.#records) if (record.owners.includes(owner)) this.#records.delete(key);
  }
}

class Run {
  readonly #opened: OpenRecords;
  readonly #owners: readonly Owner[];
  readonly #model = new Model();
  readonly #collection = randomUUID();
  /** The last version that is no longer one. */
  #old = 1;

  constructor(opened: OpenRecords, owners: readonly Owner[]) {
    this.#opened = opened;
    this.#owners = owners;
  }

  async do(command: Command): Promise<void> {
    const { store } = this.#opened;
    const model = this.#model;
    switch (command.op) {
      case 'put':
        return await this.#put(command);
      case 'delete': {
        const ifVersion = this.#version(command.key, command.ifVersion);
        const { version } = model.get(command.key) ?? {};
        const done = await store.delete(
          this.#collection,
          command.key,
          ifVersion === undefined ? {} : { ifVersion },
        );
        assert.equal(done, model.delete(command.key, ifVersion));
        if (done && version !== undefined) this.#old = version;
        return;
      }
      case 'increment': {
        const { key, amount, hours } = command;
        const counts = await store.increment(this.#collection, [{ key, amount, ttlMs: hours * HOUR }]);
        return assert.deepEqual(counts, [model.increment(command)]);
      }
      case 'pass':
        model.pass(command.hours);
        return await this.#opened.pass(command.hours * HOUR);
      default:
        model.removeOwner(command.owner);
        return await this.#opened.removeOwner(this.#owner(command.owner));
    }
  }

  async #put(command: Command & { op: 'put' }): Promise<void> {
    const { key, n, unique, hours } = command;
    const ifVersion = this.#version(key, command.ifVersion);
    const record = { key, value: { n }, unique, owners: command.owners.map((one) => this.#owner(one)) };
    const result: PutResult = await this.#opened.store.put(this.#collection, record, {
      ...(ifVersion === undefined ? {} : { ifVersion }),
      ...(hours === null ? {} : { ttlMs: hours * HOUR }),
    });
    const conflict = this.#model.conflict(command, ifVersion);
    if (!result.stored) return assert.equal(result.conflict, conflict);
    assert.equal(conflict, null);
    this.#old = this.#model.get(key)?.version ?? this.#old;
    this.#model.put(command, result.version);
  }

  /** All that can be read is as the model says. */
  async check(): Promise<void> {
    const { other: store } = this.#opened;
    const shown = (record: StoredRecord | null): unknown =>
      record === null ? null : { n: record.value['n'], version: record.version, unique: record.unique };
    for (const key of KEYS) {
      const expected = this.#model.get(key);
      const { n, version, unique } = expected ?? {};
      assert.deepEqual(shown(await store.get(this.#collection, key)), expected && { n, version, unique });
    }
    for (const index of ['i', 'j']) {
      for (const text of VALUES) {
        const found = await store.findBy(this.#collection, index, text);
        assert.equal(found?.key ?? null, this.#model.findBy(index, text));
      }
    }
    for (const owner of [null, 0, 1]) {
      const options = { size: 10, owner: owner === null ? null : this.#owner(owner) };
      const { records } = await store.list(this.#collection, options);
      assert.deepEqual(
        records.map(({ key }) => key),
        this.#model.keys(owner),
      );
    }
    assert.deepEqual(
      await store.counts(this.#collection, KEYS),
      KEYS.map((key) => this.#model.count(key)),
    );
  }

  #owner(index: number): Owner {
    return this.#owners[index] ?? assert.fail();
  }

  #version(key: string, which: 'none' | 'absent' | 'current' | 'old'): number | undefined {
    if (which === 'none') return undefined;
    if (which === 'absent') return 0;
    return which === 'old' ? this.#old : (this.#model.get(key)?.version ?? 0);
  }
}

export function recordsProperty(name: string, open: RecordsOpener, numRuns: number): void {
  test(`${name}: random commands are answered as a model answers them`, async () => {
    await using opened = await open();
    const property = fc.asyncProperty(fc.array(COMMAND, { maxLength: 25, size: 'max' }), async (commands) => {
      const run = new Run(opened, [await opened.makeOwner(), await opened.makeOwner()]);
      for (const command of commands) {
        await run.do(command);
        await run.check();
      }
    });
    await fc.assert(property, { numRuns });
  });
}
