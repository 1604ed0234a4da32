/** Secrets at rest: nowhere in clear in the prefix, and rotation of the keys leaves nothing that needs the old one. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSealKeys } from '../../src/store/seal-keys.ts';
import { type CliResult, sluice } from '../support/gateway.ts';
import { callAdmin } from './support/call.ts';
import { type StandInGateway, startStandIn } from './support/gateway.ts';

const OLD = Buffer.alloc(32, 1).toString('base64');
const NEW = Buffer.alloc(32, 2).toString('base64');

function idOf(key: string): string {
  return loadSealKeys({ secret_key_file: null, secret_keys: [key] })[0]?.id ?? '';
}

function command(gateway: StandInGateway, verb: 'rotate' | 'status'): Promise<CliResult> {
  return sluice(['secrets', verb, '-c', gateway.settingsFile]);
}

async function ask(gateway: StandInGateway, method: string, path: string, body?: unknown): Promise<string> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  const { status, text } = await callAdmin(gateway.url('admin', path), { method, headers, ...sent });
  assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
  return text;
}

/** Files of the prefix in which the text stands. */
async function filesWith(gateway: StandInGateway, text: string): Promise<string[]> {
  const names = await readdir(gateway.prefix, { recursive: true, withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  const found: string[] = [];
  for (const file of files) if ((await readFile(file)).includes(text)) found.push(file);
  return found;
}

const keyOf = (n: number): string => `needle-${n}-in-the-haystack`;

async function setKeys(gateway: StandInGateway, ...keys: readonly string[]): Promise<void> {
  const file = join(gateway.prefix, '..', 'keys');
  await writeFile(file, `${keys.join('\n')}\n`, { mode: 0o600 });
  await gateway.writeSettings({ secret_key_file: file });
}

async function fill(gateway: StandInGateway): Promise<void> {
  const writes = Array.from({ length: 300 }, (_, n) => ({
    op: 'create',
    path: '/consumers/bob/key-auth',
    entity: { key: keyOf(n) },
  }));
  await ask(gateway, 'POST', '/transactions', {
    writes: [{ op: 'create', path: '/consumers', entity: { username: 'bob' } }, ...writes],
  });
  await ask(gateway, 'POST', '/consumers/bob/hmac-auth', { username: 'bob', secret: 'needle-hmac' });
  await ask(gateway, 'POST', '/consumers/bob/jwt', { key: 'bob', secret: 'needle-jwt' });
  await ask(gateway, 'PATCH', `/key-auths/${keyOf(0)}`, { key: 'needle-changed' });
  for (let n = 1; n < 20; n++) await ask(gateway, 'DELETE', `/key-auths/${keyOf(n)}`);
}

test('sealing that is switched on later: nothing of what was in clear is left after rotation', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await fill(gateway);
  assert.notEqual((await filesWith(gateway, 'needle-')).length, 0);
  const refused = await command(gateway, 'rotate');
  assert.deepEqual(
    [refused.code, refused.stderr],
    [1, 'sluice: no key is set: secret_key_file, or secret_keys\n'],
  );
  await setKeys(gateway, NEW);
  await gateway.restart();
  assert.match(await ask(gateway, 'GET', `/key-auths/${keyOf(50)}`), /needle-50-/);
  const clear = await command(gateway, 'status');
  assert.match(clear.stdout, /^store {6}in clear {3}283 +323 +0$/m);
  const rotated = await command(gateway, 'rotate');
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.equal(
    rotated.stdout,
    `the key ${idOf(NEW)} seals\nsealed anew: 283 entities, 323 texts of the log, 0 records\n`,
  );
  assert.deepEqual(await filesWith(gateway, 'needle-'), []);
  assert.match(await ask(gateway, 'GET', `/key-auths/${keyOf(50)}`), /needle-50-/);
});

test('after rotation the old key can go, and nothing of its texts is left', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await gateway.stop();
  await setKeys(gateway, OLD);
  await gateway.restart();
  await fill(gateway);
  assert.deepEqual(await filesWith(gateway, 'needle-'), []);
  await gateway.stop();
  assert.deepEqual(await filesWith(gateway, 'needle-'), []);
  await setKeys(gateway, NEW, OLD);
  await gateway.restart();
  assert.match(await ask(gateway, 'GET', `/key-auths/${keyOf(50)}`), /needle-50-/);
  const [rotated] = await Promise.all([
    command(gateway, 'rotate'),
    ...Array.from({ length: 40 }, (_, n) =>
      ask(gateway, 'POST', '/consumers/bob/key-auth', { key: `late-${n}` }),
    ),
  ]);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stdout, /^sealed anew: 283 entities, \d+ texts of the log, 0 records$/m);
  const again = await command(gateway, 'rotate');
  assert.match(again.stdout, /^sealed anew: 0 entities, 0 texts of the log, 0 records$/m);
  const { stdout } = await command(gateway, 'status');
  assert.match(stdout, new RegExp(`^store {6}${idOf(NEW)} +323 +363 +0$`, 'm'));
  assert.ok(!stdout.includes(idOf(OLD)), stdout);
  assert.deepEqual(await filesWith(gateway, `${idOf(OLD)}$`), []);

  await setKeys(gateway, NEW);
  await gateway.restart();
  for (const name of [keyOf(50), 'needle-changed', 'late-39']) {
    assert.match(await ask(gateway, 'GET', `/key-auths/${name}`), new RegExp(`"key":"${name}"`));
  }
  assert.match(await ask(gateway, 'GET', '/revisions/4/diff'), /"fields":\["key"/);
  await ask(gateway, 'POST', '/revisions/1/restore');
  assert.match(await ask(gateway, 'GET', `/key-auths/${keyOf(3)}`), /needle-3-/);
});

test('a key that is missing is named, by a gateway that does not run too', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  await gateway.stop();
  await setKeys(gateway, OLD);
  await gateway.restart();
  await fill(gateway);
  await gateway.stop();
  await setKeys(gateway, NEW);
  const rotated = await command(gateway, 'rotate');
  assert.equal(rotated.code, 1);
  assert.match(rotated.stderr, /606 texts cannot be opened: a key is missing/);
  assert.match(
    (await command(gateway, 'status')).stdout,
    new RegExp(`^store {6}${idOf(OLD)} +283 +323 +0$`, 'm'),
  );
  await setKeys(gateway, NEW, OLD);
  assert.equal((await command(gateway, 'rotate')).code, 0);
  await setKeys(gateway, NEW);
  await gateway.restart();
  assert.match(await ask(gateway, 'GET', `/key-auths/${keyOf(50)}`), /needle-50-/);
});
