/** Filters that were made end: those that are replaced, and those of builds that nobody serves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Plugin } from '../entities/plugin.ts';
import type { PluginInstance } from '../plugins/engine/instance.ts';
import { SnapshotBuilder } from './builder.ts';
import { encodeImage } from './image-encode.ts';

const FLAVOR = 'traditional_compatible';

function image(revision: number, ...names: readonly string[]): SharedArrayBuffer {
  const plugins = names.map((name) => ({
    id: name,
    name,
    enabled: true,
    protocols: ['http'],
    config: {},
    route: null,
    service: null,
    consumer: null,
    consumer_group: null,
  }));
  return encodeImage(new Map([['plugins', plugins]]), { revision, hash: 'x' });
}

class Instances {
  /** `name made` of those that live. */
  readonly living = new Set<string>();
  #made = 0;

  create = (entity: Plugin): Promise<PluginInstance> => {
    const label = `${entity.name} ${++this.#made}`;
    this.living.add(label);
    const filters = { dispose: (): void => void this.living.delete(label) };
    return Promise.resolve({ entity, priority: 1, filters, broken: null });
  };

  async become(...labels: readonly string[]): Promise<void> {
    // `dispose` may be a promise: it is called a turn later.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    assert.deepEqual([...this.living], labels);
  }
}

test('of a build that another overtakes, what nobody serves is disposed of', async () => {
  const instances = new Instances();
  const builder = new SnapshotBuilder(FLAVOR, { createPlugin: instances.create });
  builder.commit(await builder.prepare(image(1, 'a'), FLAVOR));
  await instances.become('a 1');
  await builder.prepare(image(2, 'a', 'b'), FLAVOR);
  await instances.become('a 1', 'a 2', 'b 3');
  builder.commit(await builder.prepare(image(3, 'c'), FLAVOR));
  await instances.become('c 4');
});

test('plugins that are replaced meanwhile overtake a build, too, and what was made for nothing ends', async () => {
  const instances = new Instances();
  const builder = new SnapshotBuilder(FLAVOR, { createPlugin: instances.create });
  builder.commit(await builder.prepare(image(1, 'a', 'b'), FLAVOR));
  await builder.prepare(image(2, 'b'), FLAVOR);
  await instances.become('a 1', 'b 2', 'b 3');
  await builder.replacePlugins(await builder.renewPlugins(new Set(['b']), instances.create));
  await instances.become('a 1', 'b 5');
  // Made by code that was to come, of a configuration that is gone.
  builder.commit(await builder.prepare(image(3, 'a', 'b'), FLAVOR));
  await instances.become('a 6', 'b 7');
  const renewed = await builder.renewPlugins(new Set(['a']), instances.create);
  builder.commit(await builder.prepare(image(4, 'b'), FLAVOR));
  await builder.replacePlugins(renewed);
  await instances.become('b 9');
});
