/** Entities that a plugin brings: Admin API, store, declarative files, and look-ups in every worker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gateway } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { configWith, gatewayWith, pluginFolder } from './support/folder.ts';
import { quotaPlugin } from './support/quotas.ts';

type Json = Record<string, unknown>;

interface Answer {
  readonly status: number;
  readonly body: Json;
}

async function admin(gateway: Gateway, method: string, path: string, body?: unknown): Promise<Answer> {
  const form = typeof body === 'string';
  const response = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : {
          body: form ? body : JSON.stringify(body),
          headers: { 'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json' },
        }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
}

async function lookUp(gateway: Gateway, headers: Readonly<Record<string, string>>): Promise<Json> {
  const response = await fetch(`${gateway.url}/a`, { headers });
  return (await response.json()) as Json;
}

const withDatabase = { database: 'sqlite', nginx_worker_processes: 2 } as const;

test('the Admin API has for kinds of plugins what it has for its own, and workers find them', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'quota.ts': quotaPlugin() });
  const config = configWith(upstream.port, { '/a': [{ name: 'quota' }] });
  await using gateway = await gatewayWith(folder, config, withDatabase);
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    admin(gateway, method, path, body);

  const anna = (await ask('POST', '/consumers', { username: 'anna' })).body;
  const plan = await ask('POST', '/plans', 'name=gold&limit=5&labels.a=b&tags[]=t1');
  assert.equal(plan.status, 201, JSON.stringify(plan.body));
  assert.deepEqual(Object.keys(plan.body).sort(), [
    'created_at',
    'id',
    'labels',
    'limit',
    'name',
    'tags',
    'updated_at',
  ]);
  assert.deepEqual([plan.body['limit'], plan.body['labels'], plan.body['tags']], [5, { a: 'b' }, ['t1']]);

  const wrong = await ask('POST', '/plans', { name: 'x', limit: 0, other: 1 });
  assert.equal(wrong.status, 400);
  assert.equal(wrong.body['code'], 2);
  assert.deepEqual(wrong.body['fields'], {
    limit: 'value should be between 1 and 1000',
    other: 'unknown field',
  });
  const twice = await ask('POST', '/plans', { name: 'gold' });
  assert.equal(twice.status, 409);
  assert.equal(twice.body['name'], 'unique constraint violation');

  // Nested creation, a reference by name, a key that is generated.
  const quota = await ask('POST', '/consumers/anna/quotas', { plan: { name: 'gold' }, ttl: 1000 });
  assert.equal(quota.status, 201, JSON.stringify(quota.body));
  const code = String(quota.body['code']);
  assert.equal(code.length, 32);
  assert.deepEqual(quota.body['consumer'], { id: anna['id'] });
  const again = await ask('POST', '/consumers/anna/quotas', { plan: { name: 'gold' } });
  assert.equal(again.status, 409);
  const unknown = await ask('POST', '/quota-quotas', {
    consumer: { id: anna['id'] },
    plan: { id: anna['id'] },
  });
  assert.equal(unknown.status, 400);
  assert.equal(unknown.body['code'], 4);
  const far = await ask('GET', `/quota-quotas/${code}/plan`);
  assert.equal(far.body['name'], 'gold');
  const nested = await ask('GET', `/consumers/anna/quotas/${code}`);
  assert.equal(nested.status, 200);
  assert.equal((await ask('GET', '/plans/gold/quotas')).status, 200);
  assert.equal((await ask('GET', '/plans?tags=t1')).body['data'] instanceof Array, true);
  assert.deepEqual(
    ((await ask('GET', '/tags/t1')).body['data'] as Json[]).map((row) => row['entity_name']),
    ['plans'],
  );
  // PUT makes and replaces, PATCH merges, 405 tells the methods.
  const put = await ask('PUT', '/plans/silver', { limit: 2 });
  assert.equal(put.status, 200);
  assert.equal(put.body['name'], 'silver');
  assert.equal((await ask('PATCH', '/plans/silver', { limit: 3 })).body['limit'], 3);
  assert.equal((await ask('PATCH', '/plans/none', { limit: 3 })).status, 404);
  assert.equal((await ask('POST', '/plans/silver', {})).status, 405);
  // Pages.
  const first = await ask('GET', '/plans?size=1');
  assert.equal((first.body['data'] as Json[]).length, 1);
  assert.match(String(first.body['next']), /^\/plans\?offset=/);
  const second = await ask('GET', String(first.body['next']));
  assert.equal((second.body['data'] as Json[]).length, 1);
  // What is referred to stays; cascades go.
  const held = await ask('DELETE', '/plans/gold');
  assert.equal(held.status, 400);
  assert.match(
    String(held.body['message']),
    /an existing 'quota_quotas' entity references this 'plans' entity/,
  );
  assert.equal((await ask('DELETE', '/plans/silver')).status, 204);

  const schema = await ask('GET', '/schemas/plans');
  assert.equal(schema.status, 200);
  assert.match(JSON.stringify(schema.body), /"name":\{"description":"Its name\./);
  const valid = await ask('POST', '/schemas/plans/validate', { name: 'x', limit: 2000 });
  assert.equal(valid.status, 400);
  const { data: paths } = (await ask('GET', '/endpoints')).body as { data: string[] };
  for (const path of [
    '/plans',
    '/plans/{plans}',
    '/consumers/{consumers}/quotas',
    '/consumers/{consumers}/quotas/{quota_quotas}',
    '/quota-quotas/{quota_quotas}/plan',
  ]) {
    assert.ok(paths.includes(path), path);
  }
  const { paths: documented } = (await ask('GET', '/openapi.json')).body as { paths: Json };
  assert.ok('/plans/{plans}' in documented);

  // Both workers have it when the write is answered.
  const workers = new Set<unknown>();
  await waitFor(
    async () => {
      const found = await lookUp(gateway, { 'x-code': code, connection: 'close' });
      assert.deepEqual([found['same'], found['limit']], [true, 5]);
      workers.add(found['worker']);
      return workers.size === 2;
    },
    { what: 'an answer of both workers' },
  );
  assert.deepEqual(await lookUp(gateway, { 'x-owner': String(anna['id']) }), { codes: [code] });
  await ask('PATCH', '/plans/gold', { limit: 7 });
  for (let turn = 0; turn < 8; turn++) {
    assert.equal((await lookUp(gateway, { 'x-code': code, connection: 'close' }))['limit'], 7);
  }
  assert.equal((await ask('DELETE', '/consumers/anna')).status, 204);
  for (let turn = 0; turn < 8; turn++) {
    assert.equal((await lookUp(gateway, { 'x-code': code, connection: 'close' }))['found'], null);
  }
  assert.deepEqual((await ask('GET', '/quota-quotas')).body['data'], []);
  // A transaction, and the way back.
  const revision = (await ask('GET', '/revisions?size=1')).body['data'] as Json[];
  const committed = await ask('POST', '/transactions', {
    writes: [{ op: 'create', path: '/plans', entity: { name: 'bronze' } }],
  });
  assert.ok(committed.status < 300, JSON.stringify(committed.body));
  assert.notEqual((await lookUp(gateway, { 'x-plan': 'bronze' }))['plan'], null);
  const restored = await ask('POST', `/revisions/${String(revision[0]?.['revision'])}/restore`);
  assert.ok(restored.status < 300, JSON.stringify(restored.body));
  assert.equal((await lookUp(gateway, { 'x-plan': 'bronze' }))['plan'], null);
});
