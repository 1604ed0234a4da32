/** Bodies in memory: each within its limit, all together within another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBudget, TooLarge, TooManyBodies, readBody } from './body.ts';

/** A body that comes in pieces of ten octets as the test says. */
function slow(): { readonly request: Request; send(): Promise<void>; end(): void } {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const request = new Request('http://x/', { method: 'POST', body: readable, duplex: 'half' });
  return { request, send: () => writer.write(new Uint8Array(10)), end: () => void writer.close() };
}

test('bodies together have a bound, one alone has its own', async () => {
  const budget = new BodyBudget(25, 5);
  const [a, b, c] = [slow(), slow(), slow()];
  const read = [a, b, c].map(({ request }) => readBody(request, 100, budget));
  await a.send();
  await b.send();
  await Promise.all([c.send().catch(() => undefined), assert.rejects(read[2]!, TooManyBodies)]);
  const small = new Request('http://x/', { method: 'POST', body: 'small' });
  assert.equal((await readBody(small, 100, budget)).length, 5);
  for (const request of [c.request, small]) budget.release(request);
  a.end();
  assert.equal((await read[0]!).length, 10);
  // It is still being worked on.
  await Promise.all([b.send().catch(() => undefined), assert.rejects(read[1]!, TooManyBodies)]);
  budget.release(a.request);
  budget.release(b.request);
  assert.equal(budget.held, 0);

  const alone = slow();
  const whole = readBody(alone.request, 100, budget);
  for (let n = 0; n < 9; n++) await alone.send();
  alone.end();
  assert.equal((await whole).length, 90);
  budget.release(alone.request);
  budget.release(alone.request);
  assert.equal(budget.held, 0);
  const large = new Request('http://x/', { method: 'POST', body: 'x'.repeat(101) });
  await assert.rejects(readBody(large, 100, budget), TooLarge);
});
