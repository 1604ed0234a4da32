import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeRead, largeBuffer, TunnelBuffers } from './read-buffers.ts';

const LARGE = largeBuffer().length;

test('a silent tunnel waits with a small buffer, whatever it has read before', () => {
  const buffers = new TunnelBuffers(largeBuffer());
  const small = buffers.next(300, false);
  assert.ok(small !== null && small.length < 2048);
  assert.equal(buffers.next(10, false), null, 'the same again');
  const large = buffers.next(small.length, false);
  assert.equal(large?.length, LARGE, 'there is more');
  assert.equal(buffers.next(LARGE, false), null);
  assert.equal(buffers.next(LARGE - 1, false), small, 'the end of it: back to the small one');
});

test('what somebody still refers to is never read into again', () => {
  const given = new Set<Buffer>();
  const first = largeBuffer();
  const buffers = new TunnelBuffers(first);
  const other = new TunnelBuffers(largeBuffer());
  given.add(first);
  let current = first;
  for (let round = 0; round < 50; round++) {
    const filled = round % 3 === 0 ? current.length : 5;
    const next = buffers.next(filled, true);
    assert.ok(next !== null && !given.has(next));
    given.add(next);
    current = next;
    // Neither is it given to another.
    const others = other.next(round % 2 === 0 ? 1536 : 1, false);
    assert.ok(others === null || !given.has(others));
  }
});

test('large buffers that are free serve the next', () => {
  const first = largeBuffer();
  new TunnelBuffers(first).next(1, false);
  assert.equal(largeBuffer(), first);
});

test('a read that is used up is freed, unless something else lives in its memory', () => {
  const cases: [what: string, chunk: Buffer, left: number][] = [
    ['a read of its own', Buffer.allocUnsafeSlow(64 * 1024), 0],
    ['a small one', Buffer.allocUnsafeSlow(1024), 1024],
    ['the front of a larger one', Buffer.allocUnsafeSlow(64 * 1024).subarray(0, 60_000), 60_000],
    ['the end of a larger one', Buffer.allocUnsafeSlow(64 * 1024).subarray(100), 65_436],
    ['from the pool', Buffer.from('x'.repeat(2000)), 2000],
    ['shared by threads', Buffer.from(new SharedArrayBuffer(64 * 1024)), 65_536],
  ];
  for (const [what, chunk, left] of cases) {
    freeRead(chunk);
    assert.equal(chunk.length, left, what);
  }
});
