import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntityDefinition } from './schema/field.ts';
import { mapSecrets, maskSecrets, secretFields } from './secrets.ts';

const secret = { type: 'string', secret: true } as const;
const definition: EntityDefinition = {
  name: 'things',
  fields: {
    id: { type: 'string' },
    key: secret,
    pem: { type: 'record', fields: { private: secret, public: { type: 'string' } } },
    keys: { type: 'array', elements: secret },
    named: { type: 'map', keys: { type: 'string' }, values: secret },
    clients: { type: 'set', elements: { type: 'record', fields: { name: { type: 'string' }, secret } } },
  },
};

const entity = {
  id: 'x',
  key: 'a',
  pem: { private: 'b', public: 'p' },
  keys: ['c', '{vault://env/d}'],
  named: { one: 'e', '*': 'f' },
  clients: [
    { name: 'n', secret: 'g' },
    { name: 'm', secret: null },
  ],
};

test('secrets are found wherever they stand, also in lists and maps', () => {
  assert.deepEqual(secretFields(definition), [
    ['key'],
    ['pem', 'private'],
    ['keys', '*'],
    ['named', '*'],
    ['clients', '*', 'secret'],
  ]);
  assert.deepEqual(
    mapSecrets(definition, entity, (value) => `<${value}>`),
    {
      id: 'x',
      key: '<a>',
      pem: { private: '<b>', public: 'p' },
      keys: ['<c>', '<{vault://env/d}>'],
      named: { one: '<e>', '*': '<f>' },
      clients: [
        { name: 'n', secret: '<g>' },
        { name: 'm', secret: null },
      ],
    },
  );
  assert.deepEqual(maskSecrets(definition, entity)['keys'], ['******', '{vault://env/d}']);
});

test('what does not change is the very same', () => {
  assert.equal(
    mapSecrets(definition, entity, (value) => value),
    entity,
  );
  const odd = { id: 'x', keys: 'no list', named: 5, clients: [null, 3] };
  assert.equal(
    mapSecrets(definition, odd, () => 'z'),
    odd,
  );
});
