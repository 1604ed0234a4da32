import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SETTINGS } from '../src/settings/table.ts';
import { REFERENCE_FILE, renderSettingsReference } from './generate-settings-reference.ts';

test('docs/reference/settings.md is current (node scripts/generate-settings-reference.ts)', () => {
  assert.equal(readFileSync(REFERENCE_FILE, 'utf8'), renderSettingsReference());
});

test('the reference names every setting and its aliases', () => {
  const page = renderSettingsReference();
  for (const [name, { aliases }] of Object.entries(SETTINGS)) {
    for (const each of [name, ...(aliases ?? [])]) assert.ok(page.includes(`\`${each}\``), each);
  }
});
