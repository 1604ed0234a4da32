import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Plugin } from '../../entities/plugin.ts';
import { WorkerZone } from '../../zone/worker-zone.ts';
import { type HandedServices, PluginHost } from './host.ts';
import type { Filters } from '../kit/filters.ts';
import type { UserPlugin } from '../users/live.ts';

const entity = { id: 'e', name: 'mine', config: {}, protocols: ['http'] } as unknown as Plugin;

function handed(released: string[]): HandedServices {
  return {
    services: { secret: (text: string) => text },
    cost: { measured: (filters: Filters) => filters },
    release: () => void released.push('released'),
  } as unknown as HandedServices;
}

function user(create: () => unknown): UserPlugin {
  const definition = { name: 'mine', priority: 1, config: {}, create };
  return { name: 'mine', version: 1, file: '/mine.ts', cell: 1, definition } as unknown as UserPlugin;
}

test('a create that never settles makes an instance that is broken, and the next ones do not wait as long', async () => {
  const released: string[] = [];
  const host = new PluginHost({
    services: () => handed(released),
    zone: WorkerZone.standalone(),
    createMs: 20,
  });
  const never = user(() => new Promise(() => {}));
  const { broken, filters } = await host.create(entity, never);
  assert.equal(broken, 'create has not answered after 20 ms');
  assert.ok('access' in filters);
  assert.deepEqual(released, ['released']);
  assert.match((await host.create(entity, never)).broken ?? '', /^create has not answered after/);
  const good = await host.create(
    entity,
    user(() => ({})),
  );
  assert.equal(good.broken, null);
});

test("filters that come too late are disposed of, and what rejects too late is nobody's", async () => {
  const host = new PluginHost({ services: () => handed([]), zone: WorkerZone.standalone(), createMs: 20 });
  const { promise: late, resolve } = Promise.withResolvers<object>();
  const { promise: failed, reject } = Promise.withResolvers<object>();
  assert.notEqual(
    (
      await host.create(
        entity,
        user(() => late),
      )
    ).broken,
    null,
  );
  assert.notEqual(
    (
      await host.create(
        entity,
        user(() => failed),
      )
    ).broken,
    null,
  );
  const { promise: disposed, resolve: dispose } = Promise.withResolvers<void>();
  resolve({ dispose });
  reject(new Error('late'));
  await disposed;
});
