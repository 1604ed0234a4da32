/** Rotation of the keys of records that is interrupted, or cannot be done. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startStandIn } from './support/gateway.ts';
import {
  allThere,
  command,
  fill,
  NAMES,
  NEW,
  OLD,
  restartWith,
  setKeys,
  TOKENS,
} from './support/token-rotation.ts';

test('a gateway that is killed meanwhile, and one that does not run: said again, it goes on', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await fill(gateway);
  // The last round has the new key in front.
  const keys = [OLD, NEW];
  for (let round = 0; round < 4; round++) {
    const [first = '', second = ''] = round % 2 === 0 ? keys : keys.toReversed();
    await restartWith(gateway, first, second);
    const rotating = gateway.control('POST', '/secrets/rotate').catch(() => null);
    // Whichever part is done by then.
    if (round > 0) await gateway.control('POST', '/secrets/status').catch(() => null);
    await gateway.child.stop('SIGKILL');
    await rotating;
  }
  const offline = await command(gateway, 'rotate');
  assert.equal(offline.code, 0, offline.stderr);
  await restartWith(gateway, NEW);
  await allThere(gateway, NAMES);
});

test('a key that is missing is said, and nothing is lost', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await restartWith(gateway, OLD);
  await fill(gateway);
  await gateway.stop();
  await setKeys(gateway, NEW);
  const { code, stderr } = await command(gateway, 'rotate');
  assert.equal(code, 1);
  // The client's secret as it is and in the log, and all tokens.
  assert.match(stderr, new RegExp(`${TOKENS + 2} texts cannot be opened: a key is missing`));
  await setKeys(gateway, NEW, OLD);
  assert.equal((await command(gateway, 'rotate')).code, 0);
  await restartWith(gateway, NEW);
  await allThere(gateway, NAMES);
});
