/** The log is as long as `log_retention` says, and a start reads none of it, however long it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startGateway } from '../support/gateway.ts';

interface Listed {
  readonly data: ReadonlyArray<{ readonly revision: number }>;
}

async function commit(adminUrl: string, name: string): Promise<void> {
  const response = await fetch(`${adminUrl}/services/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ host: '127.0.0.1', port: 9 }),
  });
  assert.equal(response.status, 200, await response.text());
}

async function revisions(adminUrl: string): Promise<number[]> {
  const response = await fetch(`${adminUrl}/revisions?size=1000`);
  return ((await response.json()) as Listed).data.map(({ revision }) => revision);
}

test('the log keeps as many commits as log_retention says', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite', log_retention: 3 } });
  for (let n = 1; n <= 5; n++) await commit(gateway.adminUrl, `s${n}`);
  assert.deepEqual(await revisions(gateway.adminUrl), [5, 4, 3]);
  assert.equal((await fetch(`${gateway.adminUrl}/revisions/2/diff`)).status, 404);
  const restore = async (revision: number): Promise<number> =>
    (await fetch(`${gateway.adminUrl}/revisions/${revision}/restore`, { method: 'POST' })).status;
  assert.equal(await restore(1), 404);
  assert.equal(await restore(2), 200);
  const { data } = (await (await fetch(`${gateway.adminUrl}/services`)).json()) as { data: unknown[] };
  assert.equal(data.length, 2);
});

/** Commits behind the one that is there, with changes that nobody can read: whoever tries will say so. */
const LONG = `
  INSERT INTO commits (revision, uuid, time, name, source, message, changes)
  WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
  SELECT i, 'commit ' || i, 1700000000000 + i, NULL, 'test', NULL, 2 FROM n;
  INSERT INTO changes (revision, kind, id, before, after)
  SELECT revision, kind, id, 'no JSON', 'no JSON' FROM commits, (SELECT kind, id FROM entities) WHERE revision > 1;
  UPDATE meta SET value = '200000' WHERE name = 'revision';
`;

test('200,000 commits are served at a start without being read, and go a few at a time', async () => {
  const settings = { database: 'sqlite', log_retention: 199_000 };
  await using before = await startGateway({ settings });
  await commit(before.adminUrl, 's');
  await before.stop('SIGQUIT');
  {
    using database = new DatabaseSync(join(before.prefix, 'store.db'));
    database.exec(`BEGIN; ${LONG} COMMIT`);
  }
  await using after = await startGateway({ settings: { ...settings, prefix: before.prefix } });
  assert.equal((await fetch(`${after.adminUrl}/services/s`)).status, 200);
  await commit(after.adminUrl, 't');
  const { data } = (await (await fetch(`${after.adminUrl}/revisions?size=1`)).json()) as Listed;
  assert.equal(data[0]?.revision, 200_001);
  assert.equal((await fetch(`${after.adminUrl}/revisions/100`)).status, 404);
  assert.equal((await fetch(`${after.adminUrl}/revisions/101`)).status, 200);
});
