/** The shared log while its Postgres is restarted, killed, or cut off: what was acknowledged is there, nothing is half. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { StoreUnavailable } from '../../src/store/errors.ts';
import { UncertainCommit, type SharedLog } from '../../src/store/shared-log.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { startTcpProxy, type Verdict } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';
import { appendNext, change, commitOf, openLog, prepare } from './support/log.ts';

let postgres: Postgres;

before(async () => {
  postgres = await startPostgres({ durable: true });
  await prepare(logOptions(postgres));
});

after(() => postgres[Symbol.asyncDispose]());

/** Asks until the database answers. */
async function surely<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      assert.ok(error instanceof StoreUnavailable, String(error));
      await delay(20);
    }
  }
}

interface Acknowledged {
  readonly revision: number;
  readonly id: string;
}

/** Appends commits of three changes until told to stop; `done` gets those that are certainly there. */
async function write(log: SharedLog, writer: string, stop: AbortSignal, done: Acknowledged[]): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    const id = `${writer}-${n}`;
    const commit = commitOf(
      (await surely(() => log.head())) + 1,
      ['a', 'b', 'c'].map((part) => change(`${id}-${part}`, `"${id}"`)),
    );
    try {
      if (!(await log.append(commit)).appended) continue;
    } catch (error) {
      assert.ok(error instanceof StoreUnavailable || error instanceof UncertainCommit, String(error));
      const found = await surely(() => log.find(commit.uuid));
      if (error instanceof StoreUnavailable) assert.equal(found, null, 'it said that nothing happened');
      if (found === null) continue;
    }
    done.push({ revision: commit.revision, id });
  }
}

async function check(log: SharedLog, base: number, acknowledged: readonly Acknowledged[]): Promise<void> {
  const byRevision = new Map(acknowledged.map(({ revision, id }) => [revision, id]));
  assert.equal(byRevision.size, acknowledged.length, 'a revision was given twice');
  let revision = base;
  for (;;) {
    const commits = (await log.read(revision, 200)) ?? assert.fail('the log has a hole');
    if (commits.length === 0) break;
    for (const commit of commits) {
      assert.equal(commit.revision, ++revision);
      assert.equal(commit.changes.length, 3);
      assert.equal(commit.changes[2]?.id, `${byRevision.get(revision)}-c`);
    }
  }
  assert.equal(revision, base + acknowledged.length, 'a commit is there that nobody made, or one is missing');
}

const DISTURBANCES: readonly (readonly [string, (port: number) => Promise<void>])[] = [
  ['a restart', () => postgres.restart('SIGINT')],
  ['kill -9', () => postgres.restart('SIGKILL')],
  ['the loss of every connection', () => terminate()],
];

async function terminate(): Promise<void> {
  await postgres.admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'kong'`);
}

for (const [name, disturb] of DISTURBANCES) {
  for (const way of ['straight', 'PgBouncer'] as const) {
    test(`${name} in the middle of appends (${way}) loses and halves nothing`, async () => {
      await using bouncer = way === 'PgBouncer' ? await startPgBouncer(postgres) : null;
      const port = bouncer?.port ?? postgres.port;
      await using one = await openLog(logOptions(postgres, { port, listenPort: postgres.port }));
      await using two = await openLog(logOptions(postgres, { port, listenPort: postgres.port }));
      const base = await one.head();
      const stop = new AbortController();
      const acknowledged: Acknowledged[] = [];
      const writers = [one, two, two].map((log, index) =>
        write(log, `${name}${way}${index}`, stop.signal, acknowledged),
      );
      const more = (count: number): Promise<unknown> => {
        const wanted = acknowledged.length + count;
        return waitFor(() => acknowledged.length >= wanted, {
          timeout: 60_000,
          interval: 3,
          what: 'appends',
        });
      };
      for (let n = 0; n < 2; n++) {
        await more(5);
        await disturb(port);
      }
      await more(5);
      stop.abort();
      await Promise.all(writers);
      await check(one, base, acknowledged);
    });
  }
}

/** The driver sends COMMIT as a statement of its own, after all others were answered. */
const isCommit = (chunk: Buffer): boolean => chunk.includes('commit\0');

for (const [verdict, happened] of [
  ['drop', false],
  ['mute', true],
] as const satisfies readonly (readonly [Verdict, boolean])[]) {
  test(`a connection that breaks at COMMIT: uncertain, ${happened ? 'and it happened' : 'and it did not'}`, async () => {
    let armed = false;
    await using proxy = await startTcpProxy(postgres.port, (chunk) => {
      if (!armed || !isCommit(chunk)) return 'pass';
      armed = false;
      return verdict;
    });
    await using log = await openLog(logOptions(postgres, { port: proxy.port }));
    const commit = commitOf((await log.head()) + 1);
    armed = true;
    await assert.rejects(log.append(commit), UncertainCommit);
    assert.equal(await surely(() => log.find(commit.uuid)), happened ? commit.revision : null);
    assert.equal(await appendNext(log), happened ? commit.revision + 1 : commit.revision);
  });
}

/** Milliseconds: longer than a database takes on a busy machine. */
const TIMEOUT = 2000;

test('a cut network is noticed, told once, and overcome', async () => {
  await using proxy = await startTcpProxy(postgres.port);
  await using other = await openLog(logOptions(postgres));
  await using log = await openLog(
    logOptions(postgres, { port: proxy.port, timeout: TIMEOUT, pace: { safety: 300 } }),
  );
  const told: boolean[] = [];
  const heads: number[] = [];
  using _watch = log.watch({
    onHead: (head) => void heads.push(head),
    onReachable(reachable, reason) {
      told.push(reachable);
      if (!reachable) assert.equal(reason, `no answer within ${TIMEOUT} ms`);
    },
  });
  const before = await appendNext(log);
  await waitFor(() => heads.at(-1) === before, { what: 'the head' });
  proxy.cut();
  await waitFor(() => told.length > 0, { what: 'the cut to be noticed' });
  // What was connected does not answer, and neither does who is asked for a connection: that is one reason.
  await assert.rejects(log.head(), StoreUnavailable);
  await assert.rejects(log.append(commitOf(before + 1)), StoreUnavailable);
  const meanwhile = await appendNext(other);
  await assert.rejects(log.head(), StoreUnavailable);
  assert.deepEqual(told, [false]);
  proxy.mend();
  await waitFor(() => told.at(-1) === true && heads.at(-1) === meanwhile, {
    what: 'the database to be back',
  });
  assert.deepEqual(told, [false, true]);
  const next = await appendNext(other);
  await waitFor(() => heads.at(-1) === next, { what: 'the next commit' });
});

test('a node that falls silent in the middle of an append does not stop the others', async () => {
  await using proxy = await startTcpProxy(postgres.port, (chunk) => {
    if (chunk.includes('pg_notify')) proxy.cut();
    return 'pass';
  });
  await using silent = await openLog(logOptions(postgres, { port: proxy.port, timeout: TIMEOUT }));
  await using other = await openLog(logOptions(postgres));
  const revision = (await other.head()) + 1;
  await assert.rejects(silent.append(commitOf(revision)), (error) => error instanceof StoreUnavailable);
  assert.equal(await appendNext(other), revision);
});

test('a server that is away when a log is opened, and one that is another cluster', async () => {
  await using proxy = await startTcpProxy(1);
  await assert.rejects(openLog(logOptions(postgres, { port: proxy.port })), StoreUnavailable);
  const wrong = logOptions(postgres);
  const server = { ...wrong.primary.server, password: 'wrong' };
  await assert.rejects(
    openLog({ ...wrong, primary: { ...wrong.primary, server } }),
    /password authentication failed/,
  );
  await using log = await openLog(logOptions(postgres));
  await postgres.query('update sluice.head set cluster_id = gen_random_uuid()');
  await assert.rejects(log.head(), /the database is another one/);
});
