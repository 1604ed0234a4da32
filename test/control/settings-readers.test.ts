/** Every setting that is accepted is read by somebody: one that nobody reads does not do what it says. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SETTINGS } from '../../src/settings/table.ts';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

/** Read by the settings themselves, or, the last two, with one value or none that has an effect so far. */
const ELSEWHERE = new Set(['nginx_http_client_body_buffer_size', 'database', 'plugins']);

test('every setting has a reader', () => {
  const text = globSync('**/*.ts', { cwd: SOURCES })
    .filter((file) => !file.startsWith('settings/') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(SOURCES, file), 'utf8'))
    .join('\n');
  // Names that are put together: `${name}_access_log`, `${side}_ssl_cert`.
  const together = /^(?:admin|status)_((?:access|error)_log|ssl_cert(?:_key)?)$/;
  const unread = Object.keys(SETTINGS).filter((name) => {
    const rest = together.exec(name)?.[1];
    const stem = rest === undefined ? name : `\${${rest.startsWith('ssl') ? 'side' : 'name'}}_${rest}`;
    return !ELSEWHERE.has(name) && !text.includes(stem);
  });
  assert.deepEqual(unread, []);
});
