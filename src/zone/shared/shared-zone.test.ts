import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { checkZone } from '../../../test/support/shared-zone.ts';
import { Hash64 } from './hash64.ts';
import { BLOCK, BLOCK_INTS, CONTROL, CONTROL_INTS, MAX_VALUE, viewsOf } from './layout.ts';
import { mendShard } from './mend.ts';
import { NodeSharedZone } from './node-shared-zone.ts';
import { SharedZone } from './shared-zone.ts';
import { Shards } from './shards.ts';

const SMALL = 256 * 1024;

function open(bytes = SMALL): {
  node: NodeSharedZone;
  zone: SharedZone;
  other: SharedZone;
  clock: { now: number };
} {
  const node = new NodeSharedZone(bytes);
  const clock = { now: 0 };
  const [zone, other] = [0, 1].map((id) => new SharedZone(node.buffer, id, () => clock.now));
  assert.ok(zone !== undefined && other !== undefined);
  return { node, zone, other, clock };
}

test('a counter is the same for all threads, begins at 0 and ends by its first increment', () => {
  const { zone, other, clock, node } = open();
  const [one, two] = [zone.counters('a'), other.counters('a')];
  assert.equal(one.get('k'), 0);
  assert.equal(one.increment('k', 2, 100), 2);
  clock.now = 99;
  assert.equal(two.increment('k', 0.5, 1000), 2.5);
  assert.equal(two.increment('k', -3), -0.5);
  clock.now = 100;
  assert.equal(one.get('k'), 0);
  assert.equal(two.increment('k'), 1);
  clock.now = 1e12;
  assert.equal(one.get('k'), 1);
  two.delete('k');
  two.delete('k');
  assert.equal(one.get('k'), 0);
  for (const wrong of [() => one.increment('k', Number.NaN), () => one.increment('k', 1, 0)]) {
    assert.throws(wrong, RangeError);
  }
  assert.equal(node.usage().entries, 0);
  checkZone(node.buffer);
});

test('scopes and kinds do not meet', () => {
  const { zone } = open();
  zone.counters('a').increment('k');
  zone.values('a').set('k', 'v');
  assert.equal(zone.counters('b').get('k'), 0);
  assert.equal(zone.values('b').get('k'), null);
  assert.equal(zone.counters('a').get('k'), 1);
});

test('values of every size come back as they were, up to 64 KiB', () => {
  const { zone, other, node } = open(1024 * 1024);
  const values = zone.values('a');
  for (const size of [0, 1, 24, 25, 55, 56, 57, 111, 112, 113, 5000, MAX_VALUE]) {
    const value = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + size) & 255));
    assert.equal(values.set('k', value), true);
    assert.deepEqual(other.values('a').get('k'), value, `${size}`);
    checkZone(node.buffer);
  }
  assert.equal(values.set('k', Buffer.alloc(MAX_VALUE + 1)), false);
  assert.equal(values.get('k')?.length, MAX_VALUE);
  values.delete('k');
  assert.equal(values.get('k'), null);
  values.set('text', 'grüße');
  assert.equal(values.get('text')?.toString(), 'grüße');
  assert.throws(() => values.set('k', '', -1), RangeError);
});

test('a value is added where there is none, or its time is over', () => {
  const { zone, other, clock } = open();
  assert.equal(zone.values('a').add('k', '1', 10), true);
  assert.equal(other.values('a').add('k', '2', 10), false);
  assert.equal(zone.values('a').get('k')?.toString(), '1');
  clock.now = 10;
  assert.equal(other.values('a').add('k', '2', 10), true);
});

test('what is used stays when room is needed', () => {
  const { zone, node } = open();
  const counters = zone.counters('a');
  const all = node.usage().blocks;
  counters.increment('hot');
  for (let n = 0; n < all * 3; n++) {
    counters.increment(`cold ${n}`);
    if (n % 100 === 0) assert.equal(counters.increment('hot'), n / 100 + 2);
  }
  const { entries, evicted, touched, blocks } = node.usage();
  assert.deepEqual([entries, touched], [blocks, blocks]);
  assert.equal(evicted, all * 3 + 1 - entries);
  checkZone(node.buffer);
});

test('a large value takes the room of many, and they of it', () => {
  const { zone, node } = open();
  const [counters, values] = [zone.counters('a'), zone.values('a')];
  for (let n = 0; n < node.usage().blocks; n++) counters.increment(`${n}`);
  const large = Buffer.alloc(MAX_VALUE, 7);
  for (let n = 0; n < 10; n++) assert.equal(values.set(`${n}`, large), true);
  assert.deepEqual(values.get('9'), large);
  checkZone(node.buffer);
  for (let n = 0; n < node.usage().blocks; n++) counters.increment(`again ${n}`);
  checkZone(node.buffer);
});

test('a zone has shards by its size, and its memory is not there until it is used', () => {
  for (const [mib, shards] of [
    [0.25, 1],
    [1, 4],
    [3, 8],
    [16, 64],
    [200, 64],
  ] as const) {
    const { buffer } = new NodeSharedZone(mib * 1024 * 1024);
    assert.equal(new Shards(viewsOf(buffer)).count, shards);
    assert.ok(
      Math.abs(buffer.byteLength / (mib * 1024 * 1024) - 1) < 0.06,
      `${buffer.byteLength} of ${mib} MiB`,
    );
  }
});

test('one thread leads until it resigns or dies', () => {
  const { zone, other, node } = open();
  assert.deepEqual([zone.leads(), other.leads(), zone.leads()], [true, false, true]);
  zone.resign();
  assert.deepEqual([zone.leads(), other.leads()], [false, true]);
  node.clearWorker(0);
  assert.equal(other.leads(), true);
  node.clearWorker(1);
  assert.deepEqual([zone.leads(), new SharedZone(node.buffer, 0).leads()], [false, true]);
});

test('hashes differ by text, by key and by family', () => {
  const hash = new Hash64(1, 2);
  const seen = new Set<string>();
  const of = (from: Hash64, text: string): string => (from.of(text), `${from.low} ${from.high}`);
  const texts = [
    '',
    '\0',
    '\0\0',
    'a',
    'ab',
    'ba',
    'abc',
    'a\0',
    'ä',
    '\u{1f600}',
    'x'.repeat(256),
    'x'.repeat(255),
  ];
  for (const text of texts) seen.add(of(hash, text));
  for (const text of texts) seen.add(of(new Hash64(2, 1), text));
  for (const text of texts) seen.add(of(hash.derive('a'), text));
  for (let n = 0; n < 100_000; n++) seen.add(of(hash, `key ${n}`));
  assert.equal(seen.size, texts.length * 3 + 100_000);
});

/** The n-th write of whoever uses these throws: as if its thread had ended. */
function dyingShards(buffer: SharedArrayBuffer, writes: number): Shards {
  const views = viewsOf(buffer);
  let left = writes;
  const dying = <T extends object>(array: T): T =>
    new Proxy(array, {
      get: (target, name) => Reflect.get(target, name) as unknown,
      set: (target, name, value) => {
        if (left-- <= 0) throw new Error('the end');
        return Reflect.set(target, name, value);
      },
    });
  const { head, control, buckets, ints, floats, bytes } = views;
  return new Shards({
    head,
    control: dying(control),
    buckets: dying(buckets),
    ints: dying(ints),
    floats: dying(floats),
    bytes: dying(bytes),
  });
}

/** Three blocks of data. */
const LONG = Buffer.alloc(120, 5);
const OPERATIONS: ReadonlyArray<readonly [what: string, run: (shards: Shards, block: number) => void]> = [
  ['a new counter', (shards) => shards.addCounter(0, 77, 78, 5, Infinity)],
  ['a new short value', (shards) => shards.addValue(0, 77, 78, Buffer.from('short'), Infinity)],
  ['a new long value', (shards) => shards.addValue(0, 77, 78, LONG, Infinity)],
  ['the removal of a value', (shards, block) => shards.remove(0, block)],
];

for (const full of [false, true]) {
  const { zone, node } = open();
  const [counters, values] = [zone.counters('a'), zone.values('a')];
  const keys = full ? node.usage().blocks - 40 : 50;
  for (let n = 0; n < keys; n++) counters.increment(`${n}`, n + 1);
  values.set('kept', LONG);
  values.set('gone', LONG);
  if (full) for (let n = 0; node.usage().touched < node.usage().blocks; n++) counters.increment(`more ${n}`);
  const views = viewsOf(node.buffer);
  const block = findValue(views.ints, views.control[CONTROL.fresh]!, node, 'gone', zone);
  values.get('kept');
  const { evicted } = node.usage();
  const before = new Uint8Array(node.buffer).slice();

  for (const [what, run] of OPERATIONS) {
    test(`a thread that ends in the middle of ${what} harms no other entry${full ? ', in a full zone' : ''}`, () => {
      for (let writes = 0, done = false; !done; writes++) {
        new Uint8Array(node.buffer).set(before);
        Atomics.store(views.control, CONTROL.lock, 1);
        try {
          run(dyingShards(node.buffer, writes), block);
          done = true;
        } catch (error) {
          assert.match(String(error), /the end/);
        }
        assert.equal(node.clearWorker(0), 1);
        checkZone(node.buffer);
        assert.deepEqual(values.get('kept'), LONG, `after ${writes} writes`);
        const counts = Array.from({ length: keys }, (_, n) => counters.get(`${n}`));
        const lost = counts.filter((count, n) => count !== n + 1);
        // One that was being evicted may be gone without having been counted.
        assert.ok(lost.every((count) => count === 0) && lost.length <= node.usage().evicted - evicted + 1);
        if (!full) assert.equal(lost.length, 0);
      }
    });
  }
}

/** The block of a value: the one that goes when it is deleted, found on a copy. */
function findValue(
  ints: Int32Array,
  fresh: number,
  node: NodeSharedZone,
  key: string,
  zone: SharedZone,
): number {
  const before = ints.slice(0, fresh * BLOCK_INTS);
  const whole = new Uint8Array(node.buffer).slice();
  zone.values('a').delete(key);
  const block = Array.from({ length: fresh }, (_, n) => n).find(
    (n) => before[n * BLOCK_INTS] === 2 && ints[n * BLOCK_INTS] !== 2,
  );
  new Uint8Array(node.buffer).set(whole);
  assert.ok(block !== undefined && before[block * BLOCK_INTS + BLOCK.length] === LONG.length);
  return block;
}

interface ValueStep {
  readonly op: 'set' | 'add' | 'read' | 'drop';
  readonly key: number;
  readonly size: number;
  readonly ttl: number;
}

type Step =
  | {
      readonly op: 'increment' | 'get' | 'delete';
      readonly key: number;
      readonly by: number;
      readonly ttl: number;
    }
  | ValueStep
  | { readonly op: 'pass'; readonly ms: number }
  | { readonly op: 'mend' };

const key = fc.nat({ max: 30 });
const ttl = fc.constantFrom(Infinity, 5, 50);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    op: fc.constantFrom('increment', 'get', 'delete'),
    key,
    by: fc.integer({ min: -3, max: 9 }),
    ttl,
  }),
  fc.record({ op: fc.constantFrom('set', 'add', 'read', 'drop'), key, size: fc.nat({ max: 4000 }), ttl }),
  fc.record({ op: fc.constant('pass'), ms: fc.nat({ max: 20 }) }),
  fc.constant({ op: 'mend' } as const),
);

class Model {
  now = 0;
  readonly #entries = new Map<string, { value: unknown; end: number }>();

  get(name: string): unknown {
    const entry = this.#entries.get(name);
    return entry !== undefined && entry.end > this.now ? entry.value : null;
  }

  set(name: string, value: unknown, ttlMs: number): void {
    this.#entries.set(name, { value, end: this.now + ttlMs });
  }

  change(name: string, value: unknown): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.value = value;
  }

  drop(name: string): void {
    this.#entries.delete(name);
  }
}

test('it does what a map does, as long as there is room', () => {
  const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const { node, zone, other, clock } = open(SMALL * 2);
    const model = new Model();
    for (const [n, one] of steps.entries()) {
      const thread = n % 2 === 0 ? zone : other;
      clock.now = model.now;
      apply(one, thread, model, node);
    }
    checkZone(node.buffer);
    assert.equal(node.usage().evicted, 0);
  });
  fc.assert(property, { numRuns: 200 });
});

function apply(one: Step, thread: SharedZone, model: Model, node: NodeSharedZone): void {
  if (one.op === 'pass') model.now += one.ms;
  else if (one.op === 'mend') mendAll(node);
  else if ('size' in one) applyToValue(one, thread, model);
  else {
    const counters = thread.counters('a');
    const name = `c${one.key}`;
    const before = model.get(name);
    if (one.op === 'get') assert.equal(counters.get(name), before ?? 0);
    else if (one.op === 'delete') {
      counters.delete(name);
      model.drop(name);
    } else {
      const value = ((before ?? 0) as number) + one.by;
      assert.equal(counters.increment(name, one.by, one.ttl), value);
      if (before === null) model.set(name, value, one.ttl);
      else model.change(name, value);
    }
  }
}

function applyToValue(one: ValueStep, thread: SharedZone, model: Model): void {
  const values = thread.values('a');
  const name = `v${one.key}`;
  const before = model.get(name) as Buffer | null;
  const value = Buffer.alloc(one.size, one.key + 1);
  if (one.op === 'read') assert.deepEqual(values.get(name), before);
  else if (one.op === 'drop') {
    values.delete(name);
    model.drop(name);
  } else {
    const put = one.op === 'set' || before === null;
    const done = one.op === 'set' ? values.set(name, value, one.ttl) : values.add(name, value, one.ttl);
    assert.equal(done, put);
    if (put) model.set(name, value, one.ttl);
  }
}

function mendAll(node: NodeSharedZone): void {
  const shards = new Shards(viewsOf(node.buffer));
  for (let shard = 0; shard < shards.count; shard++) mendShard(shards, shard);
  assert.equal(shards.views.control.length, shards.count * CONTROL_INTS);
}
