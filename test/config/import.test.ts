/** `sluice config import` from the Admin API of a stand-in for a Kong. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { assertExit, config, withFile } from './support/cli.ts';
import { fakeKong } from './support/fake-kong.ts';
import { whole } from './support/whole.ts';

test('a Kong is taken over: what has no meaning here is told, and left out when that is wanted', () =>
  withFile(whole(true), async (file) => {
    await using kong = await fakeKong({
      intercept: (_method, path) =>
        path === '/licenses'
          ? { status: 200, body: { data: [{ id: 'x' }] } }
          : path === '/workspaces'
            ? { status: 200, body: { data: [{ name: 'default' }, { name: 'team' }] } }
            : null,
    });
    assertExit(await config(kong.url, 'sync', file), 0);
    await using gateway = await startGateway({ settings: { database: 'sqlite' } });
    const run = (...args: string[]) => config(gateway.adminUrl, 'import', '--from', kong.url, ...args);
    const refused = await run();
    assertExit(refused, 1);
    assert.match(refused.stdout, /! plugin rate-limiting: plugin 'rate-limiting' is not built\n/);
    assert.match(refused.stdout, /! 1 of \/licenses: licenses of Kong Enterprise\n/);
    assert.match(refused.stdout, /! workspace 'team'/);
    assert.match(refused.stderr, /nothing was written/);
    assert.equal((await config(gateway.adminUrl, 'dump')).stdout, '_format_version: "3.0"\n');
    assertExit(await run('--skip-unsupported'), 0);
    // The files' own password is the one that was taken over as a hash.
    await writeFile(file, whole(false));
    assertExit(await config(gateway.adminUrl, 'diff', file), 0);
    const bob = kong.list('consumers').find(({ username }) => username === 'bob');
    const taken = (await (await fetch(`${gateway.adminUrl}/consumers/bob`)).json()) as Record<
      string,
      unknown
    >;
    assert.deepEqual([taken['id'], taken['created_at']], [bob?.['id'], bob?.['created_at']]);
    const again = await run('--skip-unsupported');
    assert.match(again.stdout, /done: revision 1\n$/);
  }));
