/** Extra tries stay within their share, whatever the order of requests and failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeZone } from '../../zone/shared/layout.ts';
import { SharedZone } from '../../zone/shared/shared-zone.ts';
import { type BudgetTerms, TryBudget } from './try-budget.ts';

const TERMS = { percent: 20, min_per_second: 0, window: 10 };

function made(terms: Partial<BudgetTerms> = {}): { time: { now: number }; budgets: TryBudget[] } {
  const time = { now: 1_000_000 };
  const clock = (): number => time.now;
  const buffer = makeZone(1 << 20);
  const budgets = [0, 1].map(
    (id) =>
      new TryBudget(new SharedZone(buffer, id, clock).counters('p'), 's', { ...TERMS, ...terms }, clock),
  );
  return { time, budgets };
}

/** Requests of which each fails for ever and asks for as many extra tries as it gets. @returns those. */
function outage(budgets: TryBudget[], requests: number, each = 5): number {
  let extra = 0;
  for (let n = 0; n < requests; n++) {
    const budget = budgets[n % budgets.length];
    budget?.request();
    for (let at = 0; at < each && budget?.spend() === true; at++) extra++;
  }
  return extra;
}

test('an outage is multiplied by 1.2, all workers together', () => {
  const { budgets } = made();
  assert.equal(outage(budgets, 1000), 200);
});

test('also over many windows', () => {
  const { budgets, time } = made();
  let extra = 0;
  for (let step = 0; step < 500; step++) {
    extra += outage(budgets, 7);
    time.now += 730;
  }
  assert.ok(extra <= 700 && extra > 600, String(extra));
});

test('what was not spent is good for a window, and no longer', () => {
  const { budgets, time } = made();
  outage(budgets, 1000, 0);
  time.now += 10_000;
  assert.equal(outage(budgets, 1, 1000), 200);
  time.now += 20_000;
  assert.equal(outage(budgets, 4, 1000), 0);
});

test('a minimum is always there', () => {
  const { budgets, time } = made({ min_per_second: 2 });
  assert.equal(outage(budgets, 1, 1000), 20);
  time.now += 20_000;
  assert.equal(outage(budgets, 1, 1000), 20);
});

test('none at all', () => {
  const { budgets } = made({ percent: 0 });
  assert.equal(outage(budgets, 100), 0);
});
