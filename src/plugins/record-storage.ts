/** Where a plugin's records are, by its configuration. */
import type { PluginServices, RecordCollections } from './kit/services.ts';
import type { RedisTarget } from './kit/redis.ts';
import { RedisRecords } from './redis-records.ts';

/** @param config `kong`: the gateway's database. @throws Error */
export function recordsOf(
  config: { readonly storage: string; readonly redis: RedisTarget | null },
  gateway: PluginServices,
): RecordCollections {
  if (config.storage === 'redis') {
    if (config.redis === null) throw new Error('storage redis needs the field redis');
    return new RedisRecords(gateway.redis(config.redis));
  }
  if (!gateway.records.available) throw new Error(`${gateway.plugin.name} needs a database`);
  return gateway.records.collections;
}
