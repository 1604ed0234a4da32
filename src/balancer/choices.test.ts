/** Ways of choosing that requests ask for: how long they live, and what they hold of the zone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mix32 } from '../zone/hash32.ts';
import { NodeTargets } from '../zone/targets/node-targets.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import type { AlgorithmName } from './algorithms/registry.ts';
import { Balancer } from './balancer.ts';
import { type TargetSpec } from './target.ts';
import type { BalancingPolicy } from './policy.ts';
import { groupsOf } from './priorities.ts';

const NAMES = ['round-robin', 'consistent-hashing', 'least-connections', 'latency', 'power-of-two'] as const;

const policy = (algorithm: AlgorithmName, key: string = algorithm): BalancingPolicy => ({
  key,
  algorithm,
  hashSource: null,
  slowStart: 0,
});

const target = (n: number, priority = 0): TargetSpec => ({ host: `h${n}`, port: 80, weight: 100, priority });
const some = (count: number): TargetSpec[] => Array.from({ length: count }, (_, n) => target(n));

function zoneOf(workers = 2): { readonly node: NodeTargets; readonly zones: readonly TargetZone[] } {
  const node = new NodeTargets(workers, 4096);
  return {
    node,
    zones: Array.from({ length: workers }, (_, id) => new TargetZone(node.buffer, id, node.shape)),
  };
}

function serve(
  zone: TargetZone | undefined,
  targets: readonly TargetSpec[],
  previous: Balancer | null = null,
): Balancer {
  const balancer = Balancer.of({ hostHeader: null, targets, start: 0, id: 'u' }, previous);
  assert.ok(zone);
  balancer.open(zone);
  previous?.close();
  return balancer;
}

test('one policy is one choice, whoever made it; another is another', () => {
  const { zones } = zoneOf();
  const balancer = serve(zones[0], some(3));
  for (const name of NAMES) assert.equal(balancer.choice(policy(name)), balancer.choice(policy(name)));
  assert.notEqual(balancer.choice(policy('latency')), balancer.choice(policy('latency', 'other')));
  assert.equal(balancer.choice(null), balancer.choice(null));
});

test('the zone is asked by the first policy that needs it, and let go with the balancer', () => {
  const { zones } = zoneOf();
  const first = serve(zones[0], some(3));
  first.choice(policy('consistent-hashing'));
  assert.equal(first.targets[0]?.load, null);
  first.choice(policy('power-of-two'));
  first.choice(policy('least-connections'));
  const loads = first.targets.map(({ load }) => load);
  assert.ok(loads.every((load) => (load?.slot ?? 0) > 0));
  const second = serve(zones[0], some(3), first);
  assert.deepEqual(
    second.targets.map(({ load }) => load),
    loads,
    'what was asked for goes on',
  );
  second.close();
  assert.ok(loads.every((load) => load?.slot === 0));
});

test('after the end of a balancer requests that began with it are served, and take nothing', () => {
  const { zones } = zoneOf();
  const balancer = serve(zones[0], some(3));
  const known = balancer.choice(policy('power-of-two'));
  balancer.close();
  assert.ok(known.next(null, 0) >= 0);
  assert.equal(balancer.choice(policy('power-of-two')), known);
  assert.equal(balancer.choice(policy('latency')), balancer.choice(null));
});

test('policies are bounded, and those that nobody asks for are forgotten', () => {
  const { zones } = zoneOf();
  let balancer = serve(zones[0], some(100));
  const first = balancer.choice(policy('least-connections', 'first'));
  for (let n = 0; n < 64; n++) balancer.choice(policy('round-robin', String(n)));
  assert.notEqual(balancer.choice(policy('least-connections', 'first')), first);
  for (let change = 0; change < 60; change++) balancer = serve(zones[0], some(100 + (change % 2)), balancer);
  const load = balancer.targets[0]?.load;
  assert.ok(load, 'still known');
  balancer = serve(zones[0], some(100), balancer);
  assert.equal(balancer.targets[0]?.load, null);
  assert.equal(load.slot, 0);
});

test('a hundred targets that change while two choices watch what is in flight: both see it', () => {
  const { zones } = zoneOf(1);
  const balancer = serve(zones[0], some(100));
  const [one, other] = [policy('least-connections', 'one'), policy('least-connections', 'other')];
  for (const by of [one, other]) {
    const taken = new Set<number>();
    for (let n = 0; n < 100; n++) {
      const index = balancer.choice(by).next(null, 0);
      balancer.targets[index]?.load?.begin();
      taken.add(index);
    }
    assert.equal(taken.size, 100, 'each once, by what the other has begun');
  }
  for (const index of [7, 8]) for (let n = 0; n < 2; n++) balancer.targets[index]?.load?.end();
  assert.deepEqual(new Set([one, one].map((by) => take(balancer, by))), new Set([7, 8]));
  assert.deepEqual(new Set([other, other].map((by) => take(balancer, by))), new Set([7, 8]));
});

function take(balancer: Balancer, by: BalancingPolicy): number {
  const index = balancer.choice(by).next(null, 0);
  balancer.targets[index]?.load?.begin();
  return index;
}

test('a table of hashes that a policy has goes on when targets change: only keys of who is gone move', () => {
  const { zones } = zoneOf();
  const before = serve(zones[0], some(10));
  const by = policy('consistent-hashing');
  const hostOf = (balancer: Balancer, n: number): string | undefined =>
    balancer.targets[balancer.choice(by).next(null, mix32(n))]?.host;
  const owners = Array.from({ length: 20_000 }, (_, n) => hostOf(before, n));
  const after = serve(zones[0], some(9), before);
  const moved = owners.filter((owner, n) => hostOf(after, n) !== owner);
  assert.ok(moved.every((owner) => owner === 'h9'));
  // The words: at most 1 in N and 5 % of the keys.
  assert.ok(moved.length / owners.length <= 1 / 10 + 0.05, String(moved.length));
  const anew = serve(zones[1], some(9));
  for (let n = 0; n < 5000; n++) assert.equal(hostOf(anew, n), hostOf(after, n), 'on every worker');
});

test('groups are by priority, in the order in which targets came, and without those of weight 0', () => {
  const targets = [target(0, 2), target(1), { ...target(2, 1), weight: 0 }, target(3, 2), target(4)];
  const groups = groupsOf(targets).map(({ priority, first, members }) => [
    priority,
    first,
    members.map(({ name }) => name).join(),
  ]);
  assert.deepEqual(groups, [
    [0, 0, 'h1:80,h4:80'],
    [2, 2, 'h0:80,h3:80'],
  ]);
  const balancer = Balancer.of({ hostHeader: null, targets, start: 0 });
  assert.deepEqual(
    balancer.targets.map(({ host, index }) => `${host} ${index}`),
    ['h1 0', 'h4 1', 'h0 2', 'h3 3'],
  );
  const passed = new Set<number>();
  const seen: string[] = [];
  for (let next = balancer.next(passed); next !== null; next = balancer.next(passed)) {
    passed.add(next.index);
    seen.push(next.host);
  }
  assert.deepEqual(seen, ['h1', 'h4', 'h0', 'h3']);
});
