/** Consumers and credentials reach every worker, whatever happens to it; `/status` counts them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { startGateway } from '../support/gateway.ts';
import { type StandInGateway, startStandIn } from './support/gateway.ts';

function consumers(names: readonly string[]): string {
  const list = names.map((name) => ({ username: name, keyauth_credentials: [{ key: `key of ${name}` }] }));
  return JSON.stringify({ _format_version: '3.0', consumers: list });
}

/** The answers of all workers, each asked some times. */
async function answers(gateway: StandInGateway, name: string): Promise<Array<string | null>> {
  const path = `/?key=${encodeURIComponent(`key of ${name}`)}`;
  const all = await gateway.askAll(path);
  return [...new Set(all.map(({ consumer }) => consumer))];
}

interface Counted {
  readonly rows: number;
  readonly bytes: number;
  readonly kinds: Readonly<Record<string, { readonly rows: number; readonly bytes: number }>>;
}

async function counted(statusUrl: string): Promise<Counted> {
  const response = await fetch(statusUrl);
  return ((await response.json()) as { sluice: { directory: Counted } }).sluice.directory;
}

test('when a reload answers, every worker finds the new ones and none finds the old ones', async () => {
  await using gateway = await startStandIn({ config: consumers(['anna', 'bert']) });
  assert.deepEqual(await answers(gateway, 'anna'), ['anna']);
  for (let round = 0; round < 10; round++) {
    await writeFile(gateway.configFile, consumers([`c${round}`, 'bert']));
    const { status } = await gateway.control('POST', '/reload');
    assert.equal(status, 200);
    assert.deepEqual(await answers(gateway, round === 0 ? 'anna' : `c${round - 1}`), [null]);
    assert.deepEqual(await answers(gateway, `c${round}`), [`c${round}`]);
    assert.deepEqual(await answers(gateway, 'bert'), ['bert']);
  }
  const { rows } = await counted(gateway.url('status', '/status'));
  assert.equal(rows, 4);
});

test('a refused reload changes nothing', async () => {
  await using gateway = await startStandIn({ config: consumers(['anna']) });
  await writeFile(gateway.configFile, consumers(['bert', 'bert']));
  assert.equal((await gateway.control('POST', '/reload')).status, 400);
  assert.deepEqual(await answers(gateway, 'anna'), ['anna']);
  assert.deepEqual(await answers(gateway, 'bert'), [null]);
});

test('a worker that is started again has what there is by then', async () => {
  await using gateway = await startStandIn({ config: consumers(['anna']), tuning: { restartMs: 10 } });
  for (let round = 0; round < 3; round++) {
    await gateway.ask('/block-and-die').catch(() => null);
    await writeFile(gateway.configFile, consumers([`c${round}`]));
    const { status, body } = await gateway.control('POST', '/reload');
    assert.equal(status, 200, JSON.stringify(body));
    await waitFor(async () => {
      const { workers } = await gateway.health();
      return workers.every(({ state, revision }) => state === 'running' && revision === round + 2);
    });
    assert.deepEqual(await answers(gateway, `c${round}`), [`c${round}`]);
    assert.deepEqual(await answers(gateway, 'anna'), [null]);
  }
});

test('with a store: what an empty one begins with is counted', async () => {
  await using gateway = await startGateway({
    config: consumers(['anna', 'bert', 'carl']),
    settings: { database: 'sqlite' },
  });
  const { rows, bytes, kinds } = await counted(`${gateway.statusUrl}/status`);
  assert.equal(rows, 6);
  assert.equal(kinds['consumers']?.rows, 3);
  assert.equal(kinds['keyauth_credentials']?.rows, 3);
  assert.equal(kinds['acls']?.rows, 0);
  assert.ok(bytes > 0 && bytes < 1 << 20);
  const admin = await counted(`${gateway.adminUrl}/status`);
  assert.deepEqual(admin, { ...admin, rows, bytes, kinds });
});

/** Each try that gets the blocked worker costs a second. */
const PATIENT = { timeout: 60_000 };

test('with a store: a key that is revoked is not taken while a worker still builds the revision', async () => {
  await using gateway = await startStandIn({
    config: consumers(['anna', 'bert']),
    settings: { database: 'sqlite' },
    // Longer than all of this takes: the deletion waits for the worker that is blocked.
    tuning: { prepareMs: 150_000 },
  });
  const response = await fetch(gateway.url('admin', '/key-auths/key%20of%20anna'));
  const { id } = (await response.json()) as { id: string };
  // Whichever worker takes it; and it has it before the key goes.
  const blocked = gateway.ask(`/block?${gateway.gate().query}`).catch(() => null);
  await waitFor(async () => (await gateway.counters())['total_requests'] === 1);
  const askTheOther = async (name: string): Promise<string | null> => {
    const signal = AbortSignal.timeout(1000);
    const path = `/?key=${encodeURIComponent(`key of ${name}`)}`;
    const answered = await fetch(gateway.url('proxy', path), { signal }).catch(() => null);
    if (answered === null) return 'no answer';
    const { consumer } = (await answered.json()) as { consumer: string | null };
    return consumer;
  };
  let deleted = false;
  const deletion = fetch(gateway.url('admin', `/key-auths/${id}`), { method: 'DELETE' }).then(
    () => (deleted = true),
    () => null,
  );
  await waitFor(async () => (await askTheOther('anna')) === null, {
    ...PATIENT,
    what: 'the key to be refused',
  });
  assert.equal(deleted, false);
  await waitFor(async () => (await askTheOther('bert')) === 'bert', { ...PATIENT, what: 'the other key' });
  await gateway.child.stop('SIGKILL');
  await Promise.all([blocked, deletion]);
});
