/** Kong's names of commands: `config init`, `db_import`, `db_export`, `migrations finish`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sluice, startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { assertExit, config, withFile } from './support/cli.ts';

const SLUICE = fileURLToPath(new URL('../../bin/sluice', import.meta.url));
const FILE = '_format_version: "3.0"\nservices:\n- {name: a, host: a.test}\n- {name: b, host: b.test}\n';

test('init writes a file that is valid, and writes over none', async () => {
  await using folder = await tempDir();
  const run = (...args: string[]) =>
    spawnSync(SLUICE, ['config', ...args], { cwd: folder.path, encoding: 'utf8' });
  const made = run('init');
  assert.equal(made.status, 0, made.stderr);
  const file = join(folder.path, 'kong.yml');
  assert.match(await readFile(file, 'utf8'), /^_format_version: "3.0"$/m);
  assert.equal(run('parse', 'kong.yml').stdout, 'parse successful\n');
  await writeFile(file, 'mine');
  const again = run('init');
  assert.equal(again.status, 1);
  assert.match(again.stderr, /kong\.yml already exists.*not overwrite/);
  assert.equal(await readFile(file, 'utf8'), 'mine');
  assert.equal(run('init', 'other.yml').status, 0);
});

test('db_import adds and changes, and deletes nothing; db_export writes what is there, over no file', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const names = async (): Promise<string[]> => {
    const response = await fetch(`${gateway.adminUrl}/services`);
    const { data } = (await response.json()) as { data: ReadonlyArray<{ name: string; host: string }> };
    return data.map(({ name, host }) => `${name} ${host}`).sort();
  };
  await withFile(FILE, async (file) => {
    const imported = await config(gateway.adminUrl, 'db_import', file);
    assertExit(imported, 0);
    assert.match(imported.stdout, /import successful: revision 1/);
  });
  await withFile('_format_version: "3.0"\nservices:\n- {name: b, host: new.test}\n', async (file) => {
    assertExit(await config(gateway.adminUrl, 'db_import', file), 0);
    assert.deepEqual(await names(), ['a a.test', 'b new.test']);
    assertExit(await config(gateway.adminUrl, 'db_import', file), 0);
    const refused = await config(gateway.adminUrl, 'db_export', file);
    assertExit(refused, 1);
    assert.match(refused.stderr, /already exists.*not overwrite/);
    assertExit(await config(gateway.adminUrl, 'db_export', `${file}.new`), 0);
    assert.equal(await readFile(`${file}.new`, 'utf8'), (await config(gateway.adminUrl, 'dump')).stdout);
  });
  await withFile('_format_version: "3.0"\nservices:\n- {name: c, host: "no host"}\n', async (file) => {
    assertExit(await config(gateway.adminUrl, 'db_import', file), 1);
    assert.equal((await names()).length, 2);
  });
});

test('migrations finish has nothing to do, and says so', async () => {
  const { code, stdout } = await sluice(['migrations', 'finish']);
  assert.deepEqual([code, stdout], [0, "nothing to finish: 'sluice migrations up' does all of it\n"]);
});
