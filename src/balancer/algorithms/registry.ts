/** The ways of balancing, by Kong's names. */
import type { Algorithm, AlgorithmSpec, MakeAlgorithm, MakeSharedAlgorithm } from './algorithm.ts';
import { consistentHash } from './consistent-hash.ts';
import { Latency } from './latency.ts';
import { LeastConnections } from './least-connections.ts';
import { LoadTree } from './load-tree.ts';
import { RoundRobin } from './round-robin.ts';

export type AlgorithmName = 'round-robin' | 'consistent-hashing' | 'least-connections' | 'latency';

/** `make`: depends on the configuration alone. `share`: goes by what all workers know of the members. */
type Entry = { readonly make: MakeAlgorithm } | { readonly share: MakeSharedAlgorithm };

/** Counts, of members times workers, from which on a tree is cheaper than a look at all of them. */
const MANY = 64;

export const ALGORITHMS: Readonly<Record<AlgorithmName, Entry>> = {
  'round-robin': { make: atOnce((spec) => new RoundRobin(spec)) },
  'consistent-hashing': { make: consistentHash },
  'least-connections': {
    share: (spec, shared) =>
      spec.members.length * shared.zone.workers < MANY
        ? new LeastConnections(spec, shared)
        : new LoadTree(spec, shared),
  },
  latency: { share: (spec, shared) => new Latency(spec, shared) },
};

function atOnce(make: (spec: AlgorithmSpec) => Algorithm): MakeAlgorithm {
  // oxlint-disable-next-line require-yield -- nothing to wait for
  return function* (spec) {
    return make(spec);
  };
}
