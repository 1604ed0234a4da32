/** What every algorithm must do, in one table; and how each of them shares requests out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mix32 } from '../../zone/hash32.ts';
import { NodeTargets } from '../../zone/targets/node-targets.ts';
import { TargetZone } from '../../zone/targets/target-zone.ts';
import { Balancer } from '../balancer.ts';
import { type BalancerTarget, type TargetSpec } from '../target.ts';
import type { Algorithm } from './algorithm.ts';
import { ALGORITHMS, type AlgorithmName } from './registry.ts';

const NAMES = Object.keys(ALGORITHMS) as AlgorithmName[];

/** Host to weight, in order. */
type Weights = ReadonlyArray<readonly [host: string, weight: number]>;

interface Made {
  readonly balancer: Balancer;
  readonly zone: TargetZone;
}

function make(
  algorithm: AlgorithmName,
  weights: Weights,
  more: { previous?: Made; start?: number; priority?: number } = {},
): Made {
  const { priority = 0 } = more;
  const targets: TargetSpec[] = weights.map(([host, weight]) => ({ host, port: 80, weight, priority }));
  // Behind another group, nobody of which is ever left: what holds for one group holds for the next.
  if (priority > 0) targets.push(...GONE.map((host) => ({ host, port: 80, weight: 5 })));
  const spec = { hostHeader: null, targets, algorithm, start: more.start ?? 0.3, id: 'u' };
  const balancer = Balancer.of(spec, more.previous?.balancer ?? null);
  const zone = more.previous?.zone ?? TargetZone.standalone(4096);
  balancer.open(zone);
  assert.equal(balancer.alone, false);
  more.previous?.balancer.close();
  return { balancer, zone };
}

/** Hosts of a group in front of the one that is tested. */
const GONE: readonly string[] = ['gone0', 'gone1', 'gone2'];

const equal = (count: number, weight = 100): Weights =>
  Array.from({ length: count }, (_, n) => [`h${n}`, weight] as const);
const unequal = (count: number): Weights =>
  Array.from({ length: count }, (_, n) => [`h${n}`, (n % 5) + 1] as const);

/** How a request ends before the next one comes: at once; after all others; after an answer of that many ms. */
type Ends = 'at once' | 'later' | { readonly after: number };

/** Hosts that requests go to, one with each hash. */
function requests(
  { balancer }: Made,
  count: number,
  ends: Ends,
  passed: ReadonlySet<number> | null = null,
): string[] {
  const open: BalancerTarget[] = [];
  const hosts = Array.from({ length: count }, (_, n) => {
    const target = balancer.next(passed, mix32(n));
    assert.ok(target);
    target.load?.begin();
    if (typeof ends === 'object') target.load?.observe(ends.after);
    if (ends === 'later') open.push(target);
    else target.load?.end();
    return target.host;
  });
  for (const { load } of open) load?.end();
  return hosts;
}

function counted(hosts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const host of hosts) counts.set(host, (counts.get(host) ?? 0) + 1);
  return counts;
}

const indexes = (...of: readonly number[]): ReadonlySet<number> => new Set(of);
const SIZES = [1, 2, 10, 100, 1000];

/** The algorithm without a balancer around it. */
function alone(name: AlgorithmName, weights: Weights): Algorithm {
  const members = weights.map(([host, weight]) => ({ name: host, weight }));
  const spec = { members, slots: 10_000, start: 0.3, previous: null };
  const entry = ALGORITHMS[name];
  if (!('share' in entry)) return entry.atOnce(spec);
  const zone = TargetZone.standalone(4096);
  const loads = members.map(({ name: key }) => zone.acquire(key));
  assert.ok(loads.every((load) => load !== null));
  return entry.share(spec, { zone, loads });
}

for (const name of NAMES) {
  test(`${name}: nobody is nobody`, () => {
    assert.equal(make(name, []).balancer.next(null, 1), null);
    assert.equal(make(name, [['a', 0]]).balancer.next(null, 1), null);
    assert.equal(make(name, []).balancer.next(indexes(), 1), null);
  });

  test(`${name}: weight 0 is never taken`, () => {
    const made = make(name, [
      ['zero', 0],
      ['a', 1],
      ['none', 0],
      ['b', 2],
    ]);
    for (const ends of ['at once', 'later'] as const) {
      assert.ok(requests(made, 200, ends).every((host) => host === 'a' || host === 'b'));
    }
  });

  test(`${name}: one target takes all, and none is left when it is passed over`, () => {
    const made = make(name, [['a', 7]]);
    assert.deepEqual(counted(requests(made, 20, 'later')), new Map([['a', 20]]));
    assert.equal(made.balancer.next(indexes(0), 5), null);
    assert.equal(made.balancer.next(null, 5)?.host, 'a');
  });

  for (const size of SIZES) {
    for (const weights of [equal(size), unequal(size)]) {
      const label = `${name}: ${size} ${weights === undefined || weights.every(([, one]) => one === 100) ? 'equal' : 'unequal'} targets`;
      test(`${label}: a request that fails everywhere meets each of them once`, () => {
        const { balancer } = make(name, weights);
        const passed = new Set<number>();
        for (let tries = 0; tries < size; tries++) {
          const target = balancer.next(passed, 99);
          assert.ok(target);
          assert.ok(!passed.has(target.index));
          target.load?.begin();
          target.load?.end();
          passed.add(target.index);
        }
        assert.equal(balancer.next(passed, 99), null);
        assert.ok(balancer.next(null, 99), 'the next request is none the worse');
      });

      test(`${label}: those that are out get nothing, and are back afterwards`, () => {
        const made = make(name, weights);
        const out = new Set(weights.keys().filter((n) => n % 3 === 1));
        const hosts = requests(made, 300, 'later', out);
        assert.ok(hosts.every((host) => !out.has(Number(host.slice(1)))));
        const back = counted(requests(made, size * 60, 'later'));
        if (size <= 10) for (const [host] of weights) assert.ok(back.has(host), host);
      });
    }
  }

  for (const size of [2, 10, 100, 1000]) {
    for (const weights of [equal(size), unequal(size)]) {
      const kind = weights.every(([, one]) => one === 100) ? 'equal' : 'unequal';
      test(`${name}: ${size} ${kind} targets, of which most are out for everybody`, () => {
        const algorithm = alone(name, weights);
        const left = new Set([size - 1, Math.floor(size / 2)]);
        for (const member of weights.keys()) algorithm.setOut(member, !left.has(member));
        const taken = new Set(Array.from({ length: 200 }, (_, n) => algorithm.next(null, mix32(n))));
        // Who is always the better choice may be the only one.
        const all = name !== 'latency' && (name !== 'least-connections' || kind === 'equal');
        assert.deepEqual(taken, all ? left : new Set([...taken].filter((n) => left.has(n))));
        for (const member of left) {
          const other = [...left].find((n) => n !== member) ?? -1;
          assert.equal(algorithm.next(indexes(member), 3), other, 'one of them has failed');
        }
        assert.equal(algorithm.next(left, 5), -1);
        for (const member of left) algorithm.setOut(member, true);
        assert.equal(algorithm.next(null, 7), -1, 'nobody is left');
        for (const member of weights.keys()) algorithm.setOut(member, false);
        const back = new Set(Array.from({ length: size * 60 }, (_, n) => algorithm.next(null, mix32(n))));
        assert.ok(!back.has(-1) && (!all || back.size > size / 2), `${back.size} are back`);
      });
    }
  }

  test(`${name}: a group behind another is as one alone, once nobody of that is left`, () => {
    const [behind, front] = [make(name, unequal(7), { priority: 1 }), make(name, unequal(7))];
    const gone = new Set(GONE.keys());
    assert.deepEqual(requests(behind, 100, 'later', gone), requests(front, 100, 'later'));
    const hosts = requests(make(name, unequal(7), { priority: 1 }), 60, 'later');
    assert.ok(hosts.every((host) => GONE.includes(host)));
    const some = requests(behind, 60, 'later', indexes(0, 2));
    assert.deepEqual([...new Set(some)], ['gone1'], 'one is left in front');
  });

  test(`${name}: the same start makes the same choices`, () => {
    const [one, other] = [make(name, unequal(7)), make(name, unequal(7))];
    assert.deepEqual(requests(one, 100, 'later'), requests(other, 100, 'later'));
  });
}

interface Shares {
  readonly name: AlgorithmName;
  readonly weights: Weights;
  readonly count: number;
  readonly ends: Ends;
  /** By how many requests each may be off its share by weight. */
  readonly off: (due: number) => number;
}

const exact = (): number => 0;
/** Three standard deviations of a binomial share, and the unevenness of the slots. */
const hashed = (due: number): number => 3 * Math.sqrt(due) + due * 0.12;

const SHARES: readonly Shares[] = [
  { name: 'round-robin', weights: equal(10), count: 1000, ends: 'at once', off: exact },
  { name: 'round-robin', weights: unequal(10), count: 3000, ends: 'at once', off: exact },
  { name: 'round-robin', weights: unequal(100), count: 3000, ends: 'at once', off: () => 1 },
  { name: 'round-robin', weights: unequal(1000), count: 30_000, ends: 'at once', off: () => 1 },
  { name: 'least-connections', weights: equal(10), count: 1000, ends: 'later', off: exact },
  { name: 'least-connections', weights: unequal(10), count: 300, ends: 'later', off: () => 1 },
  { name: 'least-connections', weights: equal(1000), count: 5000, ends: 'later', off: exact },
  { name: 'least-connections', weights: unequal(1000), count: 6000, ends: 'later', off: () => 1 },
  { name: 'least-connections', weights: equal(10), count: 1000, ends: 'at once', off: exact },
  { name: 'least-connections', weights: equal(100), count: 1000, ends: 'at once', off: exact },
  { name: 'consistent-hashing', weights: equal(3), count: 30_000, ends: 'at once', off: hashed },
  { name: 'consistent-hashing', weights: equal(10), count: 30_000, ends: 'at once', off: hashed },
  { name: 'consistent-hashing', weights: unequal(10), count: 30_000, ends: 'at once', off: hashed },
  // Drawn at random, from the same start in each run.
  { name: 'power-of-two', weights: equal(10), count: 30_000, ends: 'at once', off: hashed },
  { name: 'power-of-two', weights: unequal(10), count: 30_000, ends: 'at once', off: hashed },
  { name: 'power-of-two', weights: equal(10), count: 10_000, ends: 'later', off: (due) => due * 0.01 },
  { name: 'power-of-two', weights: unequal(10), count: 10_000, ends: 'later', off: (due) => due * 0.02 },
  { name: 'power-of-two', weights: equal(1000), count: 50_000, ends: 'later', off: () => 4 },
  // In flight everywhere, with the same latency: what is expected grows with what is there.
  { name: 'latency', weights: equal(10), count: 10_000, ends: 'later', off: (due) => due * 0.01 },
];

for (const { name, weights, count, ends, off } of SHARES) {
  const sum = weights.reduce((all, [, weight]) => all + weight, 0);
  const last = weights.at(-1)?.[1];
  test(`${name}: shares of ${weights.length} targets up to weight ${last}, requests that end ${JSON.stringify(ends)}`, () => {
    const made = make(name, weights);
    if (name === 'latency') warm(made, weights.length);
    const counts = counted(requests(made, count, ends));
    for (const [host, weight] of weights) {
      const due = (count * weight) / sum;
      const got = counts.get(host) ?? 0;
      assert.ok(Math.abs(got - due) <= off(due), `${host}: ${got} of ${due}`);
    }
  });
}

/** All have answered in 10 ms. */
function warm({ balancer }: Made, count: number): void {
  const passed = new Set<number>();
  for (let n = 0; n < count; n++) {
    const target = balancer.next(passed, 0);
    target?.load?.observe(10);
    if (target) passed.add(target.index);
  }
}

test('least-connections: what ends is known at once, among few and among many', () => {
  for (const size of [5, 500]) {
    const { balancer } = make('least-connections', equal(size));
    const targets = Array.from({ length: size }, () => {
      const target = balancer.next(null);
      target?.load?.begin();
      return target;
    });
    assert.equal(new Set(targets).size, size);
    const freed = targets[3];
    assert.ok(freed);
    freed.load?.end();
    assert.equal(balancer.next(null)?.host, freed.host);
  }
});

test('least-connections: a heavy target is taken until it has its share more than a light one', () => {
  const hosts = requests(
    make('least-connections', [
      ['light', 1],
      ['heavy', 3],
    ]),
    8,
    'later',
  );
  assert.deepEqual(
    counted(hosts),
    new Map([
      ['heavy', 6],
      ['light', 2],
    ]),
  );
});

test('latency: of two the faster is taken, the slower its weight times less', () => {
  const made = make('latency', [
    ['a', 1],
    ['b', 1],
  ]);
  const first = made.balancer.next(null);
  first?.load?.observe(100);
  const second = made.balancer.next(null);
  assert.notEqual(second?.host, first?.host, 'who never answered is asked');
  second?.load?.observe(5);
  const hosts = requests(made, 50, 'at once');
  assert.deepEqual([...new Set(hosts)], [second?.host]);
});

test('latency: a slower answer counts at once, faster ones by and by', () => {
  const made = make('latency', [
    ['a', 1],
    ['b', 1],
  ]);
  const [a, b] = [made.balancer.next(indexes(1)), made.balancer.next(indexes(0))];
  a?.load?.observe(5);
  b?.load?.observe(50);
  a?.load?.observe(500);
  assert.equal(made.balancer.next(null)?.host, 'b');
  for (let n = 0; n < 20; n++) a?.load?.observe(5);
  assert.equal(made.balancer.next(null)?.host, 'b', 'no time has passed');
});

test('latency: many requests in flight outweigh a small difference', () => {
  const made = make('latency', [
    ['a', 1],
    ['b', 1],
  ]);
  made.balancer.next(indexes(1))?.load?.observe(10);
  made.balancer.next(indexes(0))?.load?.observe(40);
  const counts = counted(requests(made, 50, 'later'));
  assert.deepEqual([counts.get('a'), counts.get('b')], [40, 10]);
});

for (const name of ['least-connections', 'latency'] as const) {
  test(`${name}: targets that stay keep their state when others come and go`, () => {
    const first = make(name, [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    // c is out for other reasons: what it knows is that a has nothing to do.
    const b = first.balancer.next(indexes(0, 2));
    b?.load?.begin();
    b?.load?.observe(500);
    first.balancer.next(indexes(1, 2))?.load?.observe(5);
    const second = make(
      name,
      [
        ['new', 1],
        ['b', 1],
        ['a', 1],
      ],
      { previous: first },
    );
    assert.equal(second.balancer.next(indexes(0))?.host, 'a');
    b?.load?.end();
  });
}

test('a zone without room: the worker balances by what it knows itself', () => {
  const targets = equal(30).map(([host, weight]) => ({ host, port: 80, weight }));
  const balancer = Balancer.of({ hostHeader: null, targets, algorithm: 'least-connections', start: 0 });
  const full = new NodeTargets(1, 16);
  balancer.open(new TargetZone(full.buffer, 0, full.shape));
  assert.equal(balancer.alone, true);
  const counts = counted(requests({ balancer, zone: TargetZone.standalone(1) }, 90, 'later'));
  assert.ok([...counts.values()].every((count) => count === 3));
  balancer.close();
});

test('power-of-two: four workers balance as one, by the counts of all of them', () => {
  const node = new NodeTargets(4);
  const workers = [0, 1, 2, 3].map((id) => {
    const zone = new TargetZone(node.buffer, id, node.shape);
    const targets = unequal(20).map(([host, weight]) => ({ host, port: 80, weight }));
    const balancer = Balancer.of({ hostHeader: null, targets, algorithm: 'power-of-two', start: id / 4 });
    balancer.open(zone);
    return balancer;
  });
  const counts = new Map<string, number>();
  // Two of them have nearly everything to do: the others see it.
  for (let n = 0; n < 6000; n++) {
    const target = workers[n % 10 < 9 ? n % 2 : 2 + (n % 2)]?.next(null);
    assert.ok(target);
    target.load?.begin();
    counts.set(target.host, (counts.get(target.host) ?? 0) + 1);
  }
  const sum = unequal(20).reduce((all, [, weight]) => all + weight, 0);
  for (const [host, weight] of unequal(20)) {
    const due = (6000 * weight) / sum;
    const got = counts.get(host) ?? 0;
    assert.ok(Math.abs(got - due) <= due * 0.03 + 2, `${host}: ${got} of ${due}`);
  }
});

test('hashes are settled slot by slot, and the same as in a table that was made beforehand', () => {
  const { balancer } = make('consistent-hashing', unequal(50));
  const lazily = alone(
    'consistent-hashing',
    unequal(50).map(([host, weight]) => [`${host}:80`, weight]),
  );
  for (let n = 0; n < 3000; n++) {
    const passed = n % 3 === 0 ? indexes(n % 50, (n + 1) % 50) : null;
    assert.equal(lazily.next(passed, mix32(n)), balancer.next(passed, mix32(n))?.index);
  }
});
