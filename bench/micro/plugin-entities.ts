/**
 * Look-ups of entities that a plugin brings, beside those of the gateway's own keys, in a directory that has as many of
 * each: `node bench/micro/plugin-entities.ts [ENTITIES]`. `hot` are a thousand, whose rows stay decoded; `cold` all of them.
 */
import { createHash } from 'node:crypto';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../../src/entities/directory-kinds.ts';
import { describeEntity, pluginKind } from '../../src/entities/plugin-entities.ts';
import { rowOf } from '../../src/entities/plugin-rows.ts';
import { ownEntities } from '../../src/plugins/services/own-entities.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import { micro, microTable } from '../support/micro.ts';

const COUNT = Number(process.argv[2] ?? 100_000);
const HOT = 1000;

const keys = describeEntity({
  name: 'partner_keys',
  fields: {
    consumer: { type: 'foreign', reference: 'consumers', required: true },
    key: { type: 'string', required: true, unique: true },
  },
});

const digest = (text: string): string => createHash('md5').update(text).digest('hex');

function uuid(text: string): string {
  const hex = digest(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const names = Array.from({ length: COUNT }, (_, n) => digest(`key ${n}`));
const kind = pluginKind('bench', keys);
const writer = new DirectoryWriter(DIRECTORY_KINDS);
for (const [n, key] of names.entries()) {
  const consumer = { id: uuid(`consumer ${n}`) };
  const entity = { id: uuid(`key ${n}`), consumer, key, tags: null, created_at: 1 };
  writer.put('keyauth_credentials', { ...entity, ttl: null });
  writer.put('plugin_entities', rowOf(kind, { ...entity, updated_at: 1 }));
}
const directory = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());
const own = ownEntities(directory, 'bench', keys);
const { kinds } = writer.size;
for (const name of ['keyauth_credentials', 'plugin_entities']) {
  process.stdout.write(`${name}: ${Math.round((kinds[name]?.bytes ?? 0) / COUNT)} octets a row\n`);
}

const nameOf = (n: number): string => names[n % COUNT] ?? '';
const scatter = (n: number): string => nameOf(n * 7919);
const results = micro([
  {
    name: "the gateway's key, hot",
    run: (n) => directory.find('keyauth_credentials', 'key', nameOf(n % HOT)),
  },
  { name: "a plugin's entity, hot", run: (n) => own.find('key', nameOf(n % HOT)) },
  {
    name: "the gateway's key, cold",
    run: (n) => directory.find('keyauth_credentials', 'key', scatter(n)),
  },
  { name: "a plugin's entity, cold", run: (n) => own.find('key', scatter(n)) },
  { name: "a consumer's, cold", run: (n) => own.owned(uuid(`consumer ${n % COUNT}`)) },
]);
process.stdout.write(microTable(`Entities of plugins, ${COUNT}`, results));
