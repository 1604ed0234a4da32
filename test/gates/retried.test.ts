/** Retries of what has to pass a gate: a try that another one follows is not in its way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../proxy/support/ask.ts';
import { startPlane } from '../support/data-plane.ts';
import type { TestPlugin } from '../support/plugins.ts';
import { Plans } from '../plugins/support/planned.ts';

const plans = new Plans();
const RETRY: TestPlugin = {
  name: 'retry',
  config: { statuses: [429, 503], backoff_base: 0, budget: { percent: 100, min_per_second: 1000 } },
};
const FULL: TestPlugin = { name: 'upstream-limits', config: { max_requests: 1 } };
const BREAKER: TestPlugin = {
  name: 'circuit-breaker',
  config: { consecutive_failures: 2, open_time: 60_000, max_open_time: 60_000 },
};

interface Case {
  readonly name: string;
  readonly gate: TestPlugin;
  readonly plan: string;
  readonly answer: string;
}

const CASES: readonly Case[] = [
  { name: 'the last place is free again', gate: FULL, plan: '503', answer: '200 a 2 200' },
  { name: 'likewise behind an answer that has no end', gate: FULL, plan: 'endless', answer: '200 a 2 200' },
  { name: 'and again', gate: FULL, plan: '503 503', answer: '200 a 3 200' },
  { name: 'a breaker that stays closed', gate: BREAKER, plan: '503 429', answer: '200 a 3 200' },
  { name: 'a breaker that this answer opens', gate: BREAKER, plan: '503 503', answer: '503 a 2 503' },
];

for (const { name, gate, plan, answer } of CASES) {
  test(`an answer that is tried again: ${name}`, async () => {
    await using a = await plans.start('a');
    await using plane = await startPlane(a.port, { service: { retries: 3 }, plugins: [RETRY, gate] });
    const response = await send(plane.port, { lines: [`X-Case: ${name}`, `X-Plan: ${plan}`] });
    assert.equal(`${response.status} ${response.text()}`, answer);
    await plane.settled();
  });
}
