/** The end of a data plane: each plugin may end what it has begun, and none can keep the others waiting. */
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import { endInstance } from '../../snapshot/plugin-index.ts';

const END_MS = 1000;

export async function endPlugins(instances: Iterable<PluginInstance>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, END_MS);
  await Promise.race([Promise.all([...instances].map(endInstance)), late]);
  clearTimeout(timer);
}
