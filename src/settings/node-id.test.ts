import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { nodeId } from './node-id.ts';

test('an id is made once and kept; the setting wins; rubbish is replaced', async () => {
  await using folder = await tempDir();
  const { path: prefix } = folder;
  const file = join(prefix, 'kong.id');
  const first = nodeId({ node_id: null, prefix });
  assert.match(first, /^[0-9a-f-]{36}$/);
  assert.equal(nodeId({ node_id: null, prefix }), first);
  assert.equal(await readFile(file, 'utf8'), first);
  const set = '11111111-2222-4333-8444-555555555555';
  assert.equal(nodeId({ node_id: set, prefix }), set);
  await writeFile(file, `${set}\n`);
  assert.equal(nodeId({ node_id: null, prefix }), set);
  await writeFile(file, 'rubbish');
  assert.notEqual(nodeId({ node_id: null, prefix }), 'rubbish');
});
