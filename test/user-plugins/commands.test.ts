/** `sluice plugin new` and `sluice plugin test`, from an empty folder; and the types that an editor sees. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sluice } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';

const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

test('from an empty folder to a plugin that is tested', async () => {
  await using folder = await tempDir();
  const plugins = join(folder.path, 'mine');
  const env = { SLUICE_PLUGINS_DIR: plugins };
  const none = await sluice(['plugin', 'test'], env);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /there is no folder .*: 'sluice plugin new NAME' begins one/);
  const made = await sluice(['plugin', 'new', 'greet'], env);
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual((await readdir(plugins)).sort(), ['greet.test.ts', 'greet.ts', 'tsconfig.json']);
  const again = await sluice(['plugin', 'new', 'greet'], env);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /greet\.ts is there already/);
  const good = await sluice(['plugin', 'test'], env);
  assert.equal(good.code, 0, good.stdout + good.stderr);
  assert.match(good.stdout, /pass 2/);
  const one = await sluice(['plugin', 'test', 'greet.test.ts'], env);
  assert.equal(one.code, 0, one.stdout + one.stderr);
  await writeFile(
    join(plugins, 'greet.test.ts'),
    "import { test } from 'node:test';\ntest('no', () => { throw new Error('no'); });\n",
  );
  const failed = await sluice(['plugin', 'test'], env);
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /fail 1/);
});

for (const [name, says] of [
  ['Bad', /'Bad' is no name of a plugin/],
  ['../up', /is no name of a plugin/],
  ['key-auth', /Sluice has a plugin 'key-auth'/],
] as const) {
  test(`no plugin is called ${name}`, async () => {
    await using folder = await tempDir();
    const made = await sluice(['plugin', 'new', name], { SLUICE_PLUGINS_DIR: folder.path });
    assert.notEqual(made.code, 0);
    assert.match(made.stderr, says);
    assert.deepEqual(await readdir(folder.path), []);
  });
}

test('the compiler knows configurations, exchanges and services, and refuses what is wrong', async () => {
  await using folder = await tempDir();
  await sluice(['plugin', 'new', 'greet'], { SLUICE_PLUGINS_DIR: folder.path });
  const fixture = fileURLToPath(new URL('types.fixture.ts', import.meta.url));
  await copyFile(fixture, join(folder.path, 'typed.ts'));
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [TSC, '-p', folder.path], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  assert.equal(output, '');
});
