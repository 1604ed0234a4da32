/**
 * circuit-breaker: hands requests a policy that lets none go to what has failed too often. States are the node's, in the zone
 * of circuits (zone/circuits/): all workers see a change with their next request, and a changed configuration goes on with
 * what is known.
 */
import { type Kind, KIND_NAMES, kindOf } from '../../zone/circuits/word.ts';
import { GateSet } from '../common/gate-set.ts';
import { definePlugin } from '../kit/define.ts';
import type { Filters } from '../kit/filters.ts';
import { adminEndpoints } from './endpoints.ts';
import { failureTest, rulesOf } from './failures.ts';
import { BreakerGate, type BreakerPolicy } from './gate.ts';
import { parseName, SCOPE } from './names.ts';
import { circuitBreaker } from './schema.ts';

const STATES_MS = 1000;
const LABELS = ['upstream', 'target'] as const;

export default definePlugin({
  ...circuitBreaker,
  adminEndpoints,
  create(config, gateway): Filters {
    const { plugin, log, metrics } = gateway;
    const changes = metrics.counter('changes_total', 'Changes of state.', [...LABELS, 'to']);
    const refused = metrics.counter('refused_total', 'Tries that a breaker did not let go.', ['upstream']);
    const states = metrics.gauge('state', '0: closed, 1: open, 2: half-open, 3: opened by hand.', LABELS);
    const policy: BreakerPolicy = {
      scope: `${SCOPE} ${plugin.id}`,
      rules: rulesOf(config),
      perTarget: config.per.includes('target'),
      perUpstream: config.per.includes('upstream'),
      maxEjectedPercent: config.max_ejected_percent,
      failed: failureTest(config),
      changed(circuit, to: Kind, why) {
        const { upstream, target, text } = parseName(circuit.name);
        changes(1, [upstream, target, KIND_NAMES[to]]);
        log.warn(`the circuit of ${text} is ${KIND_NAMES[to]}: ${why}`);
      },
      refused: (group) => refused(1, [parseName(group.name).upstream]),
    };
    const gates = new GateSet((destination) => {
      const gate = new BreakerGate(destination, policy);
      if (gate.circuits.alone)
        log.warn(`no room to share the circuits of ${destination.host}: each worker has its own`);
      return gate;
    });
    // One of the node's workers tells: what several set would be added up.
    const told = new Set<string>();
    gateway.every(STATES_MS, () => tell(gates, states, told), 'node');
    return {
      access({ upstreamRequest }) {
        upstreamRequest.guard({ gateTo: (destination) => gates.of(destination) });
      },
      dispose: () => gates.close(),
    };
  },
});

/** @param told circuits that have a value: one that is gone by now is as good as closed. */
function tell(
  gates: Iterable<BreakerGate>,
  set: (value: number, values: readonly string[]) => void,
  told: Set<string>,
): void {
  const gone = new Set(told);
  for (const { circuits, whole } of gates) {
    for (const { name, state } of whole ? [circuits.group, ...circuits.targets] : circuits.targets) {
      const { upstream, target } = parseName(name);
      set(kindOf(state), [upstream, target]);
      told.add(name);
      gone.delete(name);
    }
  }
  for (const name of gone) {
    const { upstream, target } = parseName(name);
    set(0, [upstream, target]);
    told.delete(name);
  }
}
