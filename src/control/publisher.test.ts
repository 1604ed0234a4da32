import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '../settings/settings.ts';
import { type Publication, Publisher } from './publisher.ts';
import type { WorkerHandle } from './worker-handle.ts';

/** A worker that cannot build anything. */
const refusing = {
  id: 0,
  state: 'running',
  call: () => Promise.resolve({ ok: false, stale: false, message: 'on purpose' }),
} as unknown as WorkerHandle;

for (const [when, filled] of [
  ['first', 1],
  ['between', 0],
] as const) {
  test(`a worker refuses: what workers share (${when}) was filled ${filled} times`, async () => {
    const publisher = new Publisher(() => undefined, { prepareMs: 100, callMs: 100, restartMs: 10 });
    let runs = 0;
    const fill: Publication['fill'] = {
      when,
      run: () => {
        runs++;
        return Promise.resolve();
      },
    };
    const next: Publication = {
      revision: 2,
      flavor: 'traditional_compatible',
      image: () => Promise.resolve(new SharedArrayBuffer(8)),
      delta: null,
      fill,
      settings: {} as Settings,
    };
    await assert.rejects(publisher.publish(next, [refusing]), /worker 0 cannot build .*on purpose/);
    assert.equal(runs, filled);
    assert.equal(publisher.current, null);
  });
}
