/** Workers that die in the middle of something, with the stand-in data plane; and the main thread itself. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
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
  const answers = await gateway.askAll();
  assert.deepEqual([...new Set(answers.map((answer) => answer.revision))], [revision]);
}

/** What counts only upwards never falls, though a worker has died. */
async function totals(gateway: StandInGateway): Promise<number> {
  return (await gateway.counters())['total_requests'] ?? 0;
}

test('a worker that dies before it has built a revision: the others serve it, and so does the next one', async () => {
  await using gateway = await startStandIn({ config: config('/one'), tuning: { restartMs: 10 } });
  const before = await totals(gateway);
  const gate = gateway.gate();
  const dying = gateway.ask(`/block-and-die?${gate.query}`).catch(() => null);
  await waitFor(async () => (await totals(gateway)) === before + 1);
  await writeFile(gateway.configFile, config('/two'));
  const reload = gateway.control('POST', '/reload');
  // It has been told to build by then, most likely; what must come out is the same either way.
  await delay(1000);
  await gate.open();
  const reply = await reload;
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
    tuning: { restartMs: 1, prepareMs: 60_000 },
  });
  // Worker 1 is kept busy, so that the publication lasts; worker 0 dies meanwhile and is back before its end.
  const gate = gateway.gate();
  const asked: Array<Promise<unknown>> = [];
  const askAny = (path: string): void => void asked.push(gateway.ask(path).catch(() => null));
  // Whoever takes the question answers, but the one that it is for; and that one answers nobody any more.
  const isBusy = async (): Promise<boolean> => {
    askAny(`/block?worker=1&${gate.query}`);
    return (await gateway.health()).workers[1]?.state === 'stalled';
  };
  await waitFor(isBusy, { interval: 50, what: 'worker 1 to be busy' });
  await writeFile(gateway.configFile, config('/two'));
  let reloaded = false;
  const reload = gateway.control('POST', '/reload').finally(() => (reloaded = true));
  // Worker 0 has built it by then, most likely; if not, it must come out the same.
  await delay(1000);
  const isBack = async (): Promise<boolean> => {
    const log = await gateway.errorLog();
    if (!log.includes('worker 0 died')) askAny('/throw?worker=0');
    return log.includes('worker 0 is back');
  };
  await waitFor(isBack, { interval: 50, what: 'worker 0 to be back' });
  assert.equal(reloaded, false, 'worker 1 is still busy');
  await gate.open();
  assert.equal((await reload).status, 200);
  await Promise.all(asked);
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
