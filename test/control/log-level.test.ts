/** The log level through the Admin API: in all threads, for a time, across reloads and deaths. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { type StandInGateway, config, startStandIn } from './support/gateway.ts';

async function call(gateway: StandInGateway, method: string, path: string): Promise<[number, string]> {
  const response = await fetch(gateway.url('admin', path), { method });
  return [response.status, ((await response.json()) as { message: string }).message];
}

/** The levels that the workers have, as far as a few requests tell. */
async function levels(gateway: StandInGateway): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 16 }, async () => await gateway.ask()));
  return [...new Set(answers.map(({ logLevel }) => logLevel))];
}

const options = { settings: { database: 'sqlite' } };

test('a level holds in every thread, across a reload, and ends when its time is over', async () => {
  await using gateway = await startStandIn(options);
  const node = '/debug/node/log-level';
  assert.deepEqual(await call(gateway, 'GET', node), [200, 'log level: notice']);
  assert.deepEqual(await call(gateway, 'PUT', `${node}/notice`), [200, 'log level is already notice']);
  assert.deepEqual(await call(gateway, 'PUT', `${node}/debug?timeout=100`), [200, 'log level changed']);
  assert.deepEqual(await call(gateway, 'GET', node), [200, 'log level: debug']);
  assert.deepEqual(await levels(gateway), ['debug']);
  const { configuration } = (await (await fetch(gateway.url('admin'))).json()) as {
    configuration: Record<string, unknown>;
  };
  assert.equal(configuration['log_level'], 'debug');

  await gateway.writeSettings({ log_level: 'warn' });
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.deepEqual(await levels(gateway), ['debug']);

  const cluster = '/debug/cluster/log-level/error?timeout=0';
  assert.deepEqual(await call(gateway, 'PUT', cluster), [200, 'log level changed']);
  await waitFor(async () => (await call(gateway, 'GET', node))[1] === 'log level: warn');
  await waitFor(async () => (await levels(gateway)).join() === 'warn');
});

test('a commit leaves the level as it is', async () => {
  await using gateway = await startStandIn(options);
  const [status] = await call(gateway, 'PUT', '/debug/node/log-level/debug');
  assert.equal(status, 200);
  const response = await fetch(gateway.url('admin', '/services'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'one', host: 'a.test' }),
  });
  assert.equal(response.status, 201);
  assert.deepEqual(await levels(gateway), ['debug']);
});

test('what is no level, and no time', async () => {
  await using gateway = await startStandIn(options);
  const path = '/debug/node/log-level';
  assert.deepEqual(await call(gateway, 'PUT', `${path}/loud`), [400, 'unknown log level: loud']);
  assert.deepEqual(await call(gateway, 'PUT', `${path}/debug?timeout=-2`), [
    400,
    'timeout must be greater than or equal to 0',
  ]);
  assert.deepEqual(await levels(gateway), ['notice']);
});

test('without a database it is refused, as Kong refuses it', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  assert.deepEqual(await call(gateway, 'PUT', '/debug/node/log-level/debug'), [
    405,
    'cannot change log level when not using a database',
  ]);
});

test('the node keeps its id', async () => {
  await using gateway = await startStandIn();
  const id = async (): Promise<unknown> =>
    ((await (await fetch(gateway.url('admin'))).json()) as { node_id: unknown }).node_id;
  const first = await id();
  assert.match(String(first), /^[0-9a-f-]{36}$/);
  assert.equal(await id(), first);
});
