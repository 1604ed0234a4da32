/**
 * What circuit-breaker and upstream-limits add to a request, in nanoseconds: `node bench/micro/gates.ts [workers]`.
 *
 * A request begins, enters a target, tells an answer and leaves; the targets take turns. `open` has half of the targets'
 * breakers open, `nobody` all of them: then a request is refused by the first question.
 */
import { Balancer } from '../../src/balancer/balancer.ts';
import { BreakerGate, type BreakerPolicy } from '../../src/plugins/circuit-breaker/gate.ts';
import type { Destination, Gate } from '../../src/plugins/kit/gates.ts';
import { LimitGate, type LimitPolicy } from '../../src/plugins/upstream-limits/gate.ts';
import { CircuitZone } from '../../src/zone/circuits/circuit-zone.ts';
import { NodeCircuits } from '../../src/zone/circuits/node-circuits.ts';
import { FORCED, wordOf } from '../../src/zone/circuits/word.ts';
import { micro, microTable, type MicroCase } from '../support/micro.ts';

const WORKERS = Number(process.argv[2] ?? 4);
const TARGETS = 10;

const node = new NodeCircuits(WORKERS);
const zone = new CircuitZone(node.buffer, 0, node.shape);
const balancer = Balancer.of({
  id: 'u',
  hostHeader: null,
  start: 0,
  targets: Array.from({ length: TARGETS }, (_, n) => ({ host: `10.0.0.${n}`, port: 80, weight: 100 })),
});
const to: Destination = { zone, balancer, host: 'u', port: 80, multiplexed: false };

const breaker = (scope: string, over: Partial<BreakerPolicy> = {}): BreakerGate =>
  new BreakerGate(to, {
    scope,
    rules: {
      windowMs: 10_000,
      minimum: 20,
      errorPercent: 50,
      streak: 5,
      openMs: 5000,
      backoff: 2,
      maxOpenMs: 60_000,
      probes: 1,
      successes: 2,
    },
    perTarget: true,
    perUpstream: false,
    maxEjectedPercent: 100,
    failed: (outcome) => outcome === 503,
    changed: () => {},
    refused: () => {},
    ...over,
  });
const limits = (scope: string, over: Partial<LimitPolicy> = {}): LimitGate =>
  new LimitGate(to, {
    scope,
    perTarget: true,
    perUpstream: true,
    alone: { upstream: 1000, target: 100 },
    shared: { upstream: 1000, target: 100 },
    maxPending: 0,
    pendingMs: 1000,
    refused: () => {},
    waited: () => {},
    ...over,
  });

function opened(gate: BreakerGate, count: number): BreakerGate {
  for (const circuit of gate.circuits.targets.slice(0, count)) {
    circuit.change(circuit.state, wordOf(FORCED, 0, 0));
  }
  return gate;
}

function request(gate: Gate, index: number): unknown {
  const passage = gate.passage(to);
  const entry = passage.begin(false);
  if (entry !== 'go') return entry;
  let target = index % TARGETS;
  while (!passage.enter(target)) target = (target + 1) % TARGETS;
  const now = performance.now();
  passage.tell(200, 3, now);
  passage.leave();
  return passage;
}

const clock: MicroCase = { name: 'the time of day, which each tells by', run: () => performance.now() };
const of = (name: string, gate: Gate): MicroCase => ({ name, run: (index) => request(gate, index) });
const cases: readonly MicroCase[] = [
  clock,
  of('breakers per target', breaker('a')),
  of('and of the upstream', breaker('b', { perUpstream: true })),
  of('half of them open', opened(breaker('c'), TARGETS / 2)),
  of('nobody lets in', opened(breaker('d'), TARGETS)),
  of('limits of upstream and targets', limits('e')),
  of('with a line to wait in', limits('f', { maxPending: 100 })),
];
// Compiled for all of them, not for the first.
for (const one of cases) for (let index = 0; index < 50_000; index++) one.run(index);
console.log(microTable(`${TARGETS} targets, counts of ${WORKERS} workers`, micro(cases, { batches: 15 })));
