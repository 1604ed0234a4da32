import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Field, Fields } from '../src/entities/schema/field.ts';
import { SCHEMAS } from '../src/plugins/schemas.ts';
import {
  PLUGIN_FOLDER,
  PLUGIN_TABLE,
  renderPluginPages,
  renderPluginTable,
} from './generate-plugin-reference.ts';

test('docs/plugins.md and docs/reference/plugins are current (node scripts/generate-plugin-reference.ts)', () => {
  const pages = renderPluginPages();
  assert.deepEqual(readdirSync(PLUGIN_FOLDER).toSorted(), [...pages.keys()].toSorted());
  for (const [name, text] of pages)
    assert.equal(readFileSync(new URL(name, PLUGIN_FOLDER), 'utf8'), text, name);
  assert.equal(readFileSync(PLUGIN_TABLE, 'utf8'), renderPluginTable());
});

function* fieldsIn(fields: Fields, prefix: string): Generator<readonly [path: string, field: Field]> {
  for (const [name, field] of Object.entries(fields)) {
    yield [`${prefix}${name}`, field];
    const inner = 'elements' in field ? field.elements : field;
    if (inner.type === 'record') yield* fieldsIn(inner.fields, `${prefix}${name}.`);
  }
}

test('every plugin says what it is for, shows a configuration, and says something of each field', () => {
  const names = SCHEMAS.map(({ name }) => name);
  assert.deepEqual(names, names.toSorted(), 'the list of plugins is sorted');
  for (const { name, description = '', example, config } of SCHEMAS) {
    assert.match(description, /\w.*\.$/, name);
    assert.notEqual(example, undefined, `${name} has no example`);
    for (const [path, field] of fieldsIn(config, '')) {
      assert.match(field.description ?? '', /\w/, `${name}: ${path} has no description`);
    }
  }
});
