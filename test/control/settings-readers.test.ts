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
  // Names that are put together: `${name}_access_log`.
  const listenerLogs = /^(?:admin|status)_(?:access|error)_log$/;
  const unread = Object.keys(SETTINGS).filter((name) => {
    const stem = listenerLogs.test(name) ? `\${name}_${name.split('_').slice(1).join('_')}` : name;
    return !ELSEWHERE.has(name) && !text.includes(stem);
  });
  assert.deepEqual(unread, []);
});
