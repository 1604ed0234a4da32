/** Where a plugin's records are, by its configuration. */
import type { Entity } from '../../entities/schema/field.ts';
import type { redis } from '../../entities/redis-fields.ts';
import type { Redis, RedisTarget } from '../kit/redis.ts';
import type { PluginServices, RecordCollections } from '../kit/services.ts';
import { RedisRecords } from './redis-records.ts';

/** The record `redis` of a configuration, as the schema has filled it in. */
export type RedisConfig = Entity<{ readonly redis: typeof redis }>['redis'];

/** @throws Error */
export function redisOf(config: RedisConfig, gateway: PluginServices): Redis {
  if (config === null) throw new Error("there is no 'redis'");
  return gateway.redis(config satisfies RedisTarget);
}

/** @param config `storage` is `kong` (the gateway's database) or `redis`. @throws Error */
export function recordsOf(
  config: { readonly storage: string; readonly redis: RedisConfig },
  gateway: PluginServices,
): RecordCollections {
  if (config.storage === 'redis') return new RedisRecords(redisOf(config.redis, gateway));
  if (!gateway.records.available) {
    throw new Error(`${gateway.plugin.name} with storage ${config.storage} needs a database`);
  }
  return gateway.records.collections;
}
