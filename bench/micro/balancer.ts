/**
 * What balancing adds to a request, in nanoseconds, by algorithm and number of targets: `node bench/micro/balancer.ts
 * [workers]`.
 *
 * A request is a choice among the targets, by the hash of its client's address where the algorithm hashes, and where it
 * goes by what is in flight or by latencies also the bookkeeping of begin, answer and end. Unequal weights are 1 to 7.
 * `busy` has a request in flight on every target, so that least-connections finds no idle one and has to see them all.
 */
import { Balancer, type BalancerTarget } from '../../src/balancer/balancer.ts';
import { HashSource, type HashInput } from '../../src/balancer/hash-source.ts';
import { Peers } from '../../src/balancer/peers.ts';
import { ALGORITHMS, type AlgorithmName } from '../../src/balancer/algorithms/registry.ts';
import { AddressRing } from '../../src/balancer/resolver/address-ring.ts';
import type { Resolver } from '../../src/balancer/resolver/resolver.ts';
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

function balancer(algorithm: AlgorithmName, targets: number, unequal: boolean, busy: boolean): Balancer {
  const hosts = Array.from({ length: targets }, (_, n) => ({
    host: `10.1.${n >> 8}.${n & 255}`,
    port: 80,
    weight: unequal ? (n % 7) + 1 : 100,
  }));
  const made = Balancer.of({
    hostHeader: null,
    targets: hosts,
    start: 0,
    algorithm,
    hashSource: algorithm === 'consistent-hashing' ? HASH : null,
  });
  const node = new NodeTargets(WORKERS);
  const zone = new TargetZone(node.buffer, 0, node.shape);
  made.open(zone);
  if (busy) {
    const taken = new Set<number>();
    for (let target = made.next(taken); target !== null; target = made.next(taken)) {
      target.load?.begin();
      taken.add(target.index);
    }
  }
  return made;
}

function request(made: Balancer, index: number): BalancerTarget {
  const peers = new Peers(made, RESOLVER);
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

for (const targets of [10, 1000]) {
  const cases: MicroCase[] = [];
  for (const algorithm of Object.keys(ALGORITHMS) as AlgorithmName[]) {
    for (const unequal of [false, true]) {
      for (const busy of algorithm === 'least-connections' ? [false, true] : [false]) {
        const made = balancer(algorithm, targets, unequal, busy);
        const name = `${algorithm}${unequal ? ', unequal' : ''}${busy ? ', busy' : ''}`;
        cases.push({ name, run: (index) => request(made, index) });
      }
    }
  }
  console.log(microTable(`${targets} targets`, micro(cases, { batches: 15 })));
}
