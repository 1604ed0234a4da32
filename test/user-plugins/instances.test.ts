/** `enabled` and `instance_name` on a whole gateway: configurations of one plugin, apart by their names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEcho } from '../support/upstream.ts';
import { admin, type Answer } from './support/admin.ts';
import { configWith, gatewayWith, headerPlugin, pluginFolder } from './support/folder.ts';

test('two instances of one plugin, each found by its name; one that is not enabled does nothing', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({ 'stamp.ts': headerPlugin('stamp', "'!'") });
  const config = configWith(upstream.port, { '/a': [], '/b': [] });
  await using gateway = await gatewayWith(folder, config, { database: 'sqlite', nginx_worker_processes: 2 });
  const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
    admin(gateway, method, path, body);
  /** Of both workers, as connections come to them. */
  const stamps = async (path: string): Promise<string> => {
    const seen = new Set<string | null>();
    for (let turn = 0; turn < 12; turn++) {
      const response = await fetch(gateway.url + path, { headers: { connection: 'close' } });
      await response.arrayBuffer();
      seen.add(response.headers.get('x-stamp'));
    }
    return [...seen].join();
  };
  const made = await ask('POST', '/plugins', {
    name: 'stamp',
    instance_name: 'everywhere',
    config: { prefix: 'global' },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const narrow = { name: 'stamp', instance_name: 'narrow', config: { prefix: 'route' } };
  assert.equal((await ask('POST', '/routes/r-a/plugins', narrow)).status, 201);
  // A name is an instance's own, whatever its scope; and a scope has one configuration.
  const taken = await ask('POST', '/routes/r-b/plugins', narrow);
  assert.equal(taken.status, 409);
  assert.match(String(taken.body['message']), /instance_name="narrow"/);
  assert.equal((await ask('POST', '/routes/r-a/plugins', { ...narrow, instance_name: 'other' })).status, 409);
  assert.deepEqual([await stamps('/a'), await stamps('/b')], ['route!', 'global!']);

  assert.equal((await ask('GET', '/plugins/narrow')).body['instance_name'], 'narrow');
  assert.equal((await ask('PATCH', '/plugins/narrow', { enabled: false })).status, 200);
  // What is not enabled is not there: the wider one runs in its place.
  assert.deepEqual([await stamps('/a'), await stamps('/b')], ['global!', 'global!']);
  await ask('PATCH', '/plugins/everywhere', { enabled: false });
  assert.deepEqual([await stamps('/a'), await stamps('/b')], ['', '']);
  await ask('PATCH', '/plugins/narrow', { enabled: true, config: { prefix: 'again' } });
  assert.deepEqual([await stamps('/a'), await stamps('/b')], ['again!', '']);
  assert.equal((await ask('DELETE', '/plugins/narrow')).status, 204);
  assert.equal(await stamps('/a'), '');
});
