import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENTITY, fieldsTree, type Issue, pathText } from './issue.ts';

const PATHS: ReadonlyArray<readonly [at: Issue['at'], text: string]> = [
  [[], ''],
  [[ENTITY], ''],
  [['services', 2, 'routes', 0, 'paths', 1], 'services[2].routes[0].paths[1]'],
  [['headers', { key: 'x"a' }, 0], 'headers["x\\"a"][0]'],
  [['services', 0, ENTITY], 'services[0]'],
];
for (const [at, text] of PATHS) test(`path ${text}`, () => assert.equal(pathText(at), text));

const TREES: ReadonlyArray<readonly [name: string, issues: readonly Issue[], tree: unknown]> = [
  ['a field', [{ at: ['a'], message: 'x' }], { a: 'x' }],
  ['the whole', [{ at: [], message: 'x' }], { '@entity': ['x'] }],
  [
    'the first of two',
    [
      { at: ['a'], message: 'x' },
      { at: ['a'], message: 'y' },
    ],
    { a: 'x' },
  ],
  ['holes', [{ at: ['a', 2], message: 'x' }], { a: [null, null, 'x'] }],
  ['a map is reported as a whole', [{ at: ['h', { key: 'k' }, 1], message: 'x' }], { h: [null, 'x'] }],
  [
    'entity messages are a list',
    [
      { at: ['s', 0, ENTITY], message: 'x' },
      { at: ['s', 0, ENTITY], message: 'y' },
    ],
    { s: [{ '@entity': ['x', 'y'] }] },
  ],
  [
    'a message about an entity stays beside those about its fields, whichever comes first',
    [
      { at: ['s', 0], message: 'twice' },
      { at: ['s', 0, 'f'], message: 'x' },
      { at: ['s', 1, 'f'], message: 'x' },
      { at: ['s', 1], message: 'twice' },
    ],
    {
      s: [
        { '@entity': ['twice'], f: 'x' },
        { '@entity': ['twice'], f: 'x' },
      ],
    },
  ],
  [
    'a field named __proto__',
    [{ at: ['__proto__', 'a'], message: 'x' }],
    JSON.parse('{"__proto__":{"a":"x"}}'),
  ],
];
for (const [name, issues, tree] of TREES) {
  test(`tree: ${name}`, () => assert.deepEqual(JSON.parse(JSON.stringify(fieldsTree(issues))), tree));
}
