/** The ways of balancing: Kong's four by its names, and those that only the plugin balancing names. */
import type { MakeAlgorithm, MakeAtOnce, MakeSharedAlgorithm } from './algorithm.ts';
import { ConsistentHash, consistentHash } from './consistent-hash.ts';
import { Latency } from './latency.ts';
import { LeastConnections } from './least-connections.ts';
import { LoadTree } from './load-tree.ts';
import { PowerOfTwo } from './power-of-two.ts';
import { RoundRobin } from './round-robin.ts';

export type AlgorithmName =
  | 'round-robin'
  | 'consistent-hashing'
  | 'least-connections'
  | 'latency'
  | 'power-of-two';

/**
 * `make` (without it `atOnce`): depends on the configuration alone. `share`: goes by what all workers know of the members.
 */
type Entry =
  | { readonly atOnce: MakeAtOnce; readonly make?: MakeAlgorithm }
  | { readonly share: MakeSharedAlgorithm };

/** Counts, of members times workers, from which on a tree is cheaper than a look at all of them. */
const MANY = 64;

export const ALGORITHMS: Readonly<Record<AlgorithmName, Entry>> = {
  'round-robin': { atOnce: (spec) => new RoundRobin(spec) },
  'consistent-hashing': { atOnce: (spec) => ConsistentHash.lazily(spec), make: consistentHash },
  'least-connections': {
    share: (spec, shared) =>
      spec.members.length * shared.zone.workers < MANY
        ? new LeastConnections(spec, shared)
        : new LoadTree(spec, shared),
  },
  latency: { share: (spec, shared) => new Latency(spec, shared) },
  'power-of-two': { share: (spec, shared) => new PowerOfTwo(spec, shared) },
};
