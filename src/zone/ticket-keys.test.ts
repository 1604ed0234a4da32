import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TicketKeyRing, TicketKeys } from './ticket-keys.ts';

test('a key seals for one period, opens for two, and is then gone', () => {
  const ring = new TicketKeyRing();
  const [one, other] = [new TicketKeys(ring.memory), new TicketKeys(ring.memory)];
  const first = one.pair;
  assert.equal(one.pair, first);
  assert.deepEqual(other.pair, first);
  assert.equal(first.current.length, 48);
  assert.notDeepEqual(first.current, first.previous);
  ring.rotate();
  const second = one.pair;
  assert.deepEqual(second.previous, first.current);
  assert.notDeepEqual(second.current, first.current);
  assert.deepEqual(other.pair, second);
  ring.rotate();
  assert.ok(!Buffer.from(new Uint8Array(ring.memory)).includes(first.current));
});
