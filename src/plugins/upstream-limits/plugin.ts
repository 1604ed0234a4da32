/**
 * upstream-limits: hands requests a policy by which no more of them are in flight to an upstream than it takes. The counts are
 * the node's, in the zone of circuits (zone/circuits/); the lines of those that wait are each worker's own.
 */
import { GateSet } from '../common/gate-set.ts';
import { definePlugin } from '../kit/define.ts';
import type { Filters } from '../kit/filters.ts';
import type { Circuit } from '../../zone/circuits/circuit.ts';
import { LimitGate, type LimitPolicy } from './gate.ts';
import { upstreamLimits } from './schema.ts';

const COUNTS_MS = 1000;
const LABELS = ['upstream', 'target'] as const;

export default definePlugin({
  ...upstreamLimits,
  create(config, gateway): Filters {
    const { plugin, log, metrics } = gateway;
    const refused = metrics.counter('refused_total', 'Tries that got no place.', ['upstream', 'reason']);
    const waited = metrics.counter('waited_total', 'Requests that had to wait for a place.', ['upstream']);
    const inFlight = metrics.gauge('in_flight', 'Places that are taken.', LABELS);
    const waiting = metrics.gauge('waiting', 'Requests that wait for a place.', ['upstream']);
    const { max_requests, max_requests_per_target, max_connections, max_connections_per_target } = config;
    const shared = { upstream: max_requests ?? Infinity, target: max_requests_per_target ?? Infinity };
    const alone = {
      upstream: Math.min(shared.upstream, max_connections ?? Infinity),
      target: Math.min(shared.target, max_connections_per_target ?? Infinity),
    };
    const policy: LimitPolicy = {
      scope: `limits ${plugin.id}`,
      perTarget: alone.target < Infinity,
      perUpstream: true,
      alone,
      shared,
      maxPending: config.max_pending,
      pendingMs: config.pending_timeout,
      refused: (group, why) => refused(1, [nameOf(group).upstream, why]),
      waited: (group) => waited(1, [nameOf(group).upstream]),
    };
    const gates = new GateSet((destination) => {
      const gate = new LimitGate(destination, policy);
      if (gate.circuits.alone)
        log.warn(`no room to share the places of ${destination.host}: each worker counts for itself`);
      return gate;
    });
    // Each worker says what it has: that is added up.
    gateway.every(COUNTS_MS, () => {
      for (const { circuits } of gates) {
        const { upstream } = nameOf(circuits.group);
        waiting(circuits.group.ownWaiting, [upstream]);
        for (const circuit of [circuits.group, ...circuits.targets]) {
          inFlight(circuit.ownInFlight, [upstream, nameOf(circuit).target]);
        }
      }
    });
    return {
      access({ upstreamRequest }) {
        upstreamRequest.guard({ gateTo: (destination) => gates.of(destination) });
      },
      dispose: () => gates.close(),
    };
  },
});

const NAME = /^limits \S+ (?:upstream|address) (.*?)(?: target (\S*))?$/;

function nameOf({ name }: Circuit): { readonly upstream: string; readonly target: string } {
  const [, upstream = '', target = ''] = NAME.exec(name) ?? [];
  return { upstream, target };
}
