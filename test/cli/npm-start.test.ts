/**
 * `npm start`, without npm: with the user's own files as it is, and of the demo, whose ports are fixed and may be
 * somebody's, that its files are valid.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../support/child.ts';
import { sluice } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

const DEMO = fileURLToPath(new URL('../../examples/demo/', import.meta.url));
const KONG_YML = `_format_version: "3.0"
services:
  - {name: a, url: "http://127.0.0.1:1", routes: [{name: a, paths: [/a]}]}
`;

test('the files of the demo are valid', async () => {
  const checked = await sluice(['check', join(DEMO, 'sluice.conf')]);
  assert.deepEqual([checked.code, checked.stderr], [0, '']);
  assert.equal((await sluice(['config', 'parse', join(DEMO, 'kong.yml')])).code, 0);
});

/** Each row: arguments, environment, and where the gateway's files must be, below the folder that npm was called in. */
const STARTS: readonly (readonly [args: readonly string[], env: Record<string, string>, prefix: string])[] = [
  [['-c', 'my.conf', '--config', 'kong.yml'], {}, 'own'],
  [['-cmy.conf', '--config=kong.yml'], {}, 'own'],
  [['--conf=my.conf', '--config=kong.yml'], {}, 'own'],
  [['--config', 'kong.yml'], { KONG_PREFIX: 'kongs' }, 'kongs'],
  [['--config', 'kong.yml'], { KONG_PREFIX: 'kongs', SLUICE_PREFIX: 'ours' }, 'ours'],
];

for (const [args, env, prefix] of STARTS) {
  test(`npm start -- ${args.join(' ')} ${JSON.stringify(env)}`, async () => {
    await using folder = await tempDir();
    await writeFile(join(folder.path, 'my.conf'), 'prefix = own\n');
    await writeFile(join(folder.path, 'kong.yml'), KONG_YML);
    const port = await freePort();
    const listen = {
      SLUICE_PROXY_LISTEN: `127.0.0.1:${port}`,
      SLUICE_ADMIN_LISTEN: 'off',
      SLUICE_STATUS_LISTEN: 'off',
      SLUICE_NGINX_WORKER_PROCESSES: '1',
    };
    const child = new Child(process.execPath, [join(DEMO, 'start.ts'), ...args], {
      env: { ...process.env, INIT_CWD: folder.path, ...listen, ...env },
    });
    const pidFile = join(folder.path, prefix, 'pids/sluice.pid');
    try {
      await waitFor(async () => {
        assert.equal(child.exit, null, child.output);
        return (await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.status === 404;
      });
      assert.ok(existsSync(pidFile), child.output);
      // What a terminal sends when it closes.
      assert.deepEqual(await child.stop('SIGHUP'), { code: 0, signal: null }, child.output);
      assert.equal(existsSync(pidFile), false, 'the gateway has ended, too');
    } finally {
      await child.stop('SIGKILL');
    }
  });
}

test('npm start says why it cannot have its folder', async () => {
  await using folder = await tempDir();
  const child = new Child(process.execPath, [join(DEMO, 'start.ts'), '--config', 'kong.yml'], {
    env: { ...process.env, INIT_CWD: folder.path, SLUICE_PREFIX: '/dev/null/x' },
  });
  assert.deepEqual(await child.exited, { code: 1, signal: null });
  assert.match(child.output, /^sluice: cannot use the prefix \/dev\/null\/x: ENOTDIR/);
});
