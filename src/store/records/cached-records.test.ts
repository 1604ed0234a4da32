import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { StoreUnavailable } from '../errors.ts';
import { CachedRecords, type CacheBounds, type Found } from './cached-records.ts';
import { RecordFeed } from './feed.ts';
import { keyMark, uniqueMark } from './marks.ts';
import type { RecordStore } from './records.ts';

const BOUNDS: CacheBounds = { entries: 100, characters: 1_000_000 };

interface Asked {
  readonly what: string;
  answer(found: Found): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A store whose reads wait until the test answers them. */
class Slow {
  readonly asked: Asked[] = [];
  readonly feed = new RecordFeed(true);

  get store(): RecordStore {
    const store: Partial<RecordStore> = {
      get: (collection, key) => this.#ask(`${collection} ${key}`),
      findBy: (collection, index, value) => this.#ask(`${collection} ${index} ${value}`),
      watch: (listener) => this.feed.add(listener),
    };
    return store as RecordStore;
  }

  get last(): Asked {
    return this.asked.at(-1) ?? assert.fail('nothing was asked');
  }

  #ask(what: string): Promise<Found> {
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
    this.asked.push({
      what,
      answer(found) {
        resolve(found);
        return settled();
      },
      fail(error) {
        reject(error);
        return settled();
      },
    });
    return promise;
  }
}

function record(key: string, ttlMs: number | null = null, text = ''): NonNullable<Found> {
  return { key, value: { text }, unique: {}, owners: [], version: 1, ttlMs };
}

function slowCache(bounds = BOUNDS): { readonly slow: Slow; readonly cache: CachedRecords } {
  const slow = new Slow();
  return { slow, cache: new CachedRecords(slow.store, bounds) };
}

test('one question at a time, then no promise; what is not there is kept as well', async () => {
  const { slow, cache } = slowCache();
  const waiting = [
    cache.get('c', 'a'),
    cache.get('c', 'a'),
    cache.get('c', 'b'),
    cache.findBy('c', 'i', 'a'),
  ];
  assert.deepEqual(
    slow.asked.map(({ what }) => what),
    ['c a', 'c b', 'c i a'],
  );
  const a = record('a');
  await slow.asked[0]?.answer(a);
  await slow.asked[1]?.answer(null);
  await slow.asked[2]?.answer(a);
  assert.deepEqual(await Promise.all(waiting.map((one) => Promise.resolve(one))), [a, a, null, a]);
  assert.equal(cache.get('c', 'a'), a);
  assert.equal(cache.get('c', 'b'), null);
  assert.equal(cache.findBy('c', 'i', 'a'), a);
  assert.equal(slow.asked.length, 3);
});

test('a failure goes to all who wait, and the next one asks again', async () => {
  const { slow, cache } = slowCache();
  const waiting = [cache.get('c', 'a'), cache.get('c', 'a')];
  const refused = waiting.map((one) => assert.rejects(Promise.resolve(one), StoreUnavailable));
  await slow.last.fail(new StoreUnavailable('away'));
  await Promise.all(refused);
  const again = cache.get('c', 'a');
  await slow.last.answer(null);
  assert.equal(await again, null);
  assert.equal(slow.asked.length, 2);
});

test('what has changed is asked for again, also when it changed while it was asked for', async () => {
  const { slow, cache } = slowCache();
  const change = (...marks: string[]): void => slow.feed.tell(marks);
  for (const [ask, mark] of [
    [() => cache.get('c', 'a'), keyMark('c', 'a')],
    [() => cache.findBy('c', 'i', 'v'), uniqueMark('c', 'i', 'v')],
  ] as const) {
    const first = ask();
    await slow.last.answer(null);
    assert.equal(await first, null);
    assert.equal(ask(), null);
    change('other', mark);
    const old = ask();
    const asked = slow.last;
    change(mark);
    const next = ask();
    assert.notEqual(next, old);
    const found = record('a');
    await slow.last.answer(found);
    await asked.answer(null);
    assert.deepEqual([await old, await next], [null, found]);
    assert.equal(ask(), found);
  }
  slow.feed.tell(null);
  assert.equal(cache.size, 0);
  assert.ok(cache.get('c', 'a') instanceof Promise);
});

test('an entry ends with its record, and soon when changes are not told', async (t) => {
  let now = 1000;
  mock.method(performance, 'now', () => now);
  t.after(() => mock.restoreAll());
  const { slow, cache } = slowCache();
  const asks = async (answer: Found): Promise<boolean> => {
    const found = cache.get('c', 'a');
    if (!(found instanceof Promise)) return false;
    await slow.last.answer(answer);
    return true;
  };
  assert.equal(await asks(record('a', 500)), true);
  now += 499;
  assert.equal(await asks(null), false);
  now += 1;
  assert.equal(await asks(record('a')), true);
  now += 59_000;
  assert.equal(await asks(null), false);
  slow.feed.works = false;
  assert.equal(await asks(record('a')), true);
  now += 999;
  assert.equal(await asks(null), false);
  now += 1;
  assert.equal(await asks(record('a')), true);
  slow.feed.works = true;
  assert.equal(await asks(record('a')), true);
});

test('it is bounded by number and by size; what is used stays', async () => {
  const load = async (
    { slow, cache }: ReturnType<typeof slowCache>,
    key: string,
    text: string,
  ): Promise<void> => {
    const found = cache.get('c', key);
    if (found instanceof Promise) await slow.last.answer(record(key, null, text));
  };
  const few = slowCache({ entries: 3, characters: 1_000_000 });
  for (const key of ['a', 'b', 'c', 'a', 'd']) await load(few, key, '');
  assert.equal(few.cache.size, 3);
  assert.ok(!(few.cache.get('c', 'a') instanceof Promise));
  assert.ok(few.cache.get('c', 'b') instanceof Promise);
  const small = slowCache({ entries: 1000, characters: 10_000 });
  for (let n = 0; n < 100; n++) await load(small, `k${n}`, 'x'.repeat(1000));
  assert.equal(small.cache.size, 7);
  await load(small, 'huge', 'x'.repeat(20_000));
  assert.equal(small.cache.size, 0);
  for (let n = 0; n < 100; n++) await load(small, `k${n}`, 'x'.repeat(1000));
  assert.equal(small.cache.size, 7);
});
