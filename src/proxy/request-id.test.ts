import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestId } from './request-id.ts';

test('ids are 32 lower-case hex digits and differ, over several batches', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const id = requestId();
    assert.match(id, /^[0-9a-f]{32}$/);
    seen.add(id);
  }
  assert.equal(seen.size, 5000);
});

test('every bit varies', () => {
  let always1 = (1n << 128n) - 1n;
  let ever1 = 0n;
  for (let i = 0; i < 400; i++) {
    const value = BigInt(`0x${requestId()}`);
    always1 &= value;
    ever1 |= value;
  }
  assert.equal(always1, 0n);
  assert.equal(ever1, (1n << 128n) - 1n);
});
