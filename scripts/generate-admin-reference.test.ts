import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allEndpoints } from '../src/control/admin/openapi/serve.ts';
import { ENTERPRISE, NOTES, NOT_YET } from './admin-api-states.ts';
import { ADMIN_FILE, registeredMethods, renderAdminReference } from './generate-admin-reference.ts';

test('docs/reference/admin-api.md is current (node scripts/generate-admin-reference.ts)', () => {
  assert.equal(readFileSync(ADMIN_FILE, 'utf8'), renderAdminReference());
});

test('it has every endpoint of the table, and whatever is registered', () => {
  const page = renderAdminReference();
  const endpoints = allEndpoints();
  for (const { path } of endpoints) assert.ok(page.includes(`| \`${path}\` |`), path);
  const listed = new Set(endpoints.map(({ path }) => path));
  for (const one of registeredMethods()) {
    const path = one.slice(one.indexOf(' ') + 1);
    assert.ok(path.includes('filter') || listed.has(path), path);
  }
});

test('a note is about an endpoint that is there, and what is not there is not', () => {
  const listed = new Set(allEndpoints().map(({ path }) => path));
  for (const path of NOTES.keys()) assert.ok(listed.has(path), path);
  for (const { paths } of [...NOT_YET, ...ENTERPRISE]) {
    for (const path of paths) assert.ok(!listed.has(path), `${path} is there`);
  }
});
