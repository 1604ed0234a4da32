/**
 * balancing: one policy for all requests of a configuration. The balancers of upstreams know it by what it says, so that
 * configurations which say the same, and a configuration that was written anew, go on with what there is.
 */
import { HashSource } from '../../balancer/hash-source.ts';
import type { BalancingPolicy } from '../../balancer/policy.ts';
import { definePlugin } from '../kit/define.ts';
import { type BalancingConfig, balancing } from './schema.ts';

function policyOf(config: BalancingConfig): BalancingPolicy {
  const { algorithm, slow_start: seconds } = config;
  const hashes = algorithm === 'consistent-hashing';
  const said = Object.entries(config).filter(([, value]) => value !== null && value !== undefined);
  return {
    key: JSON.stringify(said.toSorted(([one], [other]) => (one < other ? -1 : 1))),
    algorithm,
    hashSource: hashes ? new HashSource(config) : null,
    slowStart: seconds * 1000,
  };
}

export default definePlugin({
  ...balancing,
  create(config) {
    const policy = policyOf(config);
    return {
      access({ upstreamRequest }) {
        upstreamRequest.setBalancing(policy);
      },
    };
  },
});
