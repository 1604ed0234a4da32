/**
 * The rules of records (docs/adr/0020-records.md) kept in a Redis: versions, unique values, times to live; no owners, since
 * a Redis knows nothing of the configuration: whoever reads a record looks at what it stands for.
 *
 * Each step is one script, so that one caller wins whatever others do. What finds a record (a code, a token) is not in the
 * server: its place has a hash as its name, and the record's value gets it back from whoever shows it. Nothing is kept
 * here: what one gateway deletes is gone for all with the answer, and without the server there are no answers.
 */
import { createHash, randomInt } from 'node:crypto';
import type { Redis, RedisScript } from '../kit/redis.ts';
import type { CollectionRecord, RecordCollections } from '../kit/services.ts';

type Input = Parameters<RecordCollections['put']>[1];

/** UTF-16 units of a key or value: longer ones are no record's. */
const MAX_NAME = 512;
const MAX_VERSION = 2 ** 48 - 1;

/** The record's place, from its own or that of a unique value. Answers its place, version, value and time to live. */
const FIND: RedisScript = {
  source: `
    local place = KEYS[1]
    if ARGV[1] == 'index' then
      place = redis.call('GET', place)
      if not place then return nil end
    end
    local found = redis.call('HMGET', place, 'version', 'value')
    if not found[1] then return nil end
    return { place, found[1], found[2], redis.call('PTTL', place) }`,
};

/** The record, then its indexes. Arguments: version that must be there, or ''; new version, value, milliseconds or ''. */
const PUT: RedisScript = {
  source: `
    local before = redis.call('HGET', KEYS[1], 'version')
    if ARGV[1] == '0' then
      if before then return 0 end
    elseif ARGV[1] ~= '' and ARGV[1] ~= before then
      return 0
    end
    for i = 2, #KEYS do
      local other = redis.call('GET', KEYS[i])
      if other and other ~= KEYS[1] and redis.call('EXISTS', other) == 1 then return 0 end
    end
    for index in string.gmatch(redis.call('HGET', KEYS[1], 'indexes') or '', '%S+') do
      redis.call('DEL', index)
    end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3], 'indexes', table.concat(KEYS, ' ', 2))
    for i = 2, #KEYS do redis.call('SET', KEYS[i], KEYS[1]) end
    if ARGV[4] ~= '' then
      for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
    end
    return 1`,
};

const DELETE: RedisScript = {
  source: `
    local found = redis.call('HMGET', KEYS[1], 'version', 'indexes')
    if not found[1] or (ARGV[1] ~= '' and ARGV[1] ~= found[1]) then return 0 end
    for index in string.gmatch(found[2] or '', '%S+') do redis.call('DEL', index) end
    return redis.call('DEL', KEYS[1])`,
};

export class RedisRecords implements RecordCollections {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async get(collection: string, key: string): Promise<CollectionRecord | null> {
    return isName(key) ? await this.#find(collection, placeOf(collection, key), 'record') : null;
  }

  async findBy(collection: string, index: string, value: string): Promise<CollectionRecord | null> {
    if (!isName(value)) return null;
    const found = await this.#find(collection, indexOf(collection, index, value), 'index');
    return found === null ? null : { ...found, value: { ...found.value, [index]: value } };
  }

  async put(
    collection: string,
    { key, value, unique = {} }: Input,
    options: { readonly ifVersion?: number; readonly ttlMs?: number } = {},
  ): Promise<boolean> {
    const kept: Record<string, unknown> = { ...value };
    for (const index of Object.keys(unique)) delete kept[index];
    const indexes = Object.entries(unique).map(([index, one]) => indexOf(collection, index, one));
    const version = randomInt(1, MAX_VERSION);
    const result = await this.#redis.run(
      PUT,
      [placeOf(collection, key), ...indexes],
      [options.ifVersion ?? '', version, JSON.stringify(kept), options.ttlMs ?? ''],
    );
    return result === 1;
  }

  async delete(
    collection: string,
    key: string,
    options: { readonly ifVersion?: number } = {},
  ): Promise<boolean> {
    const result = await this.#redis.run(DELETE, [placeOf(collection, key)], [options.ifVersion ?? '']);
    return result === 1;
  }

  async #find(collection: string, key: string, by: 'record' | 'index'): Promise<CollectionRecord | null> {
    const found = (await this.#redis.run(FIND, [key], [by])) as
      | readonly [place: string, version: string, value: string, left: number]
      | null;
    if (found === null) return null;
    const [place, version, value, left] = found;
    return {
      key: place.slice(placeOf(collection, '').length),
      value: JSON.parse(value) as CollectionRecord['value'],
      version: Number(version),
      ttlMs: left < 0 ? null : left,
    };
  }
}

function placeOf(collection: string, key: string): string {
  return `sluice:${collection}:record:${key}`;
}

function indexOf(collection: string, index: string, value: string): string {
  const digest = createHash('sha256').update(value).digest('base64url');
  return `sluice:${collection}:${index}:${digest}`;
}

const isName = (text: string): boolean => text.length > 0 && text.length <= MAX_NAME && text.isWellFormed();
