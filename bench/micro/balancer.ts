/**
 * What balancing adds to a request, in nanoseconds, by algorithm and number of targets: `node bench/micro/balancer.ts
 * [workers [text]]`, with only those cases whose name contains the text.
 *
 * A request is a choice among the targets, by the hash of its client's address where the algorithm hashes, and where it
 * goes by what is in flight or by latencies also the bookkeeping of begin, answer and end. Unequal weights are 1 to 7.
 * `busy` has a request in flight on every target, so that least-connections finds no idle one and has to see them all.
 *
 * Then the same with three groups by priority, of which the first has nobody left; with slow start, a tenth of the targets
 * being in the middle of it; and with nine of ten targets unhealthy.
 */
import { ALGORITHMS, type AlgorithmName } from '../../src/balancer/algorithms/registry.ts';
import { Balancer } from '../../src/balancer/balancer.ts';
import { type BalancerTarget } from '../../src/balancer/target.ts';
import { HashSource, type HashInput } from '../../src/balancer/hash-source.ts';
import { type HealthChecks, healthChecksOf } from '../../src/balancer/health/health-checks.ts';
import { UpstreamHealth } from '../../src/balancer/health/upstream-health.ts';
import { Peers } from '../../src/balancer/peers.ts';
import type { BalancingPolicy } from '../../src/balancer/policy.ts';
import { AddressRing } from '../../src/balancer/resolver/address-ring.ts';
import type { Resolver } from '../../src/balancer/resolver/resolver.ts';
import { EntityValidator } from '../../src/entities/schema/validate.ts';
import { type Upstream, upstreams } from '../../src/entities/upstream.ts';
import { monotonicMs } from '../../src/lib/monotonic.ts';
import { HealthWriter } from '../../src/zone/health/health-writer.ts';
import { addressKey, groupKey } from '../../src/zone/health/layout.ts';
import { NodeTargets } from '../../src/zone/targets/node-targets.ts';
import { TargetZone } from '../../src/zone/targets/target-zone.ts';
import { micro, microTable, type MicroCase } from '../support/micro.ts';

const RING = new AddressRing([{ ip: '127.0.0.1', port: null, weight: 1 }], Infinity, 0);
const RESOLVER: Resolver = {
  peek: () => RING,
  resolve: () => Promise.resolve(RING),
  close: () => undefined,
};

const HASH = new HashSource({
  hash_on: 'ip',
  hash_fallback: 'none',
  hash_on_header: null,
  hash_fallback_header: null,
  hash_on_cookie: null,
  hash_on_cookie_path: '/',
  hash_on_query_arg: null,
  hash_fallback_query_arg: null,
  hash_on_uri_capture: null,
  hash_fallback_uri_capture: null,
});

/** Whose counts are summed. */
const WORKERS = Number(process.argv[2] ?? 4);

const CLIENTS: readonly HashInput[] = Array.from({ length: 1024 }, (_, n) => ({
  consumerId: null,
  clientIp: `10.0.${n >> 8}.${n & 255}`,
  path: '/',
  query: '',
  hashHeader: () => [],
  capture: () => undefined,
}));

interface Case {
  readonly algorithm: AlgorithmName;
  readonly targets: number;
  readonly unequal?: boolean;
  readonly busy?: boolean;
  /** Groups; all targets of the first are unhealthy. */
  readonly groups?: number;
  /** Part of the targets that is in the middle of its slow start. */
  readonly starting?: number;
  /** Part of the targets that is unhealthy. */
  readonly down?: number;
}

const CHECKS: HealthChecks = healthChecksOf(
  upstreamOf({ passive: { unhealthy: { tcp_failures: 1 } } }).healthchecks,
);
/** The clock of targets stands in the middle of their start. */
const SLOW_START = 1e9;

function upstreamOf(
  healthchecks: object,
): Upstream & { healthchecks: NonNullable<Upstream['healthchecks']> } {
  const validator = new EntityValidator(upstreams);
  const { entity } = validator.validate(
    { input: { name: 'bench', healthchecks } },
    { flavor: 'traditional_compatible', now: 1 },
  );
  return entity as unknown as Upstream & { healthchecks: NonNullable<Upstream['healthchecks']> };
}

function policyOf({ algorithm, starting = 0 }: Case): BalancingPolicy {
  const hashes = algorithm === 'consistent-hashing';
  const slowStart = starting > 0 ? SLOW_START : 0;
  return { key: algorithm, algorithm, hashSource: hashes ? HASH : null, slowStart };
}

function balancer(one: Case): Balancer {
  const { targets: count, unequal = false, groups = 1, starting = 0, down = 0 } = one;
  const targets = Array.from({ length: count }, (_, n) => ({
    host: `10.1.${n >> 8}.${n & 255}`,
    port: 80,
    weight: unequal ? (n % 7) + 1 : 100,
    priority: Math.floor((n * groups) / count),
  }));
  const writer = new HealthWriter({ now: monotonicMs, oldestHeartbeat: () => Infinity });
  const group = writer.take(groupKey('u'), null);
  const health = new UpstreamHealth(writer.zone, { id: 'u', name: 'u', checks: CHECKS, targets });
  const made = Balancer.of({ hostHeader: null, targets, start: 0, id: 'u', health });
  const node = new NodeTargets(WORKERS);
  made.open(new TargetZone(node.buffer, 0, node.shape));
  for (const [n, { host, priority }] of targets.entries()) {
    const handle = writer.take(addressKey('u', { host, port: 80 }, host, 80), group);
    if (handle === null) throw new Error('no room');
    const out = groups > 1 ? priority === 0 : n % 10 < down * 10;
    if (out || n % 10 < starting * 10) writer.zone.force(handle, false);
    if (!out && n % 10 < starting * 10) writer.zone.force(handle, true);
  }
  if (one.busy === true) fill(made, policyOf(one));
  // Slots of hashes are settled when they are asked for first.
  for (let index = 0; index < CLIENTS.length; index++) request(made, policyOf(one), index);
  return made;
}

/** A request in flight on each target. */
function fill(made: Balancer, policy: BalancingPolicy): void {
  made.choice(policy).next(null, 0);
  for (const { load } of made.targets) load?.begin();
}

function request(made: Balancer, policy: BalancingPolicy, index: number): BalancerTarget {
  const peers = new Peers(made, RESOLVER, policy);
  if (peers.hashSource !== null) peers.hash = peers.hashSource.of(CLIENTS[index & 1023]!).hash;
  const target = peers.next();
  if (target === null) throw new Error('no target');
  const { load } = target;
  if (load !== null) {
    load.begin();
    load.observe(1 + (index & 7));
    load.end();
  }
  return target;
}

/** What differs from the plain case, and what it is called. */
const VARIANTS: ReadonlyArray<readonly [name: string, more: Partial<Case>]> = [
  ['', {}],
  [', unequal', { unequal: true }],
  [', busy', { busy: true }],
  [', priority groups', { groups: 3 }],
  [', slow start', { starting: 0.1 }],
  [', nine of ten down', { down: 0.9 }],
];

for (const targets of [10, 1000]) {
  const cases: MicroCase[] = [];
  for (const algorithm of Object.keys(ALGORITHMS) as AlgorithmName[]) {
    for (const [name, more] of VARIANTS) {
      if (!`${algorithm}${name}`.includes(process.argv[3] ?? '')) continue;
      const one = { algorithm, targets, ...more };
      const [made, policy] = [balancer(one), policyOf(one)];
      cases.push({ name: `${algorithm}${name}`, run: (index) => request(made, policy, index) });
    }
  }
  console.log(microTable(`${targets} targets`, micro(cases, { batches: 40, batchTime: 5 })));
}
