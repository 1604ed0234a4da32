/** Vaults of each kind that is there, and references to them where entities may hold some. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdmin } from '../support/admin-server.ts';

test('vaults of the environment and of files are entities', async () => {
  await using admin = await startAdmin();
  const file = { prefix: 'my-files', name: 'file', config: { prefix: 'db', ttl: 10 } };
  const made = await admin.call('POST', '/vaults', file);
  assert.equal(made.status, 201, made.text);
  assert.equal(
    (await admin.call('PUT', '/vaults/my-env', { name: 'env', config: { prefix: 'A_' } })).status,
    200,
  );
  const cases = [
    { prefix: 'out', name: 'file', config: { prefix: '../etc' } },
    { prefix: 'other', name: 'hcv', config: {} },
  ];
  for (const one of cases) assert.equal((await admin.call('POST', '/vaults', one)).status, 400, one.name);
});

test('a reference is kept and shown as it is, also to those who see no secrets', async () => {
  await using admin = await startAdmin();
  const references = { cert: '{vault://env/cert}', key: '{vault://my-files/key}' };
  const made = await admin.call('POST', '/certificates', references);
  assert.equal(made.status, 201, made.text);
  admin.as({ name: 'reader', role: 'read', kinds: null, tags: null });
  const { body } = await admin.call('GET', `/certificates/${String(made.body['id'])}`);
  assert.deepEqual({ cert: body['cert'], key: body['key'] }, references);
});
