/** Whether a worker is alive is not judged by a clock that can be set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NameDesk } from '../../src/control/names/name-desk.ts';
import { RecordDesk } from '../../src/control/record-desk.ts';
import { DEFAULT_TUNING, Supervisor } from '../../src/control/supervisor.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

test('a clock that jumps stalls no worker', async (t) => {
  await using folder = await tempDir();
  const { settings } = loadSettings({
    file: '/dev/null',
    env: {},
    overrides: { prefix: folder.path, proxy_listen: 'off', nginx_worker_processes: '1' },
  });
  const supervisor = new Supervisor({
    settings,
    log: () => undefined,
    dataPlane: null,
    tuning: DEFAULT_TUNING,
    records: new RecordDesk(),
    names: new NameDesk(settings, () => undefined),
  });
  try {
    supervisor.spawn();
    await supervisor.serve({
      revision: 0,
      flavor: settings.router_flavor,
      image: () => Promise.resolve(null),
      delta: null,
      fill: null,
      settings,
    });
    const hourAhead = Date.now() + 3_600_000;
    t.mock.method(Date, 'now', () => hourAhead);
    // Judged by that clock it would be stalled for an hour; a busy machine may stall it for a moment.
    await waitFor(() => supervisor.report()[0]?.state === 'running', { what: 'the worker to be alive' });
    assert.deepEqual(
      supervisor.report().map(({ id, revision }) => [id, revision]),
      [[0, 0]],
    );
  } finally {
    await supervisor.stop(0);
  }
});
