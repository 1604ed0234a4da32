/** A plugin that says who calls is known to do so before it runs: only then is what clients claim taken out on its routes. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SCHEMAS } from '../schemas.ts';

const IDENTIFIES = /\b(?:authentication|identify)\(|\.authenticate\(|from '\.\.\/key-auth\//;
/** A snippet may say who calls; most do not, and a route with one keeps what a gateway in front has said. */
const SNIPPETS: ReadonlySet<string> = new Set(['pre-function', 'post-function']);

for (const { name, identifies = false } of SCHEMAS) {
  test(`${name}: \`identifies\` in its schema says what its code does`, () => {
    const folder = new URL(`../${name}/`, import.meta.url);
    assert.ok(existsSync(folder), `no folder of ${name}`);
    const sources = readdirSync(folder).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
    const does = sources.some((file) => IDENTIFIES.test(readFileSync(new URL(file, folder), 'utf8')));
    assert.equal(identifies, does && !SNIPPETS.has(name));
  });
}
