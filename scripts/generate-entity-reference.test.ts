import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DEFINITIONS } from '../src/entities/registry.ts';
import { ENTITY_FOLDER, renderEntityPages } from './generate-entity-reference.ts';

test('docs/reference/entities is current (node scripts/generate-entity-reference.ts)', () => {
  const pages = renderEntityPages();
  assert.deepEqual(readdirSync(ENTITY_FOLDER).toSorted(), [...pages.keys()].toSorted());
  for (const [name, text] of pages) {
    assert.equal(readFileSync(new URL(name, ENTITY_FOLDER), 'utf8'), text, name);
  }
});

test('a page names every field of its kind, and says something of each', () => {
  const pages = renderEntityPages();
  for (const { name, fields } of DEFINITIONS) {
    const text = pages.get(`${name}.md`) ?? '';
    for (const field of Object.keys(fields))
      assert.match(text, new RegExp(`\\| \`${field}\` \\|.*\\w.* \\|`));
    assert.doesNotMatch(text, /undefined|\[object/);
  }
});
