/** Users' plugins and their entities beside Postgres: two nodes, each with a folder of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { prepare } from '../store/support/log.ts';
import { admin, lookUp } from './support/admin.ts';
import { headerPlugin, pluginFolder, type PluginFolder } from './support/folder.ts';
import { quotaPlugin } from './support/quotas.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

function nodeOn(port: number, { path }: PluginFolder): Promise<Gateway> {
  const settings = { database: 'postgres', pg_port: port, pg_password: 'secret', secret_keys: KEY };
  return startGateway({ settings: { ...settings, plugins_dir: path, nginx_worker_processes: 2 } });
}

/** Writes, and tells what was wrong when it was refused. */
async function write(gateway: Gateway, method: string, path: string, body?: object): Promise<void> {
  const { status, body: answer } = await admin(gateway, method, path, body);
  assert.ok(status < 300, `${method} ${path}: ${JSON.stringify(answer)}`);
}

test('what one node writes of them the other finds, also one that gets the plugin later', async () => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  await using upstream = await startEcho();
  await using full = await pluginFolder({ 'quota.ts': quotaPlugin() });
  await using bare = await pluginFolder({ 'stamp.ts': headerPlugin('stamp', "'1'") });
  await using one = await nodeOn(postgres.port, full);
  await using two = await nodeOn(postgres.port, bare);

  await write(one, 'POST', '/services', { name: 's', url: `http://127.0.0.1:${upstream.port}` });
  await write(one, 'POST', '/services/s/routes', { name: 'r', paths: ['/a'] });
  await write(one, 'POST', '/plans', { name: 'gold' });
  await write(one, 'POST', '/consumers', { username: 'anna' });
  await write(one, 'POST', '/consumers/anna/quotas', { plan: { name: 'gold' }, code: 'c-1' });

  // The other node keeps what it does not know, and does not let go of what that refers to.
  await waitFor(async () => (await admin(two, 'GET', '/consumers/anna')).status === 200);
  assert.equal((await admin(two, 'GET', '/plans')).status, 404);
  await waitFor(async () => (await admin(two, 'DELETE', '/consumers/anna')).status === 400, {
    what: 'the quota to protect its consumer',
  });
  await full.write('quota.ts', quotaPlugin());
  await bare.write('quota.ts', quotaPlugin());
  await waitFor(async () => (await admin(two, 'GET', '/plans/gold')).status === 200, { what: 'the plugin' });
  assert.equal((await admin(two, 'GET', '/quota-quotas/c-1')).body['code'], 'c-1');
  const twice = await admin(two, 'POST', '/consumers/anna/quotas', { plan: { name: 'gold' }, code: 'c-1' });
  assert.equal(twice.status, 409);

  await write(two, 'POST', '/routes/r/plugins', { name: 'quota' });
  for (const node of [one, two])
    await waitFor(async () => (await lookUp(node, { 'x-code': 'c-1' }))['same'], { what: 'the look-up' });
  await write(two, 'PATCH', '/plans/gold', { limit: 77 });
  for (const node of [one, two])
    await waitFor(async () => (await lookUp(node, { 'x-code': 'c-1' }))['limit'] === 77);

  // Gone on one node it is gone on the other.
  await write(two, 'DELETE', '/quota-quotas/c-1');
  for (const node of [one, two])
    await waitFor(async () => (await lookUp(node, { 'x-code': 'c-1' }))['found'] === null);
  const rows = await postgres.query<{ kind: string; text: string }>(
    "SELECT kind, text FROM sluice.entities WHERE kind IN ('plans', 'quota_quotas')",
  );
  assert.deepEqual(
    rows.map(({ kind }) => kind),
    ['plans'],
  );
});

test('a plugin that is read again on one node leaves the other as it is, and a revoked key is revoked on both', async () => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  await using upstream = await startEcho();
  await using left = await pluginFolder({ 'stamp.ts': headerPlugin('stamp', "'1'") });
  await using right = await pluginFolder({ 'stamp.ts': headerPlugin('stamp', "'1'") });
  await using one = await nodeOn(postgres.port, left);
  await using two = await nodeOn(postgres.port, right);
  const ask = async (node: Gateway, key: string): Promise<[number, string | null]> => {
    const headers = { apikey: key, connection: 'close' };
    const response = await fetch(`${node.url}/a`, { headers });
    await response.arrayBuffer();
    return [response.status, response.headers.get('x-stamp')];
  };
  const answers = async (
    node: Gateway,
    key: string,
    wanted: readonly [number, string | null],
  ): Promise<void> => {
    await waitFor(async () => String(await ask(node, key)) === String(wanted), { what: String(wanted) });
  };
  await write(one, 'POST', '/services', { name: 's', url: `http://127.0.0.1:${upstream.port}` });
  await write(one, 'POST', '/services/s/routes', { name: 'r', paths: ['/a'] });
  await write(one, 'POST', '/plugins', { name: 'stamp', config: { prefix: 'p' } });
  await write(one, 'POST', '/routes/r/plugins', { name: 'key-auth' });
  await write(one, 'POST', '/consumers', { username: 'anna' });
  await write(one, 'POST', '/consumers/anna/key-auth', { key: 'k-1' });
  for (const node of [one, two]) await answers(node, 'k-1', [200, 'p1']);

  await left.write('stamp.ts', headerPlugin('stamp', "'2'"));
  await answers(one, 'k-1', [200, 'p2']);
  assert.deepEqual(await ask(two, 'k-1'), [200, 'p1']);
  // A commit of either node goes on reaching both, whose plugins differ now.
  await write(two, 'POST', '/consumers/anna/key-auth', { key: 'k-2' });
  await answers(one, 'k-2', [200, 'p2']);
  await answers(two, 'k-2', [200, 'p1']);

  await write(one, 'DELETE', '/consumers/anna/key-auth/k-1');
  for (let turn = 0; turn < 8; turn++) assert.equal((await ask(one, 'k-1'))[0], 401);
  await waitFor(async () => (await ask(two, 'k-1'))[0] === 401, {
    what: 'the other node to let go of the key',
  });
  for (let turn = 0; turn < 8; turn++) assert.equal((await ask(two, 'k-1'))[0], 401);
  assert.deepEqual(await ask(two, 'k-2'), [200, 'p1']);

  // One that does not load on one node changes nothing there, and the other does not notice.
  await right.write('stamp.ts', 'export default 1;');
  await waitFor(async () => /stamp\.ts: it has no default export/.test(await two.logs()));
  assert.deepEqual(await ask(two, 'k-2'), [200, 'p1']);
  assert.deepEqual(await ask(one, 'k-2'), [200, 'p2']);
});
