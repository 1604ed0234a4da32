/** How the shared log uses its connections: LISTEN or polling, TLS, a replica, a bounded pool, and large commits. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { loadSettings } from '../../src/settings/load.ts';
import { postgresOptions, type PostgresOptions } from '../../src/store/postgres/options.ts';
import { makeCertificate, type Certificate } from '../support/certificate.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { appendNext, change, commitOf, openLog, prepare, stateOf, type OpenLog } from './support/log.ts';

let folder: TempDir;
let certificate: Certificate;
let postgres: Postgres;

before(async () => {
  folder = await tempDir();
  certificate = makeCertificate(folder.path);
  postgres = await startPostgres({ certificate });
  await prepare(logOptions(postgres));
});

after(async () => {
  await postgres[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** So slow that what arrives was not polled. */
const NEVER = { poll: 60_000, safety: 60_000 };

async function listening(count: number): Promise<void> {
  await waitFor(
    async () => {
      const rows = await postgres.admin<{ n: string }>(
        `select count(*)::text as n from pg_stat_activity where query ilike 'listen %' or query = 'select 1'`,
      );
      return Number(rows[0]?.n) >= count;
    },
    { what: 'LISTEN' },
  );
}

test('a commit arrives by notification, without polling', async () => {
  await using one = await openLog(logOptions(postgres));
  await using two = await openLog(logOptions(postgres, { pace: NEVER }));
  const heads: number[] = [];
  using _watch = two.watch({ onHead: (head) => void heads.push(head), onReachable: () => undefined });
  await listening(1);
  for (let n = 0; n < 5; n++) {
    const revision = await appendNext(one);
    await waitFor(() => heads.at(-1) === revision, { what: 'the notification' });
  }
});

test('behind PgBouncer LISTEN past it serves, and one through it is not trusted', async () => {
  await using bouncer = await startPgBouncer(postgres);
  await using one = await openLog(logOptions(postgres, { port: bouncer.port }));
  await using direct = await openLog(
    logOptions(postgres, { port: bouncer.port, listenPort: postgres.port, pace: NEVER }),
  );
  // Were the LISTEN through the pooler trusted, the next look would be in a minute.
  await using pooled = await openLog(
    logOptions(postgres, { port: bouncer.port, pace: { safety: 60_000, probe: 100 } }),
  );
  const heads = new Map<OpenLog, number>();
  using _one = direct.watch({ onHead: (head) => void heads.set(direct, head), onReachable: () => undefined });
  using _two = pooled.watch({ onHead: (head) => void heads.set(pooled, head), onReachable: () => undefined });
  await delay(500);
  for (let n = 0; n < 5; n++) {
    const revision = await appendNext(one);
    await waitFor(() => heads.get(direct) === revision && heads.get(pooled) === revision, {
      what: 'the commit',
    });
  }
});

test('a LISTEN that breaks is made again, and what it missed is seen', async () => {
  await using proxy = await startTcpProxy(postgres.port);
  await using log = await openLog(logOptions(postgres, { listenPort: proxy.port, pace: NEVER }));
  await using other = await openLog(logOptions(postgres));
  const heads: number[] = [];
  using _watch = log.watch({
    onHead: (head) => void heads.push(head),
    onReachable: () => assert.fail('reachable'),
  });
  const told = async (): Promise<void> => {
    const revision = await appendNext(other);
    await waitFor(() => heads.at(-1) === revision, { what: 'the commit' });
  };
  await delay(300);
  await told();
  for (let n = 0; n < 3; n++) {
    proxy.reset();
    await told();
  }
});

function settingsOf(lines: Readonly<Record<string, string | number>>): PostgresOptions {
  const overrides = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret', ...lines };
  const text = Object.fromEntries(Object.entries(overrides).map(([name, value]) => [name, String(value)]));
  return postgresOptions(loadSettings({ file: '/dev/null', env: {}, overrides: text }).settings, 1000);
}

const TLS_CASES: readonly (readonly [name: string, lines: Record<string, string>, fails: RegExp | null])[] = [
  ['without TLS', {}, null],
  ['unverified', { pg_ssl: 'on' }, null],
  [
    'verified by its own certificate',
    { pg_ssl: 'on', pg_ssl_verify: 'on', lua_ssl_trusted_certificate: 'PEM' },
    null,
  ],
  [
    'verified by the system',
    { pg_ssl: 'on', pg_ssl_verify: 'on' },
    /self-signed|self signed|unable to verify/,
  ],
  [
    'verified, by another name',
    { pg_ssl: 'on', pg_ssl_verify: 'on', lua_ssl_trusted_certificate: 'system, PEM', pg_host: '127.0.0.2' },
    /does not match certificate|ECONNREFUSED/,
  ],
];

for (const [name, lines, fails] of TLS_CASES) {
  test(`TLS: ${name}`, async () => {
    const given = Object.entries(lines).map(([key, value]) => [key, value.replace('PEM', certificate.cert)]);
    const options = settingsOf(Object.fromEntries(given) as Record<string, string>);
    if (fails !== null) {
      await assert.rejects(openLog(options), fails);
      return;
    }
    await using log = await openLog(options);
    await log.head();
    const rows = await postgres.admin<{ ssl: boolean }>(
      `select ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'kong'`,
    );
    assert.ok(rows.length > 0);
    for (const { ssl } of rows) assert.equal(ssl, 'pg_ssl' in lines);
  });
}

test('TLS that the server does not speak is no reason to go without', async () => {
  await using plain = await startPostgres();
  await assert.rejects(openLog(settingsOf({ pg_port: plain.port, pg_ssl: 'on' })), /does not support SSL/);
});

test('a replica serves state and log; without it, or when it is behind, the database does', async () => {
  let asked = 0;
  await using proxy = await startTcpProxy(postgres.port, (chunk) => {
    if (chunk.includes('declare sluice_rows')) asked++;
    return 'pass';
  });
  await using log = await openLog(settingsOf({ pg_ro_host: '127.0.0.1', pg_ro_port: proxy.port }));
  const revision = await appendNext(log);
  assert.equal((await log.read(revision - 1, 1))?.[0]?.revision, revision);
  assert.equal((await stateOf(log)).revision, revision);
  assert.equal(asked, 2);
  proxy.reset();
  await proxy[Symbol.asyncDispose]();
  assert.equal((await log.read(revision - 1, 1))?.[0]?.revision, revision);
  assert.equal((await stateOf(log)).revision, revision);

  await using behind = await startPostgres();
  await prepare(logOptions(behind));
  await using two = await openLog(
    settingsOf({ pg_ro_host: '127.0.0.1', pg_ro_port: behind.port, pg_ro_ssl: 'off' }),
  );
  assert.equal((await two.read(revision - 1, 1))?.[0]?.revision, revision);
  assert.equal((await stateOf(two)).revision, revision);
});

async function connections(): Promise<number> {
  const rows = await postgres.admin<{ n: string }>(
    `select count(*)::text as n from pg_stat_activity where usename = 'kong'`,
  );
  return Number(rows[0]?.n);
}

test('the pool is bounded, and closing leaves no connection', async () => {
  await waitFor(async () => (await connections()) === 0, { what: 'connections of other tests to end' });
  const options = settingsOf({ pg_pool_size: 3, pg_backlog: 5, pg_semaphore_timeout: 300 });
  await using log = await openLog(options);
  using _watch = log.watch({ onHead: () => undefined, onReachable: () => undefined });
  const asked = await Promise.allSettled(Array.from({ length: 30 }, () => log.state()));
  const reasons = asked.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
  const told = (pattern: RegExp): number => reasons.filter((reason) => pattern.test(reason)).length;
  // The watch asks, too, and has one now and then.
  assert.ok(told(/3 connections are in use and 5 wait for one/) >= 20, reasons.join('\n'));
  assert.ok(told(/no connection was free within 300 ms/) > 0, reasons.join('\n'));
  assert.ok((await connections()) <= 4);
  await log.close();
  await waitFor(async () => (await connections()) === 0, { what: 'the connections to end' });
});

test('a large commit goes in a bounded number of statements and comes back whole', async () => {
  let statements = 0;
  await using proxy = await startTcpProxy(postgres.port, (chunk) => {
    if (chunk.includes('insert into')) statements++;
    return 'pass';
  });
  await using log = await openLog(logOptions(postgres, { port: proxy.port }));
  const revision = (await log.head()) + 1;
  const commit = commitOf(
    revision,
    Array.from({ length: 20_000 }, (_, n) => change(`big-${n}`, `{"n":${n},"tags":["${'x'.repeat(100)}"]}`)),
  );
  await log.append(commit);
  assert.ok(statements < 100, String(statements));
  await appendNext(log);
  // A small one beside a large one: each is answered, in order, however many calls that takes.
  const first = (await log.read(revision - 1, 10)) ?? [];
  assert.deepEqual(first[0], commit);
  const { entities } = await stateOf(log);
  assert.equal(entities.get('services big-19999'), commit.changes[19_999]?.after);
});
