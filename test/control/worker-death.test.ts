/** Workers that die in the middle of something, with the stand-in data plane; and the main thread itself. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { type StandInGateway, config, startStandIn } from './support/gateway.ts';

async function allServe(gateway: StandInGateway, revision: number): Promise<void> {
  await waitFor(
    async () => {
      const { workers } = await gateway.health();
      return workers.every((worker) => worker.state === 'running' && worker.revision === revision);
    },
    { what: `all workers to serve revision ${revision}`, timeout: 30_000 },
  );
  const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.ask()));
  assert.deepEqual([...new Set(answers.map((answer) => answer.revision))], [revision]);
}

/** What counts only upwards never falls, though a worker has died. */
async function totals(gateway: StandInGateway): Promise<number> {
  return (await gateway.counters())['total_requests'] ?? 0;
}

test('a worker that dies before it has built a revision: the others serve it, and so does the next one', async () => {
  await using gateway = await startStandIn({ config: config('/one'), tuning: { restartMs: 10 } });
  const before = await totals(gateway);
  const dying = gateway.ask('/block-and-die?ms=1500').catch(() => null);
  await waitFor(async () => (await totals(gateway)) === before + 1);
  await writeFile(gateway.configFile, config('/two'));
  const reply = await gateway.control('POST', '/reload');
  assert.equal(reply.status, 200, JSON.stringify(reply));
  await dying;
  await waitFor(async () => /worker \d died: .*code 7/.test(await gateway.errorLog()));
  await allServe(gateway, 2);
  assert.ok((await totals(gateway)) > before);
});

test('workers that die while they take a revision come back with it', async () => {
  await using gateway = await startStandIn({ config: config('/one'), tuning: { restartMs: 10 } });
  const armed = new Set<number>();
  await waitFor(async () => {
    armed.add((await gateway.ask('/die-on-commit')).worker);
    return armed.size === 2;
  });
  const before = await totals(gateway);
  await writeFile(gateway.configFile, config('/two'));
  const reply = await gateway.control('POST', '/reload');
  assert.deepEqual([reply.status, reply.body['revision']], [200, 2], JSON.stringify(reply));
  await allServe(gateway, 2);
  assert.ok((await totals(gateway)) >= before + 20);
});

test('a worker that comes back while the others still build gets the new revision too', async () => {
  await using gateway = await startStandIn({
    config: config('/one'),
    tuning: { restartMs: 1, prepareMs: 20_000 },
  });
  // One worker is kept busy, so that the publication lasts; the other dies meanwhile and is back before its end.
  const { worker } = await gateway.ask('/throw-later?after=1500');
  const until = Date.now() + 4000;
  const other = 1 - worker;
  const busy = Array.from({ length: 16 }, () => gateway.ask(`/block-one?worker=${other}&until=${until}`));
  await waitFor(async () => (await totals(gateway)) >= 2);
  await writeFile(gateway.configFile, config('/two'));
  const reload = gateway.control('POST', '/reload');
  await waitFor(async () => (await gateway.errorLog()).includes(`worker ${worker} is back`));
  assert.ok(Date.now() < until, 'the other worker is still busy');
  assert.equal((await reload).status, 200);
  await Promise.allSettled(busy);
  await allServe(gateway, 2);
});

test('what POST /config brought outlives a worker', async () => {
  await using gateway = await startStandIn({ tuning: { restartMs: 10 } });
  const posted = await fetch(gateway.url('admin', '/config'), {
    method: 'POST',
    headers: { 'content-type': 'text/yaml' },
    body: config('/one'),
  });
  assert.equal(posted.status, 201);
  await gateway.ask('/throw').catch(() => null);
  await waitFor(async () => (await gateway.errorLog()).includes('is back with revision 1'));
  await allServe(gateway, 1);
});

test('an error that nobody catches in the main thread ends the process with 70, in order', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  gateway.child.kill('SIGUSR2');
  assert.deepEqual(await gateway.child.exited, { code: 70, signal: null });
  assert.match(await gateway.errorLog(), /\[emerg\].*internal error: .*thrown on purpose/);
  assert.equal(existsSync(join(gateway.prefix, 'pids/sluice.pid')), false);
});
