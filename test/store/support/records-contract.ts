/** What every store of records must do, whatever it is made of and however it is reached. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { keyMark, uniqueMark } from '../../../src/store/records/marks.ts';
import type { Owner, PutResult, RecordStore } from '../../../src/store/records/records.ts';
import { StoreUnavailable } from '../../../src/store/errors.ts';
import { waitFor } from '../../support/wait.ts';

export interface OpenRecords extends AsyncDisposable {
  readonly store: RecordStore;
  /** The same records, reached another way (by another node), or `store` again. */
  readonly other: RecordStore;
  /** A new entity of the configuration. */
  makeOwner(): Promise<Owner>;
  /** Returns when its deletion has been answered. */
  removeOwner(owner: Owner): Promise<void>;
  /** For what is stored, so many milliseconds pass. */
  pass(ms: number): Promise<void>;
}

export type RecordsOpener = () => Promise<OpenRecords>;

/** Long enough that nothing ends by itself while a test runs. */
export const HOUR = 3_600_000;

function version(result: PutResult): number {
  assert.ok(result.stored, JSON.stringify(result));
  return result.version;
}

const refused = (conflict: 'version' | 'unique' | 'owner'): PutResult => ({ stored: false, conflict });

/** Marks as they are told; `all` once anything may have changed. */
function listen(store: RecordStore): { marks: Set<string>; all: boolean } & Disposable {
  const heard = { marks: new Set<string>(), all: false };
  const watch = store.watch({
    changed(marks) {
      if (marks === null) heard.all = true;
      else for (const mark of marks) heard.marks.add(mark);
    },
  });
  return Object.assign(heard, { [Symbol.dispose]: () => watch[Symbol.dispose]() });
}

export function recordsContract(name: string, open: RecordsOpener): void {
  test(`${name}: what is put is got, found by its unique values, and gone when it is deleted`, async () => {
    await using opened = await open();
    const { store, other } = opened;
    const c = randomUUID();
    const value = {
      text: 'ü\u{1F600}\0\ud800',
      list: [1, { a: null }],
      ['__proto__']: { x: 1 },
      deep: { n: 1.5 },
    };
    const record = { key: 'k/1', value, unique: { access: 'a1', refresh: 'r1' } };
    const made = version(await store.put(c, record));
    const stored = { ...record, owners: [], version: made, ttlMs: null };
    assert.deepEqual(await store.get(c, 'k/1'), stored);
    assert.deepEqual(await other.get(c, 'k/1'), stored);
    assert.deepEqual(await store.findBy(c, 'access', 'a1'), stored);
    assert.deepEqual(await other.findBy(c, 'refresh', 'r1'), stored);
    for (const [index, text] of [
      ['access', 'r1'],
      ['other', 'a1'],
      ['access', 'A1'],
    ] as const) {
      assert.equal(await store.findBy(c, index, text), null);
    }
    assert.equal(await store.get(randomUUID(), 'k/1'), null);
    assert.equal(await store.delete(c, 'k/1'), true);
    assert.equal(await store.delete(c, 'k/1'), false);
    assert.equal(await store.get(c, 'k/1'), null);
    assert.equal(await store.findBy(c, 'access', 'a1'), null);
  });

  test(`${name}: compare and set`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const put = (n: number, ifVersion?: number): Promise<PutResult> =>
      store.put(c, { key: 'k', value: { n } }, ifVersion === undefined ? {} : { ifVersion });
    assert.deepEqual(await put(0, 1), refused('version'));
    const first = version(await put(1, 0));
    assert.deepEqual(await put(2, 0), refused('version'));
    const second = version(await put(3, first));
    assert.notEqual(second, first);
    assert.deepEqual(await put(4, first), refused('version'));
    assert.equal(await store.delete(c, 'k', { ifVersion: first }), false);
    assert.deepEqual((await store.get(c, 'k'))?.value, { n: 3 });
    assert.equal(await store.delete(c, 'k', { ifVersion: second }), true);
    // A version never comes back: one that was read before the deletion is not that of the next record.
    const third = version(await put(5, 0));
    assert.ok(third !== first && third !== second);
    assert.deepEqual(await put(6, second), refused('version'));
    version(await put(7));
  });

  test(`${name}: of many who set the same at once, one does`, async () => {
    await using opened = await open();
    const c = randomUUID();
    const stores = [opened.store, opened.other];
    const tries = <T>(work: (store: RecordStore, n: number) => Promise<T>): Promise<T[]> =>
      Promise.all(Array.from({ length: 16 }, (_, n) => work(stores[n % 2] ?? opened.store, n)));
    const made = await tries((store, n) => store.put(c, { key: 'k', value: { n } }, { ifVersion: 0 }));
    assert.equal(made.filter(({ stored }) => stored).length, 1);
    const { version: ifVersion } = (await opened.store.get(c, 'k')) ?? assert.fail();
    const set = await tries((store, n) => store.put(c, { key: 'k', value: { n } }, { ifVersion }));
    assert.equal(set.filter(({ stored }) => stored).length, 1);
    const unique = await tries((store, n) =>
      store.put(c, { key: `u${n}`, value: {}, unique: { i: 'x', j: `${n}` } }),
    );
    assert.deepEqual(
      unique.filter(({ stored }) => !stored),
      Array.from({ length: 15 }, () => refused('unique')),
    );
    const holder = await opened.store.findBy(c, 'i', 'x');
    assert.equal(holder?.unique['j'], holder?.key.slice(1));
    await tries((store, n) => store.put(c, { key: 'free', value: { n }, unique: { free: 'f' } }));
    assert.equal((await opened.other.findBy(c, 'free', 'f'))?.key, 'free');
  });

  test(`${name}: a unique value is one record's, until it gives it up`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const put = (key: string, i: string): Promise<PutResult> =>
      store.put(c, { key, value: {}, unique: { i } });
    await put('a', 'x');
    assert.deepEqual(await put('b', 'x'), refused('unique'));
    assert.equal(await store.get(c, 'b'), null);
    version(await store.put(randomUUID(), { key: 'b', value: {}, unique: { i: 'x' } }));
    version(await put('a', 'x'));
    version(await put('a', 'y'));
    assert.equal(await store.findBy(c, 'i', 'x'), null);
    version(await put('b', 'x'));
    assert.equal((await store.findBy(c, 'i', 'x'))?.key, 'b');
  });

  test(`${name}: what is over is not there, and in nobody's way`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const short = { key: 'a', value: { n: 1 }, unique: { i: 'x' } };
    version(await store.put(c, short, { ttlMs: HOUR }));
    const left = (await store.get(c, 'a'))?.ttlMs ?? 0;
    assert.ok(left > HOUR / 2 && left <= HOUR, String(left));
    version(await store.put(c, { key: 'b', value: {} }, { ttlMs: 3 * HOUR }));
    version(await store.put(c, { key: 'c', value: {} }));
    await opened.pass(HOUR);
    assert.equal(await store.get(c, 'a'), null);
    assert.equal(await store.findBy(c, 'i', 'x'), null);
    assert.deepEqual(
      (await store.list(c, { size: 10 })).records.map(({ key }) => key),
      ['b', 'c'],
    );
    assert.equal(await store.delete(c, 'a'), false);
    version(await store.put(c, { key: 'd', value: {}, unique: { i: 'x' } }, { ifVersion: 0, ttlMs: HOUR }));
    version(await store.put(c, { ...short, unique: {} }, { ifVersion: 0 }));
    const pair = { key: 'e', value: {}, unique: { i: 'over', j: 'new' } };
    version(await store.put(c, { key: 'f', value: {}, unique: { i: 'over' } }, { ttlMs: HOUR }));
    await opened.pass(HOUR);
    version(await store.put(c, pair, { ttlMs: HOUR }));
    assert.equal((await store.findBy(c, 'i', 'over'))?.key, 'e');
    assert.equal((await store.findBy(c, 'j', 'new'))?.key, 'e');
    // Put again, the time begins anew, or never ends.
    version(await store.put(c, { key: 'b', value: {} }));
    await opened.pass(24 * HOUR);
    assert.deepEqual(
      (await store.list(c, { size: 10 })).records.map(({ key, ttlMs }) => [key, ttlMs]),
      [
        ['a', null],
        ['b', null],
        ['c', null],
      ],
    );
  });

  test(`${name}: records go with any of their owners, and need them`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const [one, two] = [await opened.makeOwner(), await opened.makeOwner()];
    const put = (key: string, owners: readonly Owner[]): Promise<PutResult> =>
      store.put(c, { key, value: {}, owners, unique: { i: key } });
    for (const [key, owners] of [
      ['a', [one]],
      ['b', [one, two]],
      ['c', [two]],
      ['d', []],
    ] as const) {
      version(await put(key, owners));
    }
    assert.deepEqual((await store.get(c, 'b'))?.owners, [one, two]);
    const keys = async (owner: Owner | null): Promise<string[]> =>
      (await store.list(c, { size: 10, owner })).records.map(({ key }) => key);
    assert.deepEqual(await keys(one), ['a', 'b']);
    version(await put('d', [two]));
    version(await put('c', []));
    assert.deepEqual(await keys(two), ['b', 'd']);
    using heard = listen(opened.other);
    await opened.removeOwner(one);
    assert.deepEqual(await keys(one), []);
    assert.deepEqual(await keys(null), ['c', 'd']);
    assert.equal(await store.findBy(c, 'i', 'b'), null);
    assert.deepEqual(await put('a', [one]), refused('owner'));
    assert.deepEqual(await put('d', [two, one]), refused('owner'));
    assert.deepEqual(await put('a', [{ kind: 'consumers', id: randomUUID() }]), refused('owner'));
    await waitFor(() => heard.all || heard.marks.has(uniqueMark(c, 'i', 'b')), { what: 'the feed' });
  });

  test(`${name}: pages follow the order of keys`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const owner = await opened.makeOwner();
    const keys = ['\u{1F600}', '\uff5e', 'Z', 'a', 'ä', '10', '9', ' ', ...Array.from('bcdefgh')];
    await Promise.all(
      keys.map((key, n) => store.put(c, { key, value: {}, owners: n % 2 === 0 ? [owner] : [] })),
    );
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const walk = async (size: number, only: Owner | null): Promise<string[]> => {
      const found: string[] = [];
      for (let after: string | null = null; ;) {
        const page = await store.list(c, { size, after, owner: only });
        found.push(...page.records.map(({ key }) => key));
        assert.ok(page.records.length <= size);
        if (page.next === null) return found;
        after = page.next;
      }
    };
    for (const size of [1, 4, keys.length, 100]) assert.deepEqual(await walk(size, null), sorted);
    assert.deepEqual(
      await walk(3, owner),
      sorted.filter((key) => keys.indexOf(key) % 2 === 0),
    );
  });

  test(`${name}: counters add up, many together, from everywhere`, async () => {
    await using opened = await open();
    const { store, other } = opened;
    const c = randomUUID();
    const step = (key: string, amount: number) => ({ key, amount, ttlMs: HOUR });
    assert.deepEqual(await store.increment(c, [step('a', 1), step('b', 2), step('a', 3)]), [4, 2, 4]);
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? store : other).increment(
          c,
          n % 3 === 0 ? [step('b', 1), step('a', 1)] : [step('a', 1), step('b', 1)],
        ),
      ),
    );
    assert.deepEqual(await other.counts(c, ['a', 'b', 'none', '\0']), [54, 52, 0, 0]);
    assert.deepEqual(await store.increment(c, [step('a', -4)]), [50]);
    assert.equal(await store.get(c, 'a'), null);
    await opened.pass(HOUR / 2);
    await store.increment(c, [step('a', 1), step('new', 1)]);
    await opened.pass(HOUR / 2);
    assert.deepEqual(await store.counts(c, ['a', 'new']), [0, 1]);
    assert.deepEqual(await store.increment(c, [step('a', 7)]), [7]);
    const most = 2 ** 40;
    assert.deepEqual(await store.increment(c, [step('m', most), step('n', -most)]), [most, -most]);
    assert.deepEqual(await store.increment(c, []), []);
    assert.deepEqual(await store.counts(c, []), []);
  });

  test(`${name}: changes are told to all, by marks`, async () => {
    await using opened = await open();
    const { store, other } = opened;
    const c = randomUUID();
    const told = async (work: () => Promise<unknown>, expected: readonly string[]): Promise<void> => {
      using here = listen(store);
      using there = listen(other);
      await work();
      for (const heard of [here, there]) {
        await waitFor(() => heard.all || expected.every((mark) => heard.marks.has(mark)), {
          what: 'the feed',
        });
      }
      // A caller that knows of a change reads nothing older here.
      assert.ok(expected.every((mark) => here.marks.has(mark)));
    };
    const i = (value: string): string => uniqueMark(c, 'i', value);
    await told(() => store.put(c, { key: 'k', value: {}, unique: { i: 'x' } }), [keyMark(c, 'k'), i('x')]);
    await told(
      () => store.put(c, { key: 'k', value: {}, unique: { i: 'y' } }),
      [keyMark(c, 'k'), i('x'), i('y')],
    );
    await told(() => store.delete(c, 'k'), [keyMark(c, 'k'), i('y')]);
  });

  test(`${name}: what breaks a limit is refused, and what cannot be there is not found`, async () => {
    await using opened = await open();
    const { store } = opened;
    const c = randomUUID();
    const long = 'x'.repeat(513);
    for (const bad of ['', 'a\0b', '\ud800', long]) {
      assert.equal(await store.get(c, bad), null);
      assert.equal(await store.get(bad, 'k'), null);
      assert.equal(await store.findBy(c, 'i', bad), null);
      assert.equal(await store.findBy(c, bad, 'x'), null);
      assert.equal(await store.delete(c, bad), false);
      await assert.rejects(store.put(bad, { key: 'k', value: {} }), RangeError);
      await assert.rejects(store.put(c, { key: bad, value: {} }), RangeError);
      await assert.rejects(store.put(c, { key: 'k', value: {}, unique: { i: bad } }), RangeError);
      await assert.rejects(store.increment(c, [{ key: bad, amount: 1, ttlMs: 1 }]), RangeError);
    }
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`i${n}`, 'x']));
    await assert.rejects(store.put(c, { key: 'k', value: {}, unique: many }), RangeError);
    await assert.rejects(store.put(c, { key: 'k', value: { x: 'x'.repeat(65_536) } }), RangeError);
    for (const ttlMs of [0, -1, 1.5, Number.NaN, 1e15]) {
      await assert.rejects(store.put(c, { key: 'k', value: {} }, { ttlMs }), RangeError);
    }
    for (const size of [0, 1001, 1.5]) await assert.rejects(store.list(c, { size }), RangeError);
    await assert.rejects(store.increment(c, [{ key: 'k', amount: 0.5, ttlMs: 1 }]), RangeError);
    assert.equal(await store.get(c, 'k'), null);
    version(await store.put(c, { key: 'x'.repeat(512), value: { x: 'x'.repeat(65_000) } }));
  });

  test(`${name}: closed, it says so`, async () => {
    const opened = await open();
    await opened[Symbol.asyncDispose]();
    await assert.rejects(opened.store.get('c', 'k'), StoreUnavailable);
    await assert.rejects(opened.store.put('c', { key: 'k', value: {} }), StoreUnavailable);
  });
}
