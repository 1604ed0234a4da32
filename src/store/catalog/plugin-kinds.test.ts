/** A catalog and the kinds of plugins: what is indexed when they come, change and go, and what stays sealed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { describeEntity, type PluginEntity, setEntitiesOf } from '../../entities/plugin-entities.ts';
import type { Fields } from '../../entities/schema/field.ts';
import { CatalogStore } from '../catalog-store.ts';
import type { Write } from '../config-store.ts';
import { loadSealKeys } from '../seal-keys.ts';
import { createSealer } from '../sealing.ts';
import { Catalog } from './catalog.ts';
import { sealedCodec } from './codec.ts';
import { NOTHING_RESEALED, type Resealed } from './reseal.ts';

const [OLD, NEW] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString('base64')) as [string, string];
const author = { name: null, source: 'test', message: null };

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-kinds-'));
});

afterEach(() => {
  setEntitiesOf('mine', []);
  rmSync(folder, { recursive: true });
});

function open(...keys: readonly string[]): Catalog {
  const sealer = createSealer(loadSealKeys({ secret_key_file: null, secret_keys: keys }));
  return new Catalog({ path: join(folder, 'store.db'), durable: false, codec: sealedCodec(sealer) });
}

async function commit(catalog: Catalog, ...writes: readonly Write[]): Promise<void> {
  const context = (): { flavor: 'traditional_compatible' } => ({ flavor: 'traditional_compatible' });
  await new CatalogStore({ catalog, context, retention: 100 }).commit(writes, { author });
}

const kind = (fields: Fields = {}): PluginEntity =>
  describeEntity({
    name: 'plans',
    endpointKey: 'name',
    fields: {
      name: { type: 'string', unique: true, secret: true },
      consumer: { type: 'foreign', reference: 'consumers', on_delete: 'cascade' },
      ...fields,
    },
  });

const made = (name: string, more: object = {}): Write => ({
  op: 'create',
  kind: 'plans',
  input: { name, tags: ['t'], ...more },
});

function reseal(catalog: Catalog): Resealed {
  const done = { ...NOTHING_RESEALED };
  catalog.inTransaction(() => {
    for (const _ of catalog.resealing(done));
  });
  return done;
}

test('what is sealed of a plugin that is gone is not lost in a rotation: it is told, and done when it is back', async () => {
  setEntitiesOf('mine', [kind()]);
  let catalog = open(OLD);
  await catalog.syncKinds();
  await commit(catalog, made('hidden'));
  catalog.close();

  setEntitiesOf('mine', []);
  catalog = open(NEW, OLD);
  await catalog.syncKinds();
  assert.deepEqual([...catalog.kept()], [['plans', 1]]);
  const kept = reseal(catalog);
  assert.deepEqual([kept.entities, kept.log, kept.unreadable], [0, 0, 2]);
  assert.ok(catalog.readable());
  const counts = { entities: {}, log: {} };
  for (const _ of catalog.countingSeals(counts));
  assert.equal(Object.keys(counts.entities).length, 1);

  setEntitiesOf('mine', [kind()]);
  await catalog.syncKinds();
  assert.equal(catalog.reader.get('plans', { key: 'hidden' })?.['name'], 'hidden');
  const back = reseal(catalog);
  assert.deepEqual([back.entities, back.log, back.unreadable], [1, 1, 0]);
  assert.equal(catalog.reader.get('plans', { key: 'hidden' })?.['name'], 'hidden');
  catalog.close();
  catalog = open(NEW);
  assert.equal(catalog.reader.get('plans', { key: 'hidden' })?.['name'], 'hidden');
  catalog.close();
});

test('indexes follow the kind: unique fields, references and tags, also of what was stored without the plugin', async () => {
  setEntitiesOf('mine', [kind({ code: { type: 'string' } })]);
  const catalog = open(OLD);
  await catalog.syncKinds();
  const id = '11111111-1111-4111-8111-111111111111';
  await commit(
    catalog,
    { op: 'create', kind: 'consumers', input: { id, username: 'anna' } },
    made('a', { code: 'x', consumer: { id } }),
    made('b', { code: 'x' }),
  );
  const twice = async (code: string): Promise<boolean> => {
    const name = `${code}-again`;
    return await commit(catalog, made(name, { code })).then(
      () => false,
      (error: unknown) => /UNIQUE violation/.test(String(error)),
    );
  };
  setEntitiesOf('mine', [kind({ code: { type: 'string', unique: true } })]);
  await catalog.syncKinds();
  assert.equal(await twice('x'), true);
  assert.equal(catalog.reader.tags({ tag: 't', size: 10 }).length, 2);

  setEntitiesOf('mine', []);
  await catalog.syncKinds();
  await assert.rejects(
    commit(catalog, { op: 'delete', kind: 'consumers', select: { id } }),
    /an existing 'plans' entity references this 'consumers' entity/,
  );
  setEntitiesOf('mine', [kind({ code: { type: 'string', unique: true } })]);
  await catalog.syncKinds();
  assert.equal(await twice('x'), true);
  await commit(catalog, { op: 'delete', kind: 'consumers', select: { id } });
  assert.equal(catalog.reader.get('plans', { key: 'a' }), null);
  assert.equal(catalog.reader.count('plans'), 1);
  catalog.close();
});
