/** Targets that come, or come back, get their share by and by: under a clock of the test's own, on all workers alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthWriter } from '../zone/health/health-writer.ts';
import { HealthZone } from '../zone/health/health-zone.ts';
import { addressKey, groupKey } from '../zone/health/layout.ts';
import { NodeTargets } from '../zone/targets/node-targets.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import type { AlgorithmName } from './algorithms/registry.ts';
import { Balancer } from './balancer.ts';
import { type BalancerTarget } from './target.ts';
import type { HealthChecks } from './health/health-checks.ts';
import { UpstreamHealth } from './health/upstream-health.ts';
import type { BalancingPolicy } from './policy.ts';

const LIMITS = {
  healthyStatuses: new Set([200]),
  successes: 1,
  unhealthyStatuses: new Set([500]),
  tcpFailures: 1,
  timeouts: 1,
  httpFailures: 1,
};
const CHECKS: HealthChecks = { used: true, threshold: 0, passive: LIMITS, active: LIMITS };
const SECONDS = 1000;
const STARTING = ['round-robin', 'least-connections', 'latency', 'power-of-two'] as const;

function policy(algorithm: AlgorithmName, slowStart = 10 * SECONDS): BalancingPolicy {
  return { key: `${algorithm} ${slowStart}`, algorithm, hashSource: null, slowStart };
}

const host = (n: number): string => `10.0.${n >> 8}.${n & 255}`;

/** A node of four workers with one upstream, whose clock stands. */
class Node {
  now = 1000 * SECONDS;
  readonly zones: readonly TargetZone[];
  readonly #writer: HealthWriter;
  readonly #health: readonly HealthZone[];
  #served: Array<Balancer | null> = [null, null, null, null];

  constructor(known = 1000) {
    const node = new NodeTargets(4);
    this.zones = [0, 1, 2, 3].map((id) => new TargetZone(node.buffer, id, node.shape, () => this.now));
    this.#writer = new HealthWriter({ oldestHeartbeat: () => this.now, now: () => this.now });
    this.#health = this.zones.map((zone) => new HealthZone(this.#writer.buffer, () => zone.now()));
    const group = this.#writer.take(groupKey('u'), null);
    for (let n = 0; n < known; n++) this.#writer.take(this.#key(n), group);
  }

  #key(n: number): ReturnType<typeof addressKey> {
    return addressKey('u', { host: host(n), port: 80 }, host(n), 80);
  }

  /** All workers serve these targets from now on; or one alone. */
  serve(numbers: readonly number[], weight: (n: number) => number = () => 100, only?: number): void {
    const targets = numbers.map((n) => ({ host: host(n), port: 80, weight: weight(n) }));
    for (const [id, zone] of this.zones.entries()) {
      if (only !== undefined && only !== id) continue;
      const zoneOfHealth = this.#health[id];
      assert.ok(zoneOfHealth);
      const health = new UpstreamHealth(zoneOfHealth, { id: 'u', name: 'u', checks: CHECKS, targets });
      const before = this.#served[id] ?? null;
      const balancer = Balancer.of({ hostHeader: null, targets, start: id / 4, id: 'u', health }, before);
      balancer.open(zone);
      before?.close();
      this.#served[id] = balancer;
    }
  }

  set(n: number, healthy: boolean): void {
    const handle = this.#health[0]?.find(this.#key(n));
    assert.ok(handle);
    assert.ok(this.#health[0]?.force(handle, healthy));
  }

  /** Shares of the requests that a worker sends now; one after the other, or all together. */
  shares(by: BalancingPolicy, count: number, worker = 0, together = false): Map<string, number> {
    const balancer = this.#served[worker];
    assert.ok(balancer);
    const shares = new Map<string, number>();
    const open = [];
    for (let n = 0; n < count; n++) {
      const target: BalancerTarget | undefined = balancer.targets[balancer.choice(by).next(null, 0)];
      assert.ok(target);
      target.load?.begin();
      target.load?.observe(10);
      if (together) open.push(target.load);
      else target.load?.end();
      shares.set(target.host, (shares.get(target.host) ?? 0) + 1 / count);
    }
    for (const load of open) load?.end();
    return shares;
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Of its full share that a starting target has so long after. */
const RAMP: ReadonlyArray<readonly [seconds: number, part: number]> = [
  [0, 0.1],
  [0.5, 0.1],
  [2, 0.2],
  [5, 0.5],
  [9, 0.9],
];

for (const algorithm of STARTING) {
  for (const together of [false, true]) {
    test(`${algorithm}: a target that comes back ramps up, on each worker, ${together ? 'all' : 'none'} in flight`, () => {
      const node = new Node();
      node.serve(numbers(10));
      const by = policy(algorithm);
      node.shares(by, 100);
      node.set(4, false);
      node.now += 60 * SECONDS;
      assert.equal(node.shares(by, 1000).get(host(4)), undefined);
      node.set(4, true);
      const began = node.now;
      for (const [seconds, part] of RAMP) {
        node.now = began + seconds * SECONDS;
        for (const worker of [0, 3]) {
          const got = (node.shares(by, 4000, worker, together).get(host(4)) ?? 0) * 10;
          // Latency leaves to chance who is compared; all others use what they may.
          const least = algorithm === 'latency' ? 0 : part * 0.85;
          assert.ok(got <= part * 1.1 + 0.02, `after ${seconds} s: ${got} of ${part}`);
          assert.ok(got >= least, `after ${seconds} s: ${got} of ${part}`);
        }
      }
      node.now = began + 10 * SECONDS;
      const full = node.shares(by, 4000, 1, true).get(host(4)) ?? 0;
      assert.ok(Math.abs(full - 0.1) < 0.015, `full: ${full}`);
    });
  }

  test(`${algorithm}: a target that is new ramps up, once for all workers, and a reload does not begin it anew`, () => {
    const node = new Node();
    const by = policy(algorithm);
    node.serve(numbers(9));
    for (const worker of [0, 1, 2]) node.shares(by, 10, worker);
    node.now += 60 * SECONDS;
    node.serve(numbers(10));
    const began = node.now;
    node.now = began + 5 * SECONDS;
    // Other targets change meanwhile; a worker that has never asked, and one that comes late, see the same.
    node.serve([...numbers(10), 11]);
    for (const worker of [0, 3]) {
      const part = (node.shares(by, 4000, worker).get(host(9)) ?? 0) * 11;
      assert.ok(part <= 0.58 && part >= (algorithm === 'latency' ? 0 : 0.4), `worker ${worker}: ${part}`);
      const newest = (node.shares(by, 4000, worker).get(host(11)) ?? 0) * 11;
      assert.ok(newest <= 0.15, `worker ${worker}: ${newest}`);
    }
    node.now = began + 20 * SECONDS;
    const shares = node.shares(by, 4000, 2, true);
    for (const n of [...numbers(10), 11]) {
      assert.ok(Math.abs((shares.get(host(n)) ?? 0) - 1 / 11) < 0.015, `${n}: ${shares.get(host(n))}`);
    }
  });
}

test('all that an upstream has at first start at once, and all that come back together share as ever', () => {
  const node = new Node();
  const by = policy('round-robin');
  node.serve(numbers(4));
  assert.equal(node.shares(by, 400).get(host(1))?.toFixed(6), '0.250000');
  for (const n of numbers(4)) node.set(n, false);
  node.now += SECONDS;
  for (const n of numbers(4)) node.set(n, true);
  node.now += SECONDS;
  for (const share of node.shares(by, 400).values()) assert.ok(Math.abs(share - 0.25) < 1e-9);
  // One that comes back later has its part of what the best of them has.
  node.set(0, false);
  node.now += 2 * SECONDS;
  node.set(0, true);
  const late = node.shares(by, 4000).get(host(0)) ?? 0;
  assert.ok(late > 0.06 && late < 0.1, `a third of a share: ${late}`);
});

test('a target that comes back while a request of its former time is still on it ramps up, too', () => {
  for (const busy of [0, 1]) {
    const node = new Node();
    const by = policy('round-robin');
    node.serve(numbers(10));
    for (const worker of [0, 1, 2, 3]) node.shares(by, 10, worker);
    const load = node.zones[busy]?.acquire(`u ${host(9)}:80`);
    load?.begin();
    load?.release();
    node.serve(numbers(9));
    node.now += 60 * SECONDS;
    node.serve(numbers(10));
    const came = node.now;
    for (const worker of [0, 1]) {
      node.now = came + 5 * SECONDS;
      const part = (node.shares(by, 4000, worker).get(host(9)) ?? 0) * 10;
      assert.ok(part > 0.4 && part <= 0.58, `worker ${worker}: ${part}`);
    }
    load?.end();
  }
});

test('a target that flaps begins anew each time; weights count; a request that has nowhere else goes there', () => {
  const node = new Node();
  const by = policy('round-robin');
  const weight = (n: number): number => (n === 0 ? 300 : 100);
  node.serve(numbers(4), weight);
  for (let flap = 0; flap < 3; flap++) {
    node.set(0, false);
    node.now += SECONDS;
    assert.equal(node.shares(by, 40).get(host(0)), undefined);
    node.set(0, true);
    node.now += 5 * SECONDS;
    const share = node.shares(by, 6000).get(host(0)) ?? 0;
    assert.ok(Math.abs(share - 0.25) < 0.02, `half of a half: ${share}`);
  }
  for (const n of [1, 2, 3]) node.set(n, false);
  assert.equal(node.shares(by, 100).get(host(0))?.toFixed(6), '1.000000');
});

test('a thousand targets, half of which are back: each has its part', () => {
  const node = new Node();
  const by = policy('least-connections');
  node.serve(numbers(1000));
  node.shares(by, 10);
  for (let n = 0; n < 500; n++) node.set(n, false);
  node.shares(by, 10);
  for (let n = 0; n < 500; n++) node.set(n, true);
  node.now += 5 * SECONDS;
  const shares = node.shares(by, 40_000);
  let half = 0;
  for (let n = 0; n < 500; n++) half += shares.get(host(n)) ?? 0;
  assert.ok(Math.abs(half - 0.25) < 0.02, String(half));
});

test('hashed requests have their targets at once, and without slow start nobody waits', () => {
  for (const by of [policy('consistent-hashing'), policy('round-robin', 0)]) {
    const node = new Node();
    node.serve(numbers(2));
    const before = node.shares(by, 100);
    node.set(0, false);
    node.shares(by, 10);
    node.set(0, true);
    assert.deepEqual(node.shares(by, 100), before);
  }
});
