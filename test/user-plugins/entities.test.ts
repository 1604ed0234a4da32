/** Entities that a plugin brings: Admin API, store, declarative files, and look-ups in every worker. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sluice } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { admin, type Answer, type Json, lookUp } from './support/admin.ts';
import { configWith, gatewayWith, pluginFolder } from './support/folder.ts';
import { quotaPlugin } from './support/quotas.ts';

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
  assert.equal(((await ask('GET', '/plans?tags=t1')).body['data'] as Json[]).length, 1);
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
      const found = await lookUp(gateway, { 'x-code': code });
      assert.deepEqual([found['same'], found['limit']], [true, 5]);
      workers.add(found['worker']);
      return workers.size === 2;
    },
    { what: 'an answer of both workers' },
  );
  assert.deepEqual(await lookUp(gateway, { 'x-owner': String(anna['id']) }), { codes: [code] });
  await ask('PATCH', '/plans/gold', { limit: 7 });
  for (let turn = 0; turn < 8; turn++) {
    assert.equal((await lookUp(gateway, { 'x-code': code }))['limit'], 7);
  }
  assert.equal((await ask('DELETE', '/consumers/anna')).status, 204);
  for (let turn = 0; turn < 8; turn++) {
    assert.equal((await lookUp(gateway, { 'x-code': code }))['found'], null);
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

test('entities stay when their plugin goes, are protected meanwhile, and are there when it comes back', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'quota.ts': quotaPlugin() });
  const config = configWith(upstream.port, { '/a': [] });
  await using gateway = await gatewayWith(folder, config, withDatabase);
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    admin(gateway, method, path, body);
  await ask('POST', '/consumers', { username: 'anna' });
  await ask('POST', '/plans', { name: 'gold' });
  const made = await ask('POST', '/consumers/anna/quotas', {
    plan: { name: 'gold' },
    code: 'c-1',
    tags: ['t'],
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));

  await folder.remove('quota.ts');
  await waitFor(async () => (await ask('GET', '/plans')).status === 404, { what: 'the kind to be gone' });
  await waitFor(async () => /1 entities of quota_quotas are kept and not served/.test(await gateway.logs()));
  assert.equal((await ask('GET', '/schemas/plans')).status, 404);
  const { data: paths } = (await ask('GET', '/endpoints')).body as { data: string[] };
  assert.ok(!paths.includes('/plans'));
  const held = await ask('DELETE', '/consumers/anna');
  assert.equal(held.status, 400);
  assert.match(String(held.body['message']), /an existing 'quota_quotas' entity references/);
  // Other changes and their history go on.
  assert.equal((await ask('POST', '/consumers', { username: 'bert' })).status, 201);
  const { data: commits } = (await ask('GET', '/revisions?size=10')).body as { data: Json[] };
  for (const { revision } of commits) {
    const diff = await ask('GET', `/revisions/${String(revision)}/diff`);
    assert.equal(diff.status, 200);
    assert.doesNotMatch(JSON.stringify(diff.body), /c-1/);
  }

  await folder.write('quota.ts', quotaPlugin());
  await waitFor(async () => (await ask('GET', '/plans')).status === 200, { what: 'the kind to be back' });
  assert.deepEqual((await ask('GET', '/quota-quotas/c-1')).body, made.body);
  assert.equal((await ask('POST', '/plans', { name: 'gold' })).status, 409);
  const route = (await ask('GET', '/routes')).body as { data: Json[] };
  await ask('POST', '/plugins', { name: 'quota', route: { id: route.data[0]?.['id'] } });
  assert.equal((await lookUp(gateway, { 'x-code': 'c-1' }))['same'], true);
  assert.equal((await ask('DELETE', '/consumers/anna')).status, 204);
  assert.equal((await lookUp(gateway, { 'x-code': 'c-1' }))['found'], null);
});

test('a plugin that changes its kinds: what fits goes on, what does not changes nothing', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'quota.ts': quotaPlugin() });
  const config = configWith(upstream.port, { '/a': [{ name: 'quota' }] });
  await using gateway = await gatewayWith(folder, config, withDatabase);
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    admin(gateway, method, path, body);
  const refused = (says: RegExp): Promise<boolean> =>
    waitFor(async () => says.test(await gateway.logs()), { what: `the log to say ${String(says)}` });
  await ask('POST', '/consumers', { username: 'anna' });
  await ask('POST', '/consumers', { username: 'bert' });
  await ask('POST', '/plans', { name: 'gold' });
  for (const [consumer, code] of [
    ['anna', 'c-1'],
    ['bert', 'c-2'],
  ])
    await ask('POST', `/consumers/${consumer}/quotas`, { plan: { name: 'gold' }, code });

  await folder.write('quota.ts', quotaPlugin({ fields: "note: { type: 'string', default: 'none' }," }));
  await waitFor(async () => 'note' in (await ask('GET', '/quota-quotas/c-1')).body, {
    what: 'the new field',
  });
  assert.equal((await ask('GET', '/quota-quotas/c-1')).body['note'], 'none');
  const found = (await lookUp(gateway, { 'x-code': 'c-1' }))['found'] as Json;
  assert.equal(found['note'], 'none');

  await folder.write('quota.ts', quotaPlugin({ fields: "zone: { type: 'string', required: true }," }));
  await refused(
    /plugin quota: quota_quotas [0-9a-f-]{36}: zone: required field missing; this entity is stored/,
  );
  assert.equal((await ask('GET', '/quota-quotas/c-1')).body['note'], 'none');

  await ask('PATCH', '/quota-quotas/c-1', { note: 'x' });
  await ask('PATCH', '/quota-quotas/c-2', { note: 'x' });
  await folder.write('quota.ts', quotaPlugin({ fields: "note: { type: 'string', unique: true }," }));
  await refused(/quota_quotas [0-9a-f-]{36}: note: another entity that is stored has the same/);
  await ask('PATCH', '/quota-quotas/c-2', { note: 'y' });
  await folder.write(
    'quota.ts',
    quotaPlugin({
      fields: "note: { type: 'string', unique: true }, more: { type: 'string', default: 'm' },",
    }),
  );
  await waitFor(async () => 'more' in (await ask('GET', '/quota-quotas/c-1')).body, {
    what: 'a unique field',
  });
  assert.equal((await ask('PATCH', '/quota-quotas/c-2', { note: 'x' })).status, 409);
  assert.equal((await lookUp(gateway, { 'x-code': 'c-2' }))['same'], true);

  // Another plugin that wants the name, and one that brings what the gateway has.
  await folder.write('other.ts', quotaPlugin({ name: 'other' }));
  await refused(/plugin other: entities: plans: plugin quota has 'plans' already/);
  await folder.write('other.ts', quotaPlugin({ name: 'other', plans: 'services' }));
  await refused(/other\.ts: entities: services: the gateway has entities of this name: choose another/);
  await folder.write('other.ts', quotaPlugin({ name: 'other', plans: 'offers' }));
  await waitFor(async () => (await ask('GET', '/offers')).status === 200, { what: 'the other plugin' });
  assert.equal((await ask('GET', '/plans/gold')).status, 200);
});

test('without a database: declarative files have them, and print them again', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'quota.ts': quotaPlugin() });
  const config = {
    ...configWith(upstream.port, { '/a': [{ name: 'quota' }] }),
    plans: [{ name: 'gold', limit: 5, quota_quotas: [{ consumer: 'anna', code: 'c-1' }] }, { name: 'free' }],
    consumers: [{ username: 'anna', quota_quotas: [{ plan: 'free', code: 'c-2', used: 3 }] }],
  };
  await using gateway = await gatewayWith(folder, config, { nginx_worker_processes: 2 });
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    admin(gateway, method, path, body);
  const look = async (code: string): Promise<Json> => await lookUp(gateway, { 'x-code': code });
  assert.deepEqual([(await look('c-1'))['limit'], (await look('c-2'))['limit']], [5, 10]);
  assert.equal((await ask('GET', '/consumers/anna/quotas/c-2')).body['used'], 3);
  assert.equal((await ask('POST', '/plans', { name: 'x' })).status, 405);
  const printed = await ask('GET', '/config');
  const text = String(printed.body['config']);
  assert.match(text, /^quota_quotas:$/m);
  const wrong = await gateway.postConfig(text.replace('code: c-1', 'code: c-2'));
  assert.equal(wrong.status, 400);
  assert.match(JSON.stringify(wrong.body), /uniqueness violation: 'quota_quotas' entity with code/);
  const dangling = await gateway.postConfig({ ...config, plans: [] });
  assert.equal(dangling.status, 400);
  assert.match(JSON.stringify(dangling.body), /invalid reference 'plan: free' \(no such entry in 'plans'\)/);
  const same = await gateway.postConfig(text.replace('code: c-1', 'code: c-3'));
  assert.equal(same.status, 201, JSON.stringify(same.body));
  assert.equal((await look('c-1'))['found'], null);
  assert.equal((await look('c-3'))['same'], true);

  // The plugin may change, and only as far as what is served still fits.
  await folder.write('quota.ts', quotaPlugin({ fields: "note: { type: 'string', default: 'none' }," }));
  await waitFor(async () => ((await look('c-3'))['found'] as Json)['note'] === 'none', { what: 'the field' });
  assert.equal((await ask('GET', '/quota-quotas/c-3')).body['note'], 'none');
  await folder.write('quota.ts', quotaPlugin({ fields: "zone: { type: 'string', required: true }," }));
  await waitFor(async () => /zone: required field missing; this entity/.test(await gateway.logs()));
  assert.equal((await look('c-3'))['same'], true);
});

test('`sluice config` checks, dumps and syncs them', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'quota.ts': quotaPlugin() });
  const config = configWith(upstream.port, { '/a': [{ name: 'quota' }] });
  await using gateway = await gatewayWith(folder, config, withDatabase);
  const token = ['admin', 'token', 'create', '-c', gateway.conf, '--name', 'planner', '--role', 'write'];
  const granted = await sluice([...token, '--kinds', 'plans,quota_quotas']);
  assert.equal(granted.code, 0, granted.stderr);
  assert.notEqual((await sluice([...token.with(6, 'other'), '--kinds', 'nothings'])).code, 0);
  const file = join(folder.path, '..', 'wanted.yml');
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await sluice(['config', ...args, '--admin', gateway.adminUrl]);
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const text = `${await run('dump')}
plans:
- name: gold
  limit: 5
- name: free
quota_quotas:
- plan: gold
  consumer: anna
  code: c-1
consumers:
- username: anna
`;
  await writeFile(file, text);
  await run('sync', '--yes', file);
  assert.equal((await admin(gateway, 'GET', '/plans/gold')).body['limit'], 5);
  assert.equal((await lookUp(gateway, { 'x-code': 'c-1' }))['limit'], 5);
  const dumped = await run('dump');
  assert.match(dumped, /^plans:$/m);
  assert.match(dumped, /^ {2}- code: c-1\n {4}consumer: anna\n {4}plan: gold$/m);
  // What was dumped is what is there; what is not in the file goes.
  await writeFile(file, dumped);
  const before = (await admin(gateway, 'GET', '/revisions?size=1')).body['data'];
  await run('sync', '--yes', file);
  assert.deepEqual((await admin(gateway, 'GET', '/revisions?size=1')).body['data'], before);
  await writeFile(file, dumped.replace('  - name: free\n', ''));
  await run('sync', '--yes', file);
  assert.equal((await admin(gateway, 'GET', '/plans/free')).status, 404);
  assert.equal((await admin(gateway, 'GET', '/plans/gold')).status, 200);
  // A file is checked with the plugins of the folder.
  await writeFile(file, '_format_version: "3.0"\nplans:\n- name: gold\n  limit: 0\n');
  const checked = await sluice(['config', 'parse', file], { SLUICE_PLUGINS_DIR: folder.path });
  assert.notEqual(checked.code, 0);
  assert.match(checked.stdout + checked.stderr, /limit: value should be between 1 and 1000/);
  const without = await sluice(['config', 'parse', file]);
  assert.match(without.stdout + without.stderr, /plans: unknown field/);
});
