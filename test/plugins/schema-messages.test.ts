/** What is wrong with configurations of acl, cors and ip-restriction, in Kong 3.9's words (its schema tests). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginProblems } from '../support/plugins.ts';

const METHODS = 'GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT';

type Wrong = ReadonlyArray<readonly [at: string, message: string]>;

const LISTS = "'config.allow', 'config.deny'";

const CASES: ReadonlyArray<readonly [name: string, config: object, wrong: Wrong]> = [
  ['acl', { allow: ['a'] }, []],
  ['acl', { deny: ['a'], hide_groups_header: true }, []],
  [
    'acl',
    {},
    [
      ['@entity', `exactly one of these fields must be non-empty: ${LISTS}`],
      ['@entity', `at least one of these fields must be non-empty: ${LISTS}`],
    ],
  ],
  [
    'acl',
    { allow: ['a'], deny: ['b'] },
    [['@entity', `exactly one of these fields must be non-empty: ${LISTS}`]],
  ],
  ['acl', { allow: 'a' }, [['config.allow', 'expected an array']]],
  ['acl', { allow: [1] }, [['config.allow.1', 'expected a string']]],
  ['acl', { allow: ['a'], whitelist: ['b'] }, [['config.whitelist', 'unknown field']]],
  ['acl', { allow: ['a'], hide_groups_header: 'yes' }, [['config.hide_groups_header', 'expected a boolean']]],
  ['cors', {}, []],
  ['cors', { origins: ['*'] }, []],
  ['cors', { origins: ['http://*.example.com', 'https://a[0-9]+\\.b'] }, []],
  ['cors', { origins: ['../(*re'] }, [['config.origins.1', "'../(*re' is not a valid regex"]]],
  ['cors', { origins: 'x' }, [['config.origins', 'expected an array']]],
  ['cors', { methods: ['GET', 'NOPE'] }, [['config.methods.2', `expected one of: ${METHODS}`]]],
  ['cors', { max_age: 'long' }, [['config.max_age', 'expected a number']]],
  ['cors', { credentials: 1 }, [['config.credentials', 'expected a boolean']]],
  ['ip-restriction', { allow: ['127.0.0.1', '10.0.0.0/8', '::1', 'fe80::/10'] }, []],
  ['ip-restriction', { allow: ['127.0.0.1'], deny: ['10.0.0.1'] }, []],
  ['ip-restriction', {}, [['@entity', `at least one of these fields must be non-empty: ${LISTS}`]]],
  ['ip-restriction', { allow: ['hello'] }, [['config.allow.1', "invalid ip or cidr range: 'hello'"]]],
  [
    'ip-restriction',
    { deny: ['127.0.0.1', '10.0.0.0/33', '300.1.1.1'] },
    [
      ['config.deny.2', "invalid ip or cidr range: '10.0.0.0/33'"],
      ['config.deny.3', "invalid ip or cidr range: '300.1.1.1'"],
    ],
  ],
  ['ip-restriction', { allow: 'hello' }, [['config.allow', 'expected an array']]],
  [
    'ip-restriction',
    { deny: ['10.0.0.1'], status: 100 },
    [['config.status', 'value should be between 200 and 599']],
  ],
];

interface Issue {
  readonly at: ReadonlyArray<string | number>;
  readonly message: string;
}

for (const [name, config, wrong] of CASES) {
  test(`${name} ${JSON.stringify(config)}`, () => {
    const issues = (JSON.parse(pluginProblems({ name, config })) ?? []) as Issue[];
    // Elements are counted from 1, as Lua does.
    const told = issues.map(({ at, message }) => [
      at.map((part) => (typeof part === 'number' ? part + 1 : part)).join('.'),
      message,
    ]);
    // Where a field is wrong, Kong tells with it what follows for the entity.
    const ofEntity = wrong.some(([at]) => at === '@entity');
    assert.deepEqual(
      told.filter(([at]) => ofEntity || at !== '@entity'),
      wrong,
    );
  });
}
