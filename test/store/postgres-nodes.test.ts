/** Nodes that share a Postgres: each sees the others' commits, none loses one, and each starts without the database. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError, StoreUnavailable } from '../../src/store/errors.ts';
import type { PostgresOptions } from '../../src/store/postgres/options.ts';
import { startGateway } from '../support/gateway.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { openLog, prepare } from './support/log.ts';
import { service, startNode, type Node } from './support/node.ts';

let postgres: Postgres;
let folder: TempDir;
let schemas = 0;
let schema = '';

before(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  folder = await tempDir();
  schema = `s${++schemas}`;
  await prepare(options());
});

afterEach(() => folder[Symbol.asyncDispose]());

after(() => postgres[Symbol.asyncDispose]());

function options(more: Parameters<typeof logOptions>[1] = {}): PostgresOptions {
  const base = logOptions(postgres, more);
  return { ...base, primary: { ...base.primary, schema } };
}

async function node(name: string, more: Parameters<typeof logOptions>[1] = {}): Promise<Node> {
  const path = join(folder.path, name);
  await mkdir(path, { recursive: true });
  return startNode(options(more), path);
}

async function level(...nodes: readonly Node[]): Promise<void> {
  await waitFor(() => new Set(nodes.map(({ store }) => store.revision)).size === 1, {
    what: 'the same revision',
  });
}

test('commits of one node are seen by the other, and by one that comes later', async () => {
  await using one = await node('one');
  await using two = await node('two');
  const told: number[] = [];
  two.store.onCommit(({ revision }) => void told.push(revision));
  await one.commit(service('a'), service('b'));
  await level(one, two);
  await two.commit({ op: 'patch', kind: 'services', select: { key: 'a' }, input: { host: 'other.test' } });
  await one.commit({ op: 'delete', kind: 'services', select: { key: 'b' } });
  await level(one, two);
  await using three = await node('three');
  for (const each of [one, two, three]) {
    assert.deepEqual(each.names(), ['a']);
    assert.equal(each.store.get('services', { key: 'a' })?.['host'], 'other.test');
  }
  assert.deepEqual(told, [1, 2, 3]);
  assert.deepEqual(two.store.revisions({ size: 10 }), one.store.revisions({ size: 10 }));
  const size = 10;
  assert.deepEqual(two.store.changes(2, { size }), one.store.changes(2, { size }));
});

test('writers on several nodes: independent writes all happen, of two with one name one does', async () => {
  await using one = await node('one');
  await using two = await node('two');
  const writes = [one, two].flatMap((writer, at) =>
    Array.from({ length: 10 }, (_, n) => writer.commit(service(`n${at}-${n}`))),
  );
  await Promise.all(writes);
  await level(one, two);
  assert.equal(one.store.revision, 20);
  assert.equal(one.names().length, 20);
  assert.deepEqual(one.names(), two.names());

  const race = await Promise.allSettled([one.commit(service('same')), two.commit(service('same'))]);
  const lost = race.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  assert.equal(lost.length, 1);
  assert.ok(lost[0] instanceof StoreError && lost[0].code === 5, String(lost[0]));
});

test('a node starts from its copy without the database, says so, and catches up by itself', async () => {
  await using proxy = await startTcpProxy(postgres.port);
  {
    await using one = await node('one');
    await one.commit(service('a'));
  }
  await postgres.stop();
  await assert.rejects(node('without a copy'), StoreUnavailable);
  await using one = await node('one', { port: proxy.port });
  assert.deepEqual(one.names(), ['a']);
  assert.equal(one.follower.reach.reachable, false);
  assert.match(
    one.lines.join('\n'),
    /^error the database is away, [^]*warn starting from this node's copy .*revision 1$/,
  );
  await assert.rejects(one.commit(service('b')), StoreUnavailable);
  await postgres.start();
  await using two = await node('two');
  await two.commit(service('c'));
  await level(one, two);
  assert.deepEqual(one.names(), ['a', 'c']);
  assert.equal(one.follower.reach.reachable, true);
  await one.commit(service('d'));
  const lines = one.lines.filter((line) => line.includes('reachable again'));
  assert.equal(lines.length, 1);
});

test('a node that was away for longer than the log reaches back loads the whole configuration', async () => {
  {
    await using one = await node('one');
    await one.commit(service('old'));
  }
  await using two = await node('two', { keepCommits: 3 });
  for (let n = 0; n < 6; n++) await two.commit(service(`n${n}`));
  await two.commit({ op: 'delete', kind: 'services', select: { key: 'old' } });
  await using log = await openLog(options());
  await waitFor(async () => (await log.read(1, 1)) === null, { what: 'the log to be shortened' });
  await using one = await node('one');
  assert.deepEqual(one.names(), two.names());
  assert.equal(one.store.oldest, one.store.revision);
  assert.match(one.lines.join('\n'), /the whole configuration was loaded, revision 8/);
  await one.commit(service('more'));
  await level(one, two);
});

test('a commit whose answer is lost happens once', async () => {
  for (const verdict of ['mute', 'drop'] as const) {
    let armed = false;
    await using proxy = await startTcpProxy(postgres.port, (chunk) => {
      if (!armed || !chunk.includes('commit\0')) return 'pass';
      armed = false;
      return verdict;
    });
    await using one = await node(verdict, { port: proxy.port });
    const { revision } = one.store;
    armed = true;
    const committed = await one.commit(service(verdict));
    assert.equal(armed, false);
    assert.equal(committed.revision, revision + 1);
    assert.equal(one.names().filter((name) => name === verdict).length, 1);
    await using log = await openLog(options());
    assert.equal(await log.head(), revision + 1);
  }
});

test('a copy of another database is given up at the start, one that was set back never while it serves', async () => {
  {
    await using one = await node('one');
    for (const name of ['a', 'b', 'c']) await one.commit(service(name));
  }
  schema = `${schema}_new`;
  await prepare(options());
  await using one = await node('one');
  assert.deepEqual(one.names(), []);
  await using two = await node('two');
  await one.commit(service('x'));
  await level(one, two);
  await one.commit(service('y'));
  await level(one, two);

  // As if it had been restored to revision 1.
  await postgres.query(`update ${schema}.head set revision = 1`);
  await postgres.query(`delete from ${schema}.commits where revision > 1`);
  await postgres.query(`delete from ${schema}.changes where revision > 1`);
  await postgres.query(`delete from ${schema}.entities where text like '%"y"%'`);
  await postgres.restart();
  await waitFor(() => one.lines.some((line) => line.includes('was it restored? A restart takes it over')), {
    what: 'the node to complain',
  });
  assert.deepEqual(one.names(), ['x', 'y']);
  await assert.rejects(one.commit(service('z')), StoreUnavailable);
  await one[Symbol.asyncDispose]();
  await using again = await node('one');
  assert.deepEqual(again.names(), ['x']);
});

test('a database that is not prepared is no reason to start from a copy', async () => {
  {
    await using one = await node('one');
    await one.commit(service('a'));
  }
  await postgres.query(`drop table ${schema}.migrations`);
  await assert.rejects(node('one'), { name: 'SchemaProblem', message: /run 'sluice migrations bootstrap'/ });
});

test('gateways on one database serve what a node commits, and start without it', async () => {
  await using upstream = await startEcho();
  await using node_ = await node('node');
  const { server } = options().primary;
  const settings = {
    database: 'postgres',
    pg_port: server.port,
    pg_password: 'secret',
    pg_schema: schema,
  };
  await using gateway = await startGateway({ settings });
  const target = { protocol: 'http', host: '127.0.0.1', port: upstream.port };
  await node_.commit(
    { op: 'create', kind: 'services', input: { name: 's', ...target } },
    { op: 'create', kind: 'routes', input: { name: 'r', paths: ['/r'], service: { name: 's' } } },
  );
  const get = async (path: string): Promise<number> => {
    const response = await fetch(`${gateway.url}${path}`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.status;
  };
  await waitFor(async () => (await get('/r')) === 200, { what: 'the route' });
  const reachable = async (): Promise<unknown> => {
    const body = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
      database: { reachable: boolean };
      sluice: { database: { reachable: boolean } };
    };
    assert.equal(body.sluice.database.reachable, body.database.reachable);
    return body.database.reachable;
  };
  assert.equal(await reachable(), true);
  await postgres.stop();
  await waitFor(async () => (await reachable()) === false, { what: 'the loss to show' });
  assert.equal(await get('/r'), 200);
  await postgres.start();
  await waitFor(reachable, { what: 'the database to be back' });
  await waitFor(() => node_.follower.reach.reachable, { what: 'the other node to know it, too' });
  await node_.commit({ op: 'delete', kind: 'routes', select: { key: 'r' } });
  await waitFor(async () => (await get('/r')) === 404, { what: 'the route to go' });
});

test('a gateway that is started without the database serves from its copy', async () => {
  await using upstream = await startEcho();
  const { server } = options().primary;
  const settings = {
    database: 'postgres',
    pg_port: server.port,
    pg_password: 'secret',
    pg_schema: schema,
    prefix: join(folder.path, 'prefix'),
  };
  const target = { protocol: 'http', host: '127.0.0.1', port: upstream.port };
  {
    await using gateway = await startGateway({ settings });
    await using other = await node('node');
    await other.commit(
      { op: 'create', kind: 'services', input: { name: 's', ...target } },
      { op: 'create', kind: 'routes', input: { name: 'r', paths: ['/r'], service: { name: 's' } } },
    );
    await waitFor(async () => (await fetch(`${gateway.url}/r`)).status === 200, { what: 'the route' });
  }
  await postgres.stop();
  await using gateway = await startGateway({ settings });
  assert.equal((await fetch(`${gateway.url}/r`)).status, 200);
  const { database } = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
    database: { reachable: boolean };
  };
  assert.deepEqual(database, { reachable: false });
  await postgres.start();
  await using other = await node('node');
  await other.commit({ op: 'delete', kind: 'routes', select: { key: 'r' } });
  await waitFor(async () => (await fetch(`${gateway.url}/r`)).status === 404, { what: 'the route to go' });
});

test('why the database is away is told as it is now, each reason once', async () => {
  await using one = await node('one');
  await postgres.stop();
  const reason = (): string => one.follower.reach.reason ?? '';
  await waitFor(() => reason().includes('ECONNREFUSED'), { what: 'the new reason' });
  await waitFor(() => one.lines.some((line) => line.includes('ECONNREFUSED')), { what: 'its line' });
  const { since } = one.follower.reach;
  const tries = [0, 1, 2].map(() => assert.rejects(one.commit(service('a')), StoreUnavailable));
  await Promise.all(tries);
  assert.equal(one.follower.reach.since, since);
  const lines = one.lines.filter((line) => line.includes('ECONNREFUSED'));
  assert.equal(lines.length, 1, one.lines.join('\n'));
  await postgres.start();
  await waitFor(() => one.follower.reach.reachable, { what: 'the database' });
  assert.equal(one.follower.reach.reason, null);
});

test('a schema that is gone, and one made anew, are told once each', async () => {
  await using one = await node('one');
  await one.commit(service('a'));
  await postgres.query(`drop schema ${schema} cascade`);
  await waitFor(() => one.lines.some((line) => line.includes('does not exist')), { what: 'the line' });
  await prepare(options());
  await waitFor(() => one.lines.some((line) => line.includes('another one')), { what: 'the second line' });
  await assert.rejects(one.commit(service('b')), /another one/);
  assert.deepEqual(one.names(), ['a']);
  assert.equal(one.lines.filter((line) => line.startsWith('error')).length, 2, one.lines.join('\n'));
});
