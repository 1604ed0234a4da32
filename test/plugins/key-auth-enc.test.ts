/** key-auth-enc on whole gateways: keys by Kong Enterprise's paths, and where they stand on the disk. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const SEAL = Buffer.alloc(32, 7).toString('base64');
const KEY = 'needle-in-the-haystack';

async function admin(
  gateway: Gateway,
  method: string,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  assert.ok(response.status < 300, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function filesWith(folder: string, text: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const one of names) {
    if (!one.isFile()) continue;
    const file = join(one.parentPath, one.name);
    if ((await readFile(file)).includes(text)) found.push(file);
  }
  return found;
}

async function statusOf(gateway: Gateway, key?: string): Promise<number> {
  const response = await fetch(`${gateway.url}/`, { headers: key === undefined ? {} : { apikey: key } });
  await response.arrayBuffer();
  return response.status;
}

for (const sealed of [true, false]) {
  test(`keys of key-auth-enc, secrets ${sealed ? 'sealed' : 'in clear'}`, async () => {
    await using upstream = await startEcho();
    await using gateway = await startGateway({
      settings: { database: 'sqlite', log_level: 'notice', ...(sealed ? { secret_keys: SEAL } : {}) },
    });
    await admin(gateway, 'POST', '/services', { name: 's', url: upstream.url });
    await admin(gateway, 'POST', '/services/s/routes', { name: 'r', paths: ['/'] });
    await admin(gateway, 'POST', '/consumers', { username: 'anna' });
    const made = await admin(gateway, 'POST', '/consumers/anna/key-auth-enc', { key: KEY });
    await admin(gateway, 'POST', '/plugins', { name: 'key-auth-enc', config: { hide_credentials: true } });
    await waitFor(async () => (await statusOf(gateway)) === 401, { what: 'the plugin' });
    await waitFor(async () => (await statusOf(gateway, KEY)) === 200, { what: 'the key' });
    assert.equal(await statusOf(gateway, 'other'), 401);
    const listed = (await admin(gateway, 'GET', '/key-auths-enc')) as {
      data: Array<{ id: string; key: string }>;
    };
    assert.deepEqual(
      listed.data.map(({ id, key }) => [id, key]),
      [[made['id'], KEY]],
    );
    const consumer = await admin(gateway, 'GET', `/key-auths-enc/${String(made['id'])}/consumer`);
    assert.equal(consumer['username'], 'anna');
    const found = await filesWith(gateway.prefix, KEY);
    if (sealed) assert.deepEqual(found, []);
    else assert.notEqual(found.length, 0);
    const warned = async (): Promise<boolean> =>
      (await gateway.logs()).includes('[key-auth-enc] keys are not encrypted at rest');
    if (sealed) assert.equal(await warned(), false);
    else await waitFor(warned, { what: 'the warning' });
    await admin(gateway, 'DELETE', `/consumers/anna/key-auth-enc/${String(made['id'])}`);
    await waitFor(async () => (await statusOf(gateway, KEY)) === 401, { what: 'the key to be gone' });
  });
}
