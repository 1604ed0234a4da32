/**
 * On whole gateways with several workers: when the Admin API has answered, no worker lets in what it took away. Clients keep
 * their connections, each of which stays with its worker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { connectRaw, type RawConnection } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';

const WORKERS = 4;
/** So many that each worker has some. */
const CONNECTIONS = 40;

async function admin(
  gateway: Gateway,
  method: string,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(gateway.adminUrl + path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

class Clients implements AsyncDisposable {
  readonly #connections: readonly RawConnection[];

  constructor(connections: readonly RawConnection[]) {
    this.#connections = connections;
  }

  static async connect(gateway: Gateway): Promise<Clients> {
    return new Clients(
      await Promise.all(Array.from({ length: CONNECTIONS }, () => connectRaw(gateway.proxyPort))),
    );
  }

  /** Statuses that they get, each once. */
  async ask(path: string, header: string): Promise<number[]> {
    const statuses = await Promise.all(
      this.#connections.map(async (connection) => {
        connection.write(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${header}\r\n\r\n`);
        return (await connection.readResponse()).status;
      }),
    );
    return [...new Set(statuses)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection[Symbol.asyncDispose]()));
  }
}

async function start(upstreamPort: number): Promise<Gateway> {
  const gateway = await startGateway({
    settings: { database: 'sqlite', nginx_worker_processes: WORKERS },
  });
  await admin(gateway, 'POST', '/services', { name: 's', url: `http://127.0.0.1:${upstreamPort}` });
  for (const name of ['key', 'basic', 'acl', 'group']) {
    await admin(gateway, 'POST', '/services/s/routes', { name, paths: [`/${name}`] });
    const plugin = name === 'basic' ? 'basic-auth' : 'key-auth';
    await admin(gateway, 'POST', `/routes/${name}/plugins`, { name: plugin });
  }
  await admin(gateway, 'POST', '/routes/acl/plugins', { name: 'acl', config: { allow: ['staff'] } });
  for (const username of ['anna', 'bert']) {
    await admin(gateway, 'POST', '/consumers', { username });
    await admin(gateway, 'POST', `/consumers/${username}/key-auth`, { key: `key of ${username}` });
  }
  return gateway;
}

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}`;
const ANNA = 'apikey: key of anna';
const BERT = 'apikey: key of bert';

test('keys, passwords, groups and consumers that are taken away', async () => {
  await using upstream = await startEcho();
  await using gateway = await start(upstream.port);
  await using clients = await Clients.connect(gateway);
  const expect = async (path: string, header: string, status: number): Promise<void> =>
    assert.deepEqual(await clients.ask(path, header), [status], `${path} ${header}`);

  for (let round = 0; round < 5; round++) {
    const key = await admin(gateway, 'POST', '/consumers/anna/key-auth', { key: 'another' });
    await expect('/key', 'apikey: another', 200);
    await admin(gateway, 'DELETE', `/consumers/anna/key-auth/${String(key['id'])}`);
    await expect('/key', 'apikey: another', 401);
  }

  const { id, password } = await admin(gateway, 'POST', '/consumers/anna/basic-auth', {
    username: 'a',
    password: 'one',
  });
  assert.match(String(password), /^\$argon2id\$/);
  await expect('/basic', basic('a:one'), 200);
  await admin(gateway, 'PATCH', `/consumers/anna/basic-auth/${String(id)}`, { password: 'two' });
  await expect('/basic', basic('a:one'), 401);
  await expect('/basic', basic('a:two'), 200);
  await admin(gateway, 'DELETE', `/consumers/anna/basic-auth/${String(id)}`);
  await expect('/basic', basic('a:two'), 401);

  await expect('/acl', ANNA, 403);
  const group = await admin(gateway, 'POST', '/consumers/anna/acls', { group: 'staff' });
  await expect('/acl', ANNA, 200);
  await admin(gateway, 'DELETE', `/consumers/anna/acls/${String(group['id'])}`);
  await expect('/acl', ANNA, 403);

  await expect('/key', ANNA, 200);
  await admin(gateway, 'DELETE', '/consumers/anna');
  await expect('/key', ANNA, 401);
  await expect('/key', BERT, 200);
});

test('plugins of a consumer group run for its members, as long as they are', async () => {
  await using upstream = await startEcho();
  await using gateway = await start(upstream.port);
  await using clients = await Clients.connect(gateway);
  const expect = async (header: string, status: number): Promise<void> =>
    assert.deepEqual(await clients.ask('/group', header), [status], header);

  await admin(gateway, 'POST', '/consumer_groups', { name: 'gold' });
  const config = { deny: ['127.0.0.1'], status: 451 };
  const plugin = await admin(gateway, 'POST', '/consumer_groups/gold/plugins', {
    name: 'ip-restriction',
    config,
  });
  await expect(ANNA, 200);
  await admin(gateway, 'POST', '/consumer_groups/gold/consumers', { consumer: 'anna' });
  await expect(ANNA, 451);
  await expect(BERT, 200);
  await admin(gateway, 'POST', '/consumers/bert/consumer_groups', { group: 'gold' });
  await expect(BERT, 451);
  await admin(gateway, 'DELETE', '/consumer_groups/gold/consumers/anna');
  await expect(ANNA, 200);
  await expect(BERT, 451);
  // A configuration of the consumer's own comes before that of its group.
  const own = { name: 'ip-restriction', config: { allow: ['127.0.0.1'] } };
  const { id } = await admin(gateway, 'POST', '/consumers/bert/plugins', own);
  await expect(BERT, 200);
  await admin(gateway, 'DELETE', `/plugins/${String(id)}`);
  await expect(BERT, 451);
  await admin(gateway, 'DELETE', `/plugins/${String(plugin['id'])}`);
  await expect(BERT, 200);
});
