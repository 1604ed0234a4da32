import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entitiesProblem, kindConflicts } from './entities.ts';

const plans = { name: 'plans', fields: { name: { type: 'string', unique: true } } };
const foreign = (reference: unknown): object => ({ type: 'foreign', reference });

const GOOD: ReadonlyArray<readonly [string, unknown]> = [
  ['none', undefined],
  ['an empty list', []],
  ['one kind', [plans]],
  ['a key', [{ ...plans, endpointKey: 'name' }]],
  ['a kind that refers to one above', [plans, { name: 'offers', fields: { plan: foreign('plans') } }]],
  [
    'references to what the gateway has',
    [{ name: 'offers', fields: { a: foreign('consumers'), b: foreign('routes') } }],
  ],
];

for (const [what, given] of GOOD) {
  test(`a plugin may bring ${what}`, () => {
    assert.equal(entitiesProblem(given, 'mine'), null);
  });
}

const many = (count: number, make: (at: number) => [string, unknown]): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => make(at)));

const BAD: ReadonlyArray<readonly [string, unknown, RegExp]> = [
  ['no list', {}, /entities is no list/],
  ['a list of something', ['plans'], /entities\[0\]: it is no object/],
  ['too many', Array.from({ length: 17 }, (_, n) => ({ name: `k${n}`, fields: {} })), /may bring 16 kinds/],
  ['no name', [{ fields: {} }], /entities\[0\]: the name \(nothing\)/],
  ['a name with capitals', [{ name: 'Plans', fields: {} }], /the name 'Plans' is not of/],
  ['a name of the gateway', [{ name: 'consumers', fields: {} }], /gateway has entities of this name/],
  ['a name of what it keeps', [{ name: 'plugin_entities', fields: {} }], /gateway has entities of this name/],
  ['a path of the Admin API', [{ name: 'config', fields: {} }], /uses this name for something else/],
  ['a field of routes', [{ name: 'paths', fields: {} }], /uses this name for something else/],
  ['two of one name', [plans, plans], /there are two of this name/],
  ['a taken path', [{ ...plans, path: 'key-auths' }], /path: the Admin API has 'key-auths' already/],
  ['a taken nested path', [{ ...plans, nestedPath: 'key-auth' }], /nestedPath: the Admin API has 'key-auth'/],
  ['a path with a slash', [{ ...plans, path: 'a/b' }], /path 'a\/b' is not of/],
  ['no fields', [{ name: 'plans' }], /fields is no object/],
  ['a field of ours', [{ name: 'plans', fields: { tags: {} } }], /fields\.tags: the gateway adds this field/],
  [
    'a name of every object',
    [{ ...plans, name: 'constructor' }],
    /the name 'constructor' is one that every object/,
  ],
  [
    'a path of every object',
    [{ ...plans, path: 'constructor' }],
    /path: 'constructor' is one that every object/,
  ],
  [
    'a field of every object',
    [{ name: 'plans', fields: { constructor: { type: 'string' } } }],
    /fields\.constructor: 'constructor' is one that every object/,
  ],
  ['a field named proto', [{ name: 'plans', fields: { ['__proto__x']: {} } }], /a name is of lower-case/],
  [
    'a field without a type',
    [{ name: 'plans', fields: { a: {} } }],
    /fields\.a: type \(nothing\) is none of/,
  ],
  ['a field of a wrong type', [{ name: 'plans', fields: { a: { type: 'text' } } }], /type 'text' is none of/],
  [
    'too many fields',
    [{ name: 'plans', fields: many(65, (at) => [`f${at}`, { type: 'string' }]) }],
    /may have 64/,
  ],
  [
    'too many unique fields',
    [{ name: 'plans', fields: many(9, (at) => [`f${at}`, { type: 'string', unique: true }]) }],
    /8 may be unique/,
  ],
  ['a unique number', [{ name: 'plans', fields: { a: { type: 'integer', unique: true } } }], /only strings/],
  [
    'a reference to certificates',
    [{ name: 'plans', fields: { a: foreign('certificates') } }],
    /none of consumers,/,
  ],
  ['a reference to nothing', [{ name: 'plans', fields: { a: foreign(undefined) } }], /reference \(nothing\)/],
  [
    'a reference to itself',
    [{ name: 'plans', fields: { a: foreign('plans') } }],
    /reference 'plans' is none of/,
  ],
  [
    'a reference below',
    [
      { name: 'plans', fields: { a: foreign('offers') } },
      { name: 'offers', fields: {} },
    ],
    /'offers'/,
  ],
  [
    'a nested reference',
    [{ name: 'plans', fields: { a: { type: 'record', fields: { b: foreign('routes') } } } }],
    /type 'foreign' is none/,
  ],
  ['a key that is no field', [{ ...plans, endpointKey: 'code' }], /endpointKey 'code' is no field/],
  [
    'a key that is not unique',
    [{ name: 'plans', endpointKey: 'a', fields: { a: { type: 'string' } } }],
    /endpointKey/,
  ],
  ['an owner that is none', [{ ...plans, owner: 'name' }], /owner 'name' is no foreign field/],
  ['together what is none', [{ ...plans, uniqueTogether: ['name', 'x'] }], /uniqueTogether is no list/],
  ['a ttl of false', [{ ...plans, ttl: false }], /ttl is true, or left out/],
  ['checks that do not compile', [{ ...plans, checks: [null] }], /plans: /],
];

for (const [what, given, says] of BAD) {
  test(`a plugin may not bring ${what}`, () => {
    assert.match(entitiesProblem(given, 'mine') ?? 'nothing is wrong', says);
  });
}

test('no two plugins bring one name or path', () => {
  const bring = (name: string, ...entities: object[]): never => ({ name, entities }) as never;
  assert.deepEqual(kindConflicts([bring('a', plans), bring('b', { name: 'offers', fields: {} })]), []);
  assert.deepEqual(
    kindConflicts([bring('a', plans), bring('b', { name: 'offers', path: 'plans', fields: {} })]),
    ["plugin b: entities: offers: plugin a has 'plans' already"],
  );
});
