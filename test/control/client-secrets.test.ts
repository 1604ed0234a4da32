/** Client secrets of OAuth 2.0 with `hash_secret`: kept as slow hashes, by whatever way they come, and once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifySecret } from '../../src/lib/secret-hash.ts';
import { config, withFile } from '../config/support/cli.ts';
import { startGateway } from '../support/gateway.ts';
import { startAdmin } from './support/admin-server.ts';

const secretOf = (body: Readonly<Record<string, unknown>>): string => String(body['client_secret']);
const app = (more: object): object => ({ name: 'app', client_id: 'id', hash_secret: true, ...more });

describe('writes', () => {
  test('a secret that is given is hashed, another write leaves it, a new one is hashed anew', async () => {
    await using admin = await startAdmin();
    await admin.call('POST', '/consumers', { username: 'anna' });
    const made = await admin.call('POST', '/consumers/anna/oauth2', app({ client_secret: 'open sesame' }));
    assert.equal(made.status, 201, made.text);
    const first = secretOf(made.body);
    assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.deepEqual(
      [await verifySecret('open sesame', first), await verifySecret('open', first)],
      [true, false],
    );
    const renamed = await admin.call('PATCH', '/oauth2/id', { name: 'other', hash_secret: true });
    assert.equal(secretOf(renamed.body), first);
    const second = secretOf((await admin.call('PATCH', '/oauth2/id', { client_secret: 'close' })).body);
    assert.equal(await verifySecret('close', second), true);
    const put = await admin.call(
      'PUT',
      '/oauth2/id',
      app({ client_secret: 'x', consumer: { username: 'anna' } }),
    );
    assert.equal(await verifySecret('x', secretOf(put.body)), true, put.text);
    assert.equal(put.body['id'], made.body['id']);
  });

  test('switched on for a secret that is there; off, nothing is hashed', async () => {
    await using admin = await startAdmin();
    await admin.call('POST', '/consumers', { username: 'anna' });
    const plain = await admin.call(
      'POST',
      '/consumers/anna/oauth2',
      app({ hash_secret: false, client_secret: 's' }),
    );
    assert.equal(secretOf(plain.body), 's');
    const on = await admin.call('PATCH', '/oauth2/id', { hash_secret: true });
    assert.equal(await verifySecret('s', secretOf(on.body)), true, on.text);
  });

  test('a secret that nobody gave is made up and hashed; what is wrong is told as ever', async () => {
    await using admin = await startAdmin();
    await admin.call('POST', '/consumers', { username: 'anna' });
    const made = await admin.call('POST', '/consumers/anna/oauth2', app({}));
    assert.match(secretOf(made.body), /^\$argon2id\$/);
    const wrong = await admin.call(
      'POST',
      '/consumers/anna/oauth2',
      app({ client_id: 'b', client_secret: 5 }),
    );
    assert.deepEqual([wrong.status, wrong.body['fields']], [400, { client_secret: 'expected a string' }]);
    const missing = await admin.call('PATCH', '/oauth2/x', { client_secret: 'x' });
    assert.equal(missing.status, 404);
  });

  test('transactions: hashed, and left alone where they are as stored', async () => {
    await using admin = await startAdmin();
    const { body: consumer } = await admin.call('POST', '/consumers', { username: 'anna' });
    const entity = (id: string): object => ({
      ...app({ client_id: id, client_secret: 'secret' }),
      consumer: { id: consumer['id'] },
    });
    const kind = 'oauth2_credentials';
    const writes = [
      { op: 'create', kind, entity: entity('a') },
      { op: 'create', kind, entity: entity('b'), stored: true },
      { op: 'patch', kind, key: 'a', entity: { name: 'renamed' } },
    ];
    const { status, text } = await admin.call('POST', '/transactions', { writes });
    assert.equal(status, 200, text);
    assert.equal(await verifySecret('secret', secretOf((await admin.call('GET', '/oauth2/a')).body)), true);
    assert.equal(secretOf((await admin.call('GET', '/oauth2/b')).body), 'secret');
  });
});

describe('files', () => {
  const file = (more: object, credential: object): string =>
    JSON.stringify({
      _format_version: '3.0',
      ...more,
      consumers: [{ username: 'anna', oauth2_credentials: [credential] }],
    });
  const read = async ({ adminUrl }: { readonly adminUrl: string }): Promise<string> =>
    secretOf((await (await fetch(`${adminUrl}/oauth2/id`)).json()) as Record<string, unknown>);

  test('hashed once: another load of the same secret changes nothing', async () => {
    const credential = app({ client_secret: 'open sesame' });
    await using gateway = await startGateway({ config: file({}, credential) });
    const first = await read(gateway);
    assert.equal(await verifySecret('open sesame', first), true, first);
    await gateway.reload(file({ services: [{ host: 'h' }] }, credential));
    assert.equal(await read(gateway), first);
    await gateway.reload(file({}, app({ client_secret: 'other' })));
    assert.equal(await verifySecret('other', await read(gateway)), true);
    await gateway.reload(file({ _transform: false }, app({ client_secret: first })));
    assert.equal(await read(gateway), first);
  });

  test('sync hashes, a dump of it is brought elsewhere as it is', async () => {
    await using gateway = await startGateway({ settings: { database: 'sqlite' } });
    await using second = await startGateway({ settings: { database: 'sqlite' } });
    await withFile(file({}, app({ client_secret: 'open sesame' })), async (path) => {
      const synced = await config(gateway.adminUrl, 'sync', '--yes', path);
      assert.equal(synced.code, 0, synced.stderr);
    });
    const first = await read(gateway);
    assert.equal(await verifySecret('open sesame', first), true);
    const dump = await config(gateway.adminUrl, 'dump');
    await withFile(dump.stdout, async (path) => {
      assert.equal((await config(second.adminUrl, 'sync', '--yes', path)).code, 0);
    });
    assert.equal(await read(second), first);
  });
});
