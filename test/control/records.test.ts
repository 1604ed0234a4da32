/** Records as workers have them: asked for from the main thread, cached, and told of what changes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait.ts';
import { prepare } from '../store/support/log.ts';
import { startStandIn, type StandInGateway } from './support/gateway.ts';

interface Answer {
  readonly worker: number;
  readonly hit?: boolean;
  readonly value?: unknown;
  readonly error?: string;
}

/** To whichever worker gets it. */
async function call(gateway: StandInGateway, method: string, ...args: unknown[]): Promise<Answer> {
  const answer: unknown = await gateway.ask(
    `/records/${method}?args=${encodeURIComponent(JSON.stringify(args))}`,
  );
  return answer as Answer;
}

/** In the end each worker's cache answers so without asking. A worker may read its sockets before its messages. */
async function allKnow(
  gateway: StandInGateway,
  collection: string,
  key: string,
  n: number | null,
): Promise<void> {
  const know = new Set<number>();
  await waitFor(async () => {
    const { worker, hit, value } = await call(gateway, 'cached-get', collection, key);
    const record = value as { value: { n: number } } | null;
    const same = (record === null ? null : record.value.n) === n;
    if (hit === true && same) know.add(worker);
    return know.size === 2;
  });
}

test('what one worker writes, all workers know; none keeps what was before', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' } });
  const c = randomUUID();
  await allKnow(gateway, c, 'k', null);
  for (let n = 0; n < 20; n++) {
    const { value } = await call(gateway, 'put', c, { key: 'k', value: { n }, unique: { i: `v${n}` } });
    assert.equal((value as { stored: boolean }).stored, true);
    await allKnow(gateway, c, 'k', n);
  }
  assert.deepEqual((await call(gateway, 'put', c, { key: 'l', value: {} }, { ifVersion: 9 })).value, {
    stored: false,
    conflict: 'version',
  });
  assert.deepEqual((await call(gateway, 'cached-findBy', c, 'i', 'v0')).value, null);
  assert.equal((await call(gateway, 'delete', c, 'k')).value, true);
  await allKnow(gateway, c, 'k', null);
  const step = { key: 'n', amount: 2, ttlMs: 60_000 };
  await Promise.all(Array.from({ length: 20 }, () => call(gateway, 'increment', c, [step])));
  assert.deepEqual((await call(gateway, 'counts', c, ['n'])).value, [40]);
  assert.match((await call(gateway, 'put', c, { key: '', value: {} })).error ?? '', /^RangeError/);
  assert.match((await call(gateway, 'list', c, { size: 0 })).error ?? '', /^RangeError/);
});

test('a worker that is started again asks as the one before', async () => {
  await using gateway = await startStandIn({ settings: { database: 'sqlite' }, tuning: { restartMs: 10 } });
  const c = randomUUID();
  await call(gateway, 'put', c, { key: 'k', value: { n: 1 } });
  await gateway.ask('/block-and-die').catch(() => null);
  await waitFor(async () => /worker \d is back/.test(await gateway.errorLog()), { what: 'the next worker' });
  await allKnow(gateway, c, 'k', 1);
  await call(gateway, 'put', c, { key: 'k', value: { n: 2 } });
  await allKnow(gateway, c, 'k', 2);
});

test('on Postgres, what a worker of one node writes, the workers of another know', async () => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret' };
  await using one = await startStandIn({ settings });
  await using two = await startStandIn({ settings });
  const c = randomUUID();
  await allKnow(two, c, 'k', null);
  for (let n = 0; n < 5; n++) {
    const { value } = await call(one, 'put', c, { key: 'k', value: { n } });
    assert.equal((value as { stored: boolean }).stored, true);
    await allKnow(one, c, 'k', n);
    await allKnow(two, c, 'k', n);
  }
  await postgres.stop();
  // What is known goes on; the rest is an error soon.
  assert.equal((await call(one, 'get', c, 'other')).error?.startsWith('Error: '), true);
  await postgres.start();
  await waitFor(async () => (await call(one, 'put', c, { key: 'k', value: { n: 9 } })).error === undefined);
  await allKnow(two, c, 'k', 9);
});

test('without a database there are no records, and a worker says so', async () => {
  await using gateway = await startStandIn();
  const { error } = await call(gateway, 'cached-get', 'c', 'k');
  assert.equal(error, 'Error: without a database there are no records');
});
