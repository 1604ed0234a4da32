import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mock, test } from 'node:test';
import * as fc from 'fast-check';
import { Directory } from './directory.ts';
import { DirectoryFull } from './memory.ts';
import type { DirectoryKind } from './row-kind.ts';
import { DirectoryWriter } from './writer.ts';
import '../../../test/support/fixed-seed.ts';

interface Person {
  readonly id: string;
  readonly username: string | null;
  readonly tags: readonly string[] | null;
  readonly created_at: number | null;
}

interface PersonKey {
  readonly id: string;
  readonly consumer: { readonly id: string };
  readonly key: string | null;
  readonly extra: unknown;
  readonly ttl: number | null;
}

interface Entities {
  readonly people: Person;
  readonly keys: PersonKey;
}

const KINDS: readonly DirectoryKind[] = [
  {
    name: 'people',
    fields: ['id', 'username', 'tags', 'created_at'],
    uniques: ['username'],
    owner: null,
    ttl: false,
  },
  {
    name: 'keys',
    fields: ['id', 'consumer', 'key', 'extra', 'ttl'],
    uniques: ['key'],
    owner: 'consumer',
    ttl: true,
  },
];

function start(limit?: number): { writer: DirectoryWriter; reader: Directory<Entities> } {
  const writer = new DirectoryWriter(KINDS, limit);
  return { writer, reader: new Directory<Entities>(KINDS, writer.open()) };
}

function uuid(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

function person(id: string, username: string | null): Person {
  return { id, username, tags: null, created_at: 1_700_000_000 };
}

function key(id: string, owner: string, text: string | null): PersonKey {
  return { id, consumer: { id: owner }, key: text, extra: null, ttl: null };
}

test('an entity is found by its id, its unique fields and its owner, complete, until it is removed', () => {
  const { writer, reader } = start();
  const owner = randomUUID();
  const ids = [randomUUID(), randomUUID(), randomUUID()].sort();
  writer.put('people', { id: owner, username: 'anna' });
  for (const id of ids) writer.put('keys', key(id, owner, `key of ${id}`));
  const anna = { id: owner, username: 'anna', tags: null, created_at: null };
  assert.deepEqual(reader.get('people', owner), anna);
  assert.deepEqual(reader.get('people', owner.toUpperCase()), anna);
  assert.deepEqual(reader.find('people', 'username', 'anna'), anna);
  assert.deepEqual(
    reader.owned('keys', owner).map(({ id }) => id),
    ids,
  );
  assert.equal(writer.remove('keys', ids[1]!), true);
  assert.equal(writer.remove('keys', ids[1]!), false);
  assert.equal(reader.get('keys', ids[1]!), null);
  assert.equal(reader.find('keys', 'key', `key of ${ids[1]}`), null);
  assert.deepEqual(
    reader.owned('keys', owner).map(({ id }) => id),
    [ids[0], ids[2]],
  );
});

test('nothing is found that is not there, by whatever text', () => {
  const { writer, reader } = start();
  writer.put('people', person(uuid(1), '\ufffd'));
  writer.put('people', person(uuid(2), '\ud800'));
  for (const text of ['', 'x', '\ud800', '\udc00', 'y'.repeat(100_000)]) {
    assert.equal(reader.find('people', 'username', text), null);
    assert.equal(reader.get('people', text), null);
    assert.deepEqual(reader.owned('keys', text), []);
  }
  assert.equal(reader.find('people', 'username', '\ufffd')?.id, uuid(1));
  assert.equal(reader.get('people', uuid(2))?.username, '\ud800');
  assert.equal(new Directory<Entities>(KINDS, null).get('people', uuid(1)), null);
});

test('a name may wander from one entity to another, and a credential to another owner', () => {
  const { writer, reader } = start();
  writer.put('people', person(uuid(1), 'a'));
  writer.put('people', person(uuid(2), 'b'));
  writer.put('keys', key(uuid(3), uuid(1), 'k'));
  writer.put('people', person(uuid(1), 'b'));
  writer.put('people', person(uuid(2), 'a'));
  writer.put('keys', key(uuid(3), uuid(2), 'k'));
  assert.equal(reader.find('people', 'username', 'a')?.id, uuid(2));
  assert.equal(reader.find('people', 'username', 'b')?.id, uuid(1));
  assert.deepEqual(reader.owned('keys', uuid(1)), []);
  assert.equal(reader.owned('keys', uuid(2)).length, 1);
});

test('what is over is not found, and what is not says how long it has', () => {
  const { writer, reader } = start();
  mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  try {
    writer.put('keys', { ...key(uuid(1), uuid(9), 'k'), ttl: 1060 });
    assert.equal(reader.find('keys', 'key', 'k')?.ttl, 60);
    mock.timers.tick(59_500);
    assert.equal(reader.get('keys', uuid(1))?.ttl, 1);
    mock.timers.tick(500);
    assert.equal(reader.find('keys', 'key', 'k'), null);
    assert.equal(reader.get('keys', uuid(1)), null);
    assert.deepEqual(reader.owned('keys', uuid(9)), []);
  } finally {
    mock.timers.reset();
  }
});

test('property: any value comes back as it was put', () => {
  const { writer, reader } = start();
  const value = fc.oneof(
    fc.jsonValue(),
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.record({ id: fc.uuid() }),
    fc.record({ id: fc.uuid().map((id) => id.toUpperCase()) }),
    fc.string({ minLength: 5000, maxLength: 9000 }),
  );
  fc.assert(
    fc.property(fc.uuid(), fc.boolean(), value, (id, upper, extra) => {
      const entity = { ...key(upper ? id.toUpperCase() : id, id, null), extra };
      writer.put('keys', entity);
      assert.deepEqual(
        JSON.parse(JSON.stringify(reader.get('keys', id))),
        JSON.parse(JSON.stringify(entity)),
      );
    }),
    { numRuns: 1000 },
  );
});

interface Model {
  readonly people: Map<string, Person>;
  readonly keys: Map<string, PersonKey>;
}

function check(model: Model, reader: Directory<Entities>, of: number): void {
  for (let n = 0; n < of; n++) {
    const id = uuid(n);
    assert.deepEqual(reader.get('people', id), model.people.get(id) ?? null);
    assert.deepEqual(reader.get('keys', id), model.keys.get(id) ?? null);
    const owned = [...model.keys.values()].filter(({ consumer }) => consumer.id === id);
    assert.deepEqual(
      reader.owned('keys', id),
      owned.sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  }
  for (const { key: text, id } of model.keys.values())
    assert.equal(reader.find('keys', 'key', text!)?.id, id);
}

test('property: it holds what a Map would, through growth, shrinking and moves', () => {
  const IDS = 12;
  const operation = fc.record({
    op: fc.constantFrom('put', 'put', 'remove', 'flood', 'replace'),
    kind: fc.constantFrom('people' as const, 'keys' as const),
    id: fc.nat(IDS - 1),
    owner: fc.nat(IDS - 1),
    size: fc.constantFrom(0, 10, 5000, 70_000),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const { writer, reader } = start();
      const model: Model = { people: new Map(), keys: new Map() };
      let serial = 1000;
      const put = (kind: 'people' | 'keys', id: string, owner: string, size: number): void => {
        const text = `${serial++}${'x'.repeat(size)}`;
        const entity = kind === 'people' ? person(id, text) : key(id, owner, text);
        writer.put(kind, entity);
        (model[kind] as Map<string, object>).set(id, entity);
      };
      for (const { op, kind, id, owner, size } of operations) {
        if (op === 'put') put(kind, uuid(id), uuid(owner), size);
        if (op === 'remove') assert.equal(writer.remove(kind, uuid(id)), model[kind].delete(uuid(id)));
        if (op === 'flood') {
          for (let n = 0; n < 300; n++) put(kind, uuid(id), uuid(owner), 200);
          for (let n = 100; n < 1400; n++) writer.put('people', person(uuid(n), `${n}`));
          for (let n = 100; n < 1400; n++) writer.remove('people', uuid(n));
        }
        if (op === 'replace') {
          if (size === 10) model[kind].delete(uuid(id));
          const all = (['people', 'keys'] as const).flatMap((name) =>
            [...model[name].values()].map((entity) => ({ kind: name, entity: { ...entity } })),
          );
          const steps = writer.replace(all);
          // Given up in the middle: the next one must not be fooled.
          if (size === 0) for (let n = 0; n < owner; n++) steps.next();
          else Array.from(steps);
          if (size === 0) Array.from(writer.replace(all));
        }
        check(model, reader, IDS);
      }
      check(model, new Directory<Entities>(KINDS, writer.open()), IDS);
      const rows = model.people.size + model.keys.size;
      assert.equal(writer.size.rows, rows);
    }),
    { numRuns: 25 },
  );
});

test('memory follows what is in it', () => {
  const { writer, reader } = start();
  const count = 20_000;
  const all = Array.from({ length: count }, (_, n) => ({
    kind: 'people',
    entity: { ...person(uuid(n), `user ${n}`) },
  }));
  Array.from(writer.replace(all));
  const { bytes, rows, kinds, index_bytes: index } = writer.size;
  assert.equal(rows, count);
  assert.ok(kinds['people']!.bytes / count < 60);
  assert.ok((bytes - index) / kinds['people']!.bytes < 1.3);
  for (let round = 0; round < 10; round++) {
    for (const { kind, entity } of all) writer.put(kind, { ...entity, created_at: round });
  }
  assert.ok(writer.size.bytes < bytes * 2.2, `${writer.size.bytes} after changes, ${bytes} before`);
  Array.from(writer.replace(all.slice(0, 100)));
  assert.ok(writer.size.bytes < bytes / 5, `${writer.size.bytes} after removals, ${bytes} before`);
  assert.equal(reader.get('people', uuid(99))?.username, 'user 99');
  assert.equal(reader.get('people', uuid(100)), null);
});

test('what has not changed is not written again', () => {
  const { writer } = start();
  const all = Array.from({ length: 1000 }, (_, n) => ({
    kind: 'keys',
    entity: { ...key(uuid(n), uuid(1), `${n}`) },
  }));
  Array.from(writer.replace(all));
  const { bytes } = writer.size;
  for (let round = 0; round < 50; round++) Array.from(writer.replace(all));
  assert.equal(writer.size.bytes, bytes);
  assert.equal(writer.size.rows, 1000);
});

test('when memory is full, nothing has changed, and removing goes on', () => {
  const { writer, reader } = start(1 << 20);
  let n = 0;
  assert.throws(() => {
    for (; ; n++) writer.put('people', person(uuid(n), `${n}`.padEnd(200, '.')));
  }, DirectoryFull);
  assert.ok(n > 1000);
  assert.equal(reader.get('people', uuid(n)), null);
  assert.equal(reader.find('people', 'username', '5'.padEnd(200, '.'))?.id, uuid(5));
  assert.throws(() => writer.put('people', person(uuid(5), 'z'.repeat(300_000))), DirectoryFull);
  assert.equal(reader.find('people', 'username', '5'.padEnd(200, '.'))?.id, uuid(5));
  for (let gone = 0; gone < n; gone++) assert.equal(writer.remove('people', uuid(gone)), true);
  for (let again = 0; again < 1000; again++) writer.put('people', person(uuid(again), `${again}`));
  assert.equal(reader.find('people', 'username', '999')?.id, uuid(999));
});

test('one owner of very many, and decoded rows are bounded', () => {
  const { writer, reader } = start();
  const count = 50_000;
  for (let n = 0; n < count; n++) writer.put('keys', key(uuid(n), uuid(7), `${n}`));
  assert.equal(reader.owned('keys', uuid(7)).length, count);
  assert.ok(reader.cached <= 16_384);
  for (let n = 0; n < count; n += 2) writer.remove('keys', uuid(n));
  assert.equal(reader.owned('keys', uuid(7)).length, count / 2);
});

test('rows in use are kept decoded, those that are asked for once are not', () => {
  const { writer, reader } = start();
  const count = 50_000;
  for (let n = 0; n < count; n++) writer.put('keys', key(uuid(n), uuid(7), `${n}`));
  for (let n = 0; n < count; n++) reader.find('keys', 'key', `${n}`);
  assert.equal(reader.cached, 0);
  const before = reader.cached;
  for (let turn = 0; turn < 40; turn++) for (let n = 0; n < 1000; n++) reader.find('keys', 'key', `${n}`);
  assert.ok(reader.cached >= before + 950, `${reader.cached - before} of 1000 in use`);
  assert.equal(reader.find('keys', 'key', '1'), reader.find('keys', 'key', '1'));
});

test('an entity without an id or an owner is refused', () => {
  const { writer } = start();
  assert.throws(() => writer.put('people', { id: 'x' }), /no UUID/);
  assert.throws(() => writer.put('keys', { id: uuid(1), consumer: null }), /has no consumer/);
  assert.throws(() => writer.put('cats', { id: uuid(1) }), /no kind 'cats'/);
  assert.equal(writer.size.rows, 0);
});
