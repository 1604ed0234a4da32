import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway, type KongConfig } from './gateway.ts';
import { startEcho, type Echo } from './upstream.ts';

function config(url: string, path: string): KongConfig {
  return { _format_version: '3.0', services: [{ name: 's', url, routes: [{ name: 'r', paths: [path] }] }] };
}

test('a gateway starts on its configuration, reloads, and stops', async () => {
  await using echo = await startEcho();
  await using gateway = await startGateway({ config: config(echo.url, '/one') });
  const answer = await fetch(`${gateway.url}/one/x?y`);
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as Echo).url, '/x?y');

  await gateway.reload(config(echo.url, '/two'));
  assert.equal((await fetch(`${gateway.url}/one`)).status, 404);
  assert.equal((await fetch(`${gateway.url}/two`)).status, 200);

  const posted = await gateway.postConfig(config(echo.url, '/three'));
  assert.equal(posted.status, 201);
  assert.equal((await fetch(`${gateway.url}/three`)).status, 200);

  assert.deepEqual(await gateway.stop('SIGQUIT'), { code: 0, signal: null });
});

test('a gateway that does not start says why', async () => {
  const starting = startGateway({ config: 'services: [{}]' });
  await assert.rejects(starting, /did not start[\s\S]*_format_version/);
});

test('a gateway that ends by itself fails the test that started it', async () => {
  const gateway = await startGateway();
  process.kill(gateway.pid, 'SIGKILL');
  await gateway.child.exited;
  await assert.rejects(async () => gateway[Symbol.asyncDispose](), /ended by itself/);
});
