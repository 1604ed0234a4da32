/**
 * What a writer can do between two steps of a look-up: the writer runs in the reader's own thread, in the middle of an
 * atomic read, at each of them in turn.
 */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type KeyRow, KINDS, uuid } from '../../../test/support/directory-keys.ts';
import { Directory } from './directory.ts';
import { DirectoryWriter } from './writer.ts';

/** Rows of this length have a segment each. */
const LARGE = 'x'.repeat(70_000);
const OWNER = uuid(77);

function row(n: number, version: number): KeyRow {
  return { id: uuid(n), consumer: { id: OWNER }, key: `key ${n}`, version, text: LARGE };
}

interface Case {
  readonly name: string;
  readonly interfere: (writer: DirectoryWriter) => void;
  readonly look: (reader: Directory<{ readonly keys: KeyRow }>) => void;
}

/** Row 1 was first, so that its segment's number is given to what comes after its end. */
const reuse = (writer: DirectoryWriter): void => {
  writer.remove('keys', uuid(1));
  writer.put('keys', row(2, 2));
};

const CASES: readonly Case[] = [
  {
    name: 'a row moves to a segment with the number of another one: it is found by its key',
    interfere: reuse,
    look: (reader) => assert.equal(reader.find('keys', 'key', 'key 2')?.id, uuid(2)),
  },
  {
    name: 'likewise by its id',
    interfere: reuse,
    look: (reader) => assert.equal(reader.get('keys', uuid(2))?.key, 'key 2'),
  },
  {
    name: 'likewise in the list of its owner',
    interfere: reuse,
    look: (reader) => {
      const ids = reader.owned('keys', OWNER).map(({ id, key }) => `${id} ${key}`);
      assert.ok(ids.includes(`${uuid(2)} key 2`) && ids.includes(`${uuid(3)} key 3`), ids.join());
      assert.equal(new Set(ids).size, ids.length);
    },
  },
  {
    name: 'the index is replaced by a larger one',
    interfere(writer) {
      const one = { ...row(0, 1), text: '' };
      for (let n = 100; n < 2100; n++) writer.put('keys', { ...one, id: uuid(n), key: `key ${n}` });
      writer.put('keys', row(2, 2));
    },
    look: (reader) => assert.equal(reader.find('keys', 'key', 'key 2')?.id, uuid(2)),
  },
];

for (const { name, interfere, look } of CASES) {
  test(name, () => {
    for (let step = 0; ; step++) {
      const writer = new DirectoryWriter(KINDS);
      for (const n of [1, 2, 3]) writer.put('keys', row(n, 1));
      const reader = new Directory<{ readonly keys: KeyRow }>(KINDS, writer.open());
      const load = Atomics.load.bind(Atomics);
      let reads = 0;
      const mocked = mock.method(Atomics, 'load', (words: Int32Array, at: number) => {
        const read = reads++;
        const before = load(words, at);
        if (read === step) interfere(writer);
        return before;
      });
      try {
        look(reader);
      } finally {
        mocked.mock.restore();
      }
      if (reads <= step) {
        assert.ok(step >= 3, 'nothing was interrupted');
        return;
      }
    }
  });
}
