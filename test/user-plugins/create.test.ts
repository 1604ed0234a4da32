/** A `create` that never answers holds up nobody for long, and filters end with their data plane. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPlane } from '../support/data-plane.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { configWith, gatewayWith, headerPlugin, pluginFolder } from './support/folder.ts';

const never = headerPlugin('never', "''").replace('return {', 'return new Promise(() => {}); return {');

test('the routes of a plugin whose create never answers are 500, the others serve', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'never.ts': never,
    'stamp.ts': headerPlugin('stamp', "'1'"),
  });
  const config = configWith(upstream.port, {
    ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`/n${n}`, [{ name: 'never' }]])),
    '/ok': [{ name: 'stamp' }],
  });
  await using gateway = await gatewayWith(folder, config);
  const statusOf = async (path: string): Promise<number> => {
    const response = await fetch(gateway.url + path);
    await response.arrayBuffer();
    return response.status;
  };
  assert.deepEqual(await Promise.all(['/ok', '/n0', '/n9'].map(statusOf)), [200, 500, 500]);
  assert.match(await gateway.logs(), /plugin never \([0-9a-f-]{36}\): create has not answered after 5000 ms/);
  // A plugin that was good goes on when its new code is like that.
  await folder.write('stamp.ts', never.replaceAll('never', 'stamp'));
  await waitFor(async () => /plugin stamp \(\S+\): create has not answered/.test(await gateway.logs()));
  assert.equal(await statusOf('/ok'), 200);
  await folder.write('never.ts', headerPlugin('never', "''"));
  await folder.write('stamp.ts', headerPlugin('stamp', "'2'"));
  await waitFor(async () => (await statusOf('/n9')) === 200, { what: 'the plugin to be mended' });
  assert.equal(await statusOf('/ok'), 200);
});

test('a data plane that closes disposes of its filters, and waits for none that does not end', async () => {
  const ended: string[] = [];
  const plugin = (name: string, dispose: () => void | Promise<void>): object => ({
    name,
    priority: 1,
    filters: { dispose },
  });
  const plane = await startPlane(1, {
    plugins: [
      plugin('quick', () => void ended.push('quick')),
      plugin('thrower', () => {
        throw new Error('no');
      }),
      plugin('slow', async () => {
        await Promise.resolve();
        ended.push('slow');
      }),
      plugin('stuck', () => new Promise(() => {})),
    ] as never,
  });
  await plane[Symbol.asyncDispose]();
  assert.deepEqual(ended, ['quick', 'slow']);
});
