import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzSockets } from './socket-fuzz.ts';
import { fuzzParsers } from './wire-fuzz.ts';

/** The same in every run, so that a failure is one of the change that it comes with; FUZZ_SEED=N looks elsewhere. */
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_126);

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
