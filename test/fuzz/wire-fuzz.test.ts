import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzSockets } from './socket-fuzz.ts';
import { fuzzParsers } from './wire-fuzz.ts';

/** A new seed each time; a failure prints it. */
const seed = Date.now() & 0x7fffffff;

test('twenty thousand mutated streams through the parsers', () => {
  const { streams, accepted, endings } = fuzzParsers({ messages: 20_000, seed });
  assert.equal(streams, 20_000);
  // A run in which everything is refused, or nothing, would prove nothing.
  assert.ok(accepted > 5000, `${accepted} accepted, seed ${seed}`);
  for (const reason of ['MALFORMED', 'FRAMING', 'CHUNK', 'TRANSFER_CODING'])
    for (const leg of ['request', 'response'])
      assert.ok(
        (endings.get(`${leg} ${reason}`) ?? 0) > 0,
        `no ${leg} was refused for ${reason}, seed ${seed}`,
      );
});

test('mutated streams into a data plane with a mutating upstream', async () => {
  const { streams, accepted } = await fuzzSockets({ messages: 600, seed });
  assert.equal(streams, 600, `seed ${seed}`);
  assert.ok(accepted > 50, `${accepted} were answered with 2xx, seed ${seed}`);
});
