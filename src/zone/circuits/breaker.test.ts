/** The breaker against a model of it with a clock of its own, and what several workers see of each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { Breaker, type BreakerRules, REFUSED } from './breaker.ts';
import type { Circuit } from './circuit.ts';
import { CircuitZone } from './circuit-zone.ts';
import { NodeCircuits } from './node-circuits.ts';
import { CLOSED, HALF_OPEN, type Kind, kindOf, OPEN, openingsOf } from './word.ts';

const RULES: BreakerRules = {
  windowMs: 1000,
  minimum: 4,
  errorPercent: 50,
  streak: 0,
  openMs: 200,
  backoff: 2,
  maxOpenMs: 1000,
  probes: 2,
  successes: 3,
};

function open(workers: number): { node: NodeCircuits; circuits: readonly Circuit[] } {
  const node = new NodeCircuits(workers, 64);
  const circuits = Array.from({ length: workers }, (_, id) => {
    const circuit = new CircuitZone(node.buffer, id, node.shape).acquire('k', 'name', null);
    assert.ok(circuit);
    return circuit;
  });
  return { node, circuits };
}

interface Outcome {
  readonly at: number;
  readonly failed: boolean;
}

/** Everything that a breaker is, in plain values. Times are whole ticks of 10 ms, windows whole buckets of 100 ms. */
class Model {
  kind: Kind = CLOSED;
  era = 0;
  since = 0;
  openings = 0;
  probes = 0;
  successes = 0;
  outcomes: Outcome[] = [];
  streak = 0;
  readonly rules: BreakerRules;

  constructor(rules: BreakerRules) {
    this.rules = rules;
  }

  /** @returns the era that it is let in under, or null. */
  admit(now: number): number | null {
    const { openMs, backoff, maxOpenMs, probes } = this.rules;
    if (this.kind === OPEN) {
      const ms = Math.min(openMs * backoff ** (this.openings - 1), maxOpenMs);
      if (now - this.since < ms) return null;
      this.turn(HALF_OPEN, now);
    }
    if (this.kind === HALF_OPEN) {
      if (this.probes >= probes) return null;
      this.probes++;
    }
    return this.era;
  }

  turn(kind: Kind, now: number): void {
    this.kind = kind;
    this.era++;
    this.since = now;
    this.successes = this.streak = 0;
    this.outcomes = [];
  }

  tell(try_: { readonly era: number; readonly probe: boolean }, failed: boolean, now: number): void {
    if (try_.probe) this.probes--;
    if (try_.era !== this.era) return;
    if (!try_.probe) return this.count(failed, now);
    if (failed) {
      this.openings++;
      this.turn(OPEN, now);
    } else if (++this.successes >= this.rules.successes) this.turn(CLOSED, now);
  }

  count(failed: boolean, now: number): void {
    const { windowMs, minimum, errorPercent, streak, openMs, backoff, maxOpenMs } = this.rules;
    const bucket = (at: number): number => Math.floor(at / (windowMs / 10));
    this.outcomes.push({ at: now, failed });
    this.streak = failed ? this.streak + 1 : 0;
    if (!failed) return;
    const seen = this.outcomes.filter(({ at }) => bucket(now) - bucket(at) < 10);
    const failures = seen.filter((one) => one.failed).length;
    const ratio = errorPercent > 0 && seen.length >= minimum && failures * 100 >= errorPercent * seen.length;
    if (!ratio && !(streak > 0 && this.streak >= streak)) return;
    const last = Math.min(openMs * backoff ** (this.openings - 1), maxOpenMs);
    this.openings = this.openings > 0 && now - this.since < last ? this.openings + 1 : 1;
    this.turn(OPEN, now);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('begin' as const), worker: fc.nat(1) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(20), failed: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ticks: fc.nat(60) }) },
);
const SHAPES: ReadonlyArray<readonly [name: string, rules: Partial<BreakerRules>]> = [
  ['a ratio', {}],
  ['a row', { errorPercent: 0, streak: 3 }],
  ['both, one probe', { streak: 4, probes: 1, successes: 1 }],
  ['no back-off', { backoff: 1, minimum: 1 }],
];

for (const [name, over] of SHAPES) {
  test(`property: ${name}: two workers behave as the model says`, () => {
    const rules = { ...RULES, ...over };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { circuits } = open(2);
        const model = new Model(rules);
        const changes: Kind[] = [];
        const watcher = { permits: () => true, changed: (_: Circuit, to: Kind) => void changes.push(to) };
        const breakers = circuits.map(() => new Breaker(rules, watcher));
        const tries: Array<{ worker: number; token: number; era: number; probe: boolean }> = [];
        let now = 1000;
        for (const one of steps) {
          if (one.do === 'wait') now += one.ticks * 10;
          else if (one.do === 'begin') {
            const token = breakers[one.worker]!.admit(circuits[one.worker]!, now);
            const era = model.admit(now);
            assert.equal(token !== REFUSED, era !== null, 'let in');
            if (era !== null) tries.push({ worker: one.worker, token, era, probe: model.kind === HALF_OPEN });
          } else if (tries.length > 0) {
            const [ended] = tries.splice(one.which % tries.length, 1);
            const { worker, token, era, probe } = ended!;
            if (one.do === 'cancel') {
              breakers[worker]!.cancel(circuits[worker]!, token);
              if (probe) model.probes--;
            } else {
              breakers[worker]!.tell(circuits[worker]!, token, one.failed, now);
              model.tell({ era, probe }, one.failed, now);
            }
          }
          // Words tell eras apart by their time: two within a tick are the same here, and never happen in the model.
          now += 10;
          for (const { state } of circuits) {
            assert.deepEqual([kindOf(state), openingsOf(state)], [model.kind, Math.min(model.openings, 15)]);
          }
          assert.equal(circuits[0]!.inFlight, model.probes);
        }
        assert.equal(changes.at(-1) ?? CLOSED, model.kind);
        assert.equal(changes.length, model.era, 'each change is told once');
      }),
      { numRuns: 300 },
    );
  });
}

test('a breaker that is not permitted to stay open is closed again, and has counted nothing', () => {
  const { circuits } = open(1);
  const [circuit] = circuits;
  assert.ok(circuit);
  const told: Kind[] = [];
  let permitted = false;
  const breaker = new Breaker(
    { ...RULES, minimum: 1, errorPercent: 100 },
    { permits: () => permitted, changed: (_: Circuit, to: Kind) => void told.push(to) },
  );
  breaker.tell(circuit, breaker.admit(circuit, 1000), true, 1000);
  assert.deepEqual([kindOf(circuit.state), told], [CLOSED, []]);
  permitted = true;
  breaker.tell(circuit, breaker.admit(circuit, 2000), true, 2000);
  assert.deepEqual([kindOf(circuit.state), told], [OPEN, [OPEN]]);
});

test('what is told of an era that is over counts for nothing', () => {
  const { circuits } = open(1);
  const [circuit] = circuits;
  assert.ok(circuit);
  const breaker = new Breaker(
    { ...RULES, errorPercent: 0, streak: 1, probes: 1, successes: 1 },
    { permits: () => true, changed: () => {} },
  );
  const [late, first] = [breaker.admit(circuit, 1000), breaker.admit(circuit, 1000)];
  breaker.tell(circuit, first, true, 1000);
  const probe = breaker.admit(circuit, 2000);
  assert.equal(kindOf(circuit.state), HALF_OPEN);
  breaker.tell(circuit, late, true, 2010);
  assert.equal(kindOf(circuit.state), HALF_OPEN, 'a late failure does not open it');
  breaker.tell(circuit, probe, false, 2020);
  assert.equal(kindOf(circuit.state), CLOSED);
});

test("a dead worker's probes and places are free again, and the state stays", () => {
  const { node, circuits } = open(2);
  const [one, other] = circuits;
  assert.ok(one && other);
  const breaker = new Breaker(
    { ...RULES, errorPercent: 0, streak: 1, probes: 1 },
    { permits: () => true, changed: () => {} },
  );
  breaker.tell(one, breaker.admit(one, 1000), true, 1000);
  assert.notEqual(breaker.admit(one, 2000), REFUSED);
  assert.equal(breaker.admit(other, 2000), REFUSED);
  node.clearWorker(0);
  assert.equal(kindOf(other.state), HALF_OPEN);
  assert.notEqual(breaker.admit(other, 2000), REFUSED);
});

test('a handle that has let go lets everybody in and touches nothing', () => {
  const { node, circuits } = open(1);
  const [circuit] = circuits;
  assert.ok(circuit);
  const breaker = new Breaker(
    { ...RULES, errorPercent: 0, streak: 1 },
    { permits: () => true, changed: () => {} },
  );
  const token = breaker.admit(circuit, 1000);
  circuit.release();
  assert.equal(circuit.slot, 0);
  breaker.tell(circuit, token, true, 1000);
  assert.notEqual(breaker.admit(circuit, 1000), REFUSED);
  assert.deepEqual([...node.all()], []);
});
