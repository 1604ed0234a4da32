import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { CreateLimit } from './create-limit.ts';

const MS = 5000;
const IMPATIENT_MS = 100;
const LATELY_MS = 60_000;
const never = new Promise<never>(() => {});

/** Time that passes by hand. */
function clockOf(t: TestContext): (ms: number) => void {
  let now = 0;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => now);
  return (ms) => {
    now += ms;
    t.mock.timers.tick(ms);
  };
}

/** How it ends when so much time has passed and no more. */
async function after(
  ms: number,
  pass: (ms: number) => void,
  limit: CreateLimit,
  code: object,
): Promise<string> {
  let outcome = 'waits';
  limit.within(code, never).catch((error: unknown) => (outcome = String(error)));
  pass(ms);
  await new Promise(setImmediate);
  return outcome;
}

test('who was late is not waited for as long again, whoever else has its name', async (t) => {
  const pass = clockOf(t);
  const limit = new CreateLimit(MS);
  const code = {};
  assert.match(await after(MS, pass, limit, code), /after 5000 ms/);
  assert.match(await after(IMPATIENT_MS, pass, limit, code), /after 100 ms/);
  assert.equal(await after(IMPATIENT_MS, pass, limit, {}), 'waits', 'the file was mended meanwhile');
});

test('what was too slow for little patience has all of it again after a while, however often it is made', async (t) => {
  const pass = clockOf(t);
  const limit = new CreateLimit(MS);
  const code = {};
  await after(MS, pass, limit, code);
  for (let times = 0; times < 2; times++) {
    pass(LATELY_MS / 2 - IMPATIENT_MS);
    assert.match(await after(IMPATIENT_MS, pass, limit, code), /after 100 ms/);
  }
  assert.equal(await after(IMPATIENT_MS, pass, limit, code), 'waits');
});
