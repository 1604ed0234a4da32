/** `sluice config import --from postgres://…` with a real Postgres, and tables that stand in for a Kong's. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startPostgres } from '../support/postgres.ts';
import { assertExit, config } from './support/cli.ts';
import { BOB, createRows, createTables, MADE, uuid } from './support/kong-tables.ts';

test("Kong's tables are taken over, and nothing is written to them", async () => {
  await using postgres = await startPostgres();
  const url = `postgres://kong:secret@127.0.0.1:${postgres.port}/kong`;
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const run = (...args: string[]) => config(gateway.adminUrl, 'import', '--from', url, ...args);
  const empty = await run();
  assertExit(empty, 1);
  assert.match(empty.stderr, /holds no tables of Kong/);

  const password = createHash('sha1').update(`plain-text${BOB}`).digest('hex');
  await postgres.query(createTables());
  await postgres.query(createRows(password));
  const refused = await run();
  assertExit(refused, 1);
  assert.match(refused.stdout, /! plugin my-own \(route orders\): plugin 'my-own' is not built\n/);
  assert.match(refused.stdout, /! 1 entities of workspace 'team'/);
  assert.match(refused.stdout, /! 1 of sessions/);
  assert.match(refused.stdout, /12 entities can be taken over, 1 cannot/);
  assertExit(await run('--skip-unsupported'), 0);

  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(gateway.adminUrl + path)).json()) as Record<string, unknown>;
  const made = Date.parse(MADE) / 1000;
  const service = await get('/services/shop');
  assert.deepEqual(
    [service['id'], service['created_at'], service['tags'], service['port']],
    [uuid(20), made, ['a', 'b'], 8080],
  );
  const route = await get('/routes/orders');
  assert.deepEqual([route['service'], route['headers']], [{ id: uuid(20) }, { 'x-v': ['1'] }]);
  assert.deepEqual((await get('/routes/stream'))['protocols'], ['tcp']);
  assert.equal((await get('/basic-auths/bob'))['password'], password);
  const [target] = (await get('/upstreams/up/targets'))['data'] as Record<string, unknown>[];
  assert.deepEqual([target?.['id'], target?.['created_at'], target?.['weight']], [uuid(51), made + 0.123, 5]);
  assert.equal((await get('/key-auths/over'))['message'], 'Not found');
  const left = Number((await get('/key-auths/for-a-while'))['ttl']);
  assert.ok(left > 3000 && left <= 3600, String(left));
  assert.deepEqual((await get('/vaults/my-env'))['config'], { prefix: 'X_' });
});

test('a database that cannot be reached, or does not let one in', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  const result = await config(
    gateway.adminUrl,
    'import',
    '--from',
    'postgres://kong:hidden@127.0.0.1:1/kong',
  );
  assertExit(result, 1);
  assert.match(result.stderr, /cannot read Kong's tables: .*ECONNREFUSED/);
  assert.doesNotMatch(result.stderr, /hidden/);
});
