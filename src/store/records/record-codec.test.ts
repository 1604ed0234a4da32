import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSealKeys } from '../seal-keys.ts';
import { createSealer, NO_SEALING } from '../sealing.ts';
import { RecordCodec } from './record-codec.ts';

const KEYS = loadSealKeys({ secret_key_file: null, secret_keys: ['a'.repeat(64)] });
const sealed = new RecordCodec(createSealer(KEYS));
const record = {
  key: 'k',
  value: { token: 'secret' },
  unique: { i: 'secret' },
  owners: [{ kind: 'x', id: 'y' }],
};

test('a sealed record is opened in its own place and nowhere else', () => {
  const { content } = sealed.encode('c', record);
  const { key, ...rest } = record;
  assert.deepEqual(sealed.decode('c', key, content), rest);
  for (const [collection, other] of [
    ['c', 'l'],
    ['d', 'k'],
  ] as const)
    assert.throws(() => sealed.decode(collection, other, content), /sealed for another place/);
});

test('a value that looks as if it were sealed is only a value', () => {
  const tricky = { key: 'k', value: { sealed: '$sluice$1$00000000$AAAA' }, unique: {}, owners: [] };
  for (const codec of [sealed, new RecordCodec(NO_SEALING)]) {
    const { key, ...rest } = tricky;
    assert.deepEqual(codec.decode('c', key, codec.encode('c', tricky).content), rest);
  }
});

test('the same value has another mark in another index', () => {
  const texts = (collection: string, index: string): readonly string[] =>
    sealed.uniqueTexts(collection, index, 'v');
  const marks = [texts('c', 'i')[0], texts('c', 'j')[0], texts('d', 'i')[0]];
  assert.equal(new Set(marks).size, 3);
  assert.equal(texts('c', 'i').at(-1), 'v');
});
