import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash32 } from '../../zone/hash32.ts';
import { placeOf, seedOf, shareAt, WeightedDraw } from './draw.ts';

const COUNT = 10_000;
/** In percentage points: three standard deviations of fair coins are 1.5. */
const TOLERANCE = 1.5;

/** The kinds of keys that there are: ids, addresses, numbers, cookies. */
const KEYS: Readonly<Record<string, (n: number) => string>> = {
  ids: (n) =>
    `${hash32(`a ${n}`).toString(16).padStart(8, '0')}-1111-4111-8111-${String(n).padStart(12, '0')}`,
  addresses: (n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  numbers: (n) => `${n}`,
  names: (n) => `customer-${n}@example.com`,
};

function near(part: number, percentage: number, what: string): void {
  const measured = (part / COUNT) * 100;
  assert.ok(
    Math.abs(measured - percentage) <= TOLERANCE,
    `${what}: ${measured} % instead of ${percentage} %`,
  );
}

for (const [kind, keyOf] of Object.entries(KEYS)) {
  test(`${kind}: shares are met on 10,000 keys, and who was in stays in`, () => {
    for (const salt of ['', 'release 7']) {
      const seed = seedOf(salt);
      const places = Array.from({ length: COUNT }, (_, n) => placeOf(keyOf(n), seed));
      let before = new Set<number>();
      for (const percentage of [0, 0.5, 1, 5, 10, 20, 33.3, 50, 75, 99, 100]) {
        const inside = new Set(places.keys().filter((n) => (places[n] ?? 1) < percentage / 100));
        near(inside.size, percentage, `salt '${salt}'`);
        if (percentage === 0) assert.equal(inside.size, 0);
        if (percentage === 100) assert.equal(inside.size, COUNT);
        assert.ok(before.isSubsetOf(inside), `${percentage} %`);
        before = inside;
      }
    }
  });

  test(`${kind}: another salt draws others`, () => {
    let both = 0;
    for (let n = 0; n < COUNT; n++) {
      if (placeOf(keyOf(n), seedOf('a')) < 0.5 && placeOf(keyOf(n), seedOf('b')) < 0.5) both++;
    }
    near(both, 25, 'in both');
  });

  test(`${kind}: weights are met, and only those whose share grows win clients`, () => {
    const draws = [
      { a: 100, b: 0, c: 0 },
      { a: 90, b: 10, c: 0 },
      { a: 80, b: 20, c: 0 },
      { a: 60, b: 20, c: 20 },
      { a: 0, b: 1, c: 3 },
      { a: 1, b: 0, c: 3 },
    ].map((weights) => {
      const versions = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
      const sum = versions.reduce((total, { weight }) => total + weight, 0);
      const draw = new WeightedDraw(versions, 0);
      const names = Array.from({ length: COUNT }, (_, n) => draw.of(hash32(keyOf(n)))?.name ?? '');
      const shares = new Map(versions.map(({ name, weight }) => [name, weight / sum]));
      for (const [name, share] of shares)
        near(names.filter((one) => one === name).length, share * 100, JSON.stringify(weights));
      return { names, shares };
    });
    for (const [at, { names, shares }] of draws.entries()) {
      const before = draws[at - 1];
      if (before === undefined) continue;
      for (const [n, name] of names.entries()) {
        const was: string = before.names[n] ?? '';
        if (was === name) continue;
        const grew = (one: string): number => (shares.get(one) ?? 0) - (before.shares.get(one) ?? 0);
        assert.ok(grew(name) > 0 || grew(was) < 0, `${was} to ${name}`);
      }
    }
  });
}

test('who was in a version that cannot be asked is spread over the others; nobody else moves', () => {
  const versions = ['a', 'b', 'c', 'd'].map((name) => ({ name, weight: 1 }));
  const draw = new WeightedDraw(versions, 0);
  const [a] = versions;
  assert.ok(a !== undefined);
  const moved = new Map<string, number>();
  for (let n = 0; n < COUNT; n++) {
    const key = hash32(`key ${n}`);
    const first = draw.of(key)?.name;
    const then: string = draw.of(key, new Set([a]))?.name ?? '';
    if (first === 'a') moved.set(then, (moved.get(then) ?? 0) + 1);
    else assert.equal(then, first);
  }
  for (const name of ['b', 'c', 'd']) near(moved.get(name) ?? 0, 25 / 3, name);
  assert.equal(draw.of(1, new Set(versions)), null);
});

test('the order of versions does not matter', () => {
  const versions = ['a', 'b', 'c'].map((name, at) => ({ name, weight: at + 1 }));
  const [one, other] = [new WeightedDraw(versions, 5), new WeightedDraw(versions.toReversed(), 5)];
  for (let n = 0; n < 1000; n++) assert.equal(one.of(hash32(`${n}`)), other.of(hash32(`${n}`)));
});

const HOUR = 3_600_000;
const RAMPS: ReadonlyArray<readonly [steps: number, elapsed: number, share: number]> = [
  [4, -1, 0],
  [4, 0, 0],
  [4, HOUR / 4 - 1, 0],
  [4, HOUR / 4, 0.25],
  [4, HOUR / 2, 0.5],
  [4, HOUR - 1, 0.75],
  [4, HOUR, 1],
  [4, HOUR * 100, 1],
  [1, HOUR - 1, 0],
  [1, HOUR, 1],
  [1000, HOUR / 2 + 1, 0.5],
];

test('a release grows by equal steps', () => {
  for (const [steps, elapsed, share] of RAMPS) {
    assert.equal(
      shareAt({ start: 1e12, duration: HOUR, steps }, 1e12 + elapsed),
      share,
      `${steps} ${elapsed}`,
    );
  }
  assert.deepEqual(
    [-1, 0].map((elapsed) => shareAt({ start: 1e12, duration: 0, steps: 10 }, 1e12 + elapsed)),
    [0, 1],
  );
});
