/**
 * The package as npm publishes it: built, packed, unpacked where nobody's sources are, and run through a link from
 * another folder.
 *
 * Nothing is built in the checkout, which others may be using: `npm pack` runs, and builds, in a copy of it. And nothing
 * is fetched: in place of `npm install`, the tarball is unpacked into `node_modules/sluice` and the dependencies that the
 * checkout has are linked beside it, as npm would have hoisted them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
/** What a clean clone has not, and what is of no use in a copy. */
const ELSEWHERE = new Set(['.git', '.cache', 'node_modules', 'dist']);

/** Folder of the installed package. */
async function install(folder: string): Promise<string> {
  const source = join(folder, 'source');
  const modules = join(folder, 'app/node_modules');
  const installed = join(modules, 'sluice');
  await mkdir(source);
  await mkdir(installed, { recursive: true });
  for (const name of await readdir(ROOT)) {
    if (!ELSEWHERE.has(name)) await cp(join(ROOT, name), join(source, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  // What a build of yesterday left behind is not published.
  await mkdir(join(source, 'dist'));
  await writeFile(join(source, 'dist/stale.js'), '');
  const packed = await run('npm', ['pack', '--silent', '--offline', '--pack-destination', folder], {
    cwd: source,
    env: { ...process.env, npm_config_cache: join(folder, 'npm-cache') },
  });
  await run('tar', ['-xzf', join(folder, packed.stdout.trim()), '--strip-components=1', '-C', installed]);
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return installed;
}

test('the published package runs through a link from another folder', async () => {
  await using folder = await tempDir();
  const installed = await install(folder.path);
  assert.deepEqual(
    (await readdir(installed)).filter((name) => name === 'src' || name === 'test'),
    [],
  );
  assert.ok(!(await readdir(join(installed, 'dist'))).includes('stale.js'));
  const built = await readFile(join(installed, 'dist/cli/main.js'), 'utf8');
  assert.doesNotMatch(built, /^\/\*\*|\.ts'/m, 'comments and endings of the sources are gone');

  const bin = join(folder.path, 'sluice');
  await symlink('app/node_modules/sluice/bin/sluice', bin);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SLUICE|KONG)_/.test(name)),
  );
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const shown = await run(bin, ['version'], { cwd: '/', env });
  assert.ok(shown.stdout.includes(version), shown.stdout);

  await using upstream = await startEcho();
  const port = await freePort();
  const config = join(folder.path, 'kong.yml');
  await writeFile(
    config,
    `_format_version: "3.0"\nservices:\n- url: ${upstream.url}\n  name: s\n  routes:\n  - name: r\n    paths: [/]\n`,
  );
  const gateway = new Child(bin, ['start', '--config', config], {
    cwd: '/',
    env: {
      ...env,
      SLUICE_NO_RESTART: '1',
      SLUICE_PREFIX: join(folder.path, 'prefix'),
      SLUICE_PROXY_LISTEN: `127.0.0.1:${port}`,
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${await freePort()}`,
      SLUICE_STATUS_LISTEN: 'off',
      SLUICE_NGINX_WORKER_PROCESSES: '2',
      NODE_COMPILE_CACHE: join(folder.path, 'compiled'),
    },
  });
  try {
    const response = await waitFor(async () => {
      assert.equal(gateway.exit, null, gateway.output);
      return await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    });
    assert.equal(response.status, 200);
    assert.equal(upstream.requests, 1);
    assert.deepEqual(await gateway.stop('SIGQUIT'), { code: 0, signal: null }, gateway.output);
  } finally {
    await gateway.stop('SIGKILL');
  }
});
