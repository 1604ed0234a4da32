/** `/debug/cluster/log-level`: every node of one Postgres takes the level, and for as long. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait.ts';
import { prepare } from '../store/support/log.ts';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres();
  await prepare(logOptions(postgres));
});
after(() => postgres[Symbol.asyncDispose]());

function node(): Promise<Gateway> {
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret' };
  return startGateway({ settings });
}

async function call({ adminUrl }: Gateway, method: string, path: string): Promise<[number, string]> {
  const response = await fetch(`${adminUrl}/debug${path}`, { method });
  return [response.status, ((await response.json()) as { message: string }).message];
}

const hasLevel = (gateway: Gateway, level: string): Promise<true> =>
  waitFor(async () => (await call(gateway, 'GET', '/node/log-level'))[1] === `log level: ${level}`, {
    what: level,
  });

test('all nodes take it, one that starts later too, until its time is over', async () => {
  await using one = await node();
  await using two = await node();
  assert.deepEqual(await call(one, 'PUT', '/cluster/log-level/debug'), [200, 'log level changed']);
  await Promise.all([hasLevel(one, 'debug'), hasLevel(two, 'debug')]);
  await using three = await node();
  await hasLevel(three, 'debug');
  // A change of one node stays its own.
  assert.deepEqual(await call(three, 'PUT', '/node/log-level/error'), [200, 'log level changed']);
  // So long that it is seen before it is over.
  assert.deepEqual(await call(two, 'PUT', '/cluster/log-level/info?timeout=15'), [200, 'log level changed']);
  await Promise.all([one, two, three].map((each) => hasLevel(each, 'info')));
  for (const each of [one, two, three]) await hasLevel(each, 'notice');
});

test('a level that this node has already is told to the others', async () => {
  await using one = await node();
  await using two = await node();
  await call(one, 'PUT', '/node/log-level/warn');
  const told = await call(one, 'PUT', '/cluster/log-level/warn?timeout=60');
  assert.deepEqual(told, [200, 'log level is already warn']);
  await hasLevel(two, 'warn');
});

test('without the database nobody is told, and nothing changes', async () => {
  await using one = await node();
  await postgres.stop();
  const [status, message] = await call(one, 'PUT', '/cluster/log-level/alert');
  assert.equal(status, 503, message);
  assert.match(message, /^the other nodes cannot be told: /);
  assert.notEqual((await call(one, 'GET', '/node/log-level'))[1], 'log level: alert');
  await postgres.start();
});
