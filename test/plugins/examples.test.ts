/** The configuration that each plugin's page begins with, on a gateway: it is accepted, and its filters can be made. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { SCHEMAS } from '../../src/plugins/schemas.ts';
import { sluice, startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const FOLDER = new URL('../../docs/reference/plugins/', import.meta.url);

interface Page {
  readonly services: ReadonlyArray<{ readonly plugins: readonly unknown[] }>;
}

/** The block of YAML of a page, as it stands there. */
async function exampleOf(name: string): Promise<Page> {
  const page = await readFile(new URL(`${name}.md`, FOLDER), 'utf8');
  const [, text] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  assert.ok(text !== undefined, `${name}.md has no example`);
  return load(text) as Page;
}

test('the example of every plugin runs', async () => {
  await using upstream = await startEcho();
  const services = [];
  for (const { name } of SCHEMAS) {
    const [service] = (await exampleOf(name)).services;
    const routes = [{ name, paths: [`/${name}`] }];
    services.push({ name, url: upstream.url, routes, plugins: service?.plugins });
  }
  await using folder = await tempDir();
  const log = join(folder.path, 'error.log');
  const file = join(folder.path, 'kong.json');
  await writeFile(file, JSON.stringify({ _format_version: '3.0', services }));
  // With a database: some plugins keep what they issue there.
  await using gateway = await startGateway({ settings: { database: 'sqlite', proxy_error_log: log } });
  const imported = await sluice(['config', 'db_import', file, '--admin', gateway.adminUrl]);
  assert.equal(imported.code, 0, imported.stderr);
  await waitFor(async () => (await fetch(`${gateway.url}/${SCHEMAS.at(-1)?.name}`)).status !== 404, {
    what: 'the routes to be served',
  });
  for (const { name } of SCHEMAS) {
    const response = await fetch(`${gateway.url}/${name}`);
    assert.ok(response.status > 0, name);
    await response.arrayBuffer();
  }
  const lines = (await readFile(log, 'utf8')).split('\n');
  assert.deepEqual(
    lines.filter((line) => line.includes('plugin_broken') || /plugin \S+ \([0-9a-f-]+\): /.test(line)),
    [],
  );
});
