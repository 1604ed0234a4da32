/** Consumer groups in a file: Kong Enterprise's flat memberships, and decK's lists on either side. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileDeclarative } from './compile.ts';
import { collectItems } from './items.ts';
import { Problems } from './problems.ts';
import { References } from './references.ts';

function read(file: Readonly<Record<string, unknown>>) {
  const problems = new Problems();
  const items = collectItems(file, problems);
  const references = new References(items, problems);
  const members = (items.get('consumer_group_consumers') ?? []).map((item) => ({
    id: item.id,
    references: references.resolve(item),
  }));
  return { problems, items, members };
}

const consumers = [{ username: 'ann' }, { username: 'bob' }];

test('all forms give the same memberships', () => {
  const forms = [
    { consumers, consumer_groups: [{ name: 'gold', consumers: [{ username: 'bob' }] }] },
    { consumers, consumer_groups: [{ name: 'gold', consumers: ['bob'] }] },
    {
      consumers: [{ username: 'ann' }, { username: 'bob', groups: [{ name: 'gold' }] }],
      consumer_groups: [{ name: 'gold' }],
    },
    {
      consumers,
      consumer_groups: [{ name: 'gold' }],
      consumer_group_consumers: [{ consumer: 'bob', consumer_group: 'gold' }],
    },
    { consumers, consumer_groups: [{ name: 'gold', consumer_group_consumers: [{ consumer: 'bob' }] }] },
  ];
  const found = forms.map((form) => {
    const { members, problems } = read(form);
    assert.equal(problems.count, 0);
    return members.map(({ id, references }) => ({ id, references }));
  });
  assert.equal(found[0]?.length, 1);
  for (const one of found) assert.deepEqual(one, found[0]);
});

test('a membership that both sides name is one; one that a side names twice is an error', () => {
  const both = read({
    consumers: [{ username: 'bob', groups: [{ name: 'gold' }, { name: 'silver' }] }],
    consumer_groups: [{ name: 'gold', consumers: [{ username: 'bob' }] }, { name: 'silver' }],
  });
  assert.equal(both.problems.count, 0);
  assert.equal(both.members.length, 2);
  const twice = read({
    consumers,
    consumer_groups: [{ name: 'gold', consumers: ['bob', { username: 'bob' }] }],
  });
  assert.equal(twice.problems.count, 1);
});

test('what is wrong is said at its place', () => {
  const head = { _format_version: '3.0', consumers };
  const lines = (groups: unknown): string[] => {
    const text = JSON.stringify({ ...head, consumer_groups: groups });
    const options = { filename: 'kong.json', flavor: 'traditional_compatible', now: 1_700_000_000 } as const;
    const result = compileDeclarative(text, options);
    assert.ok(!result.ok);
    return result.errors.map(({ path, message }) => `${path}: ${message}`);
  };
  assert.deepEqual(lines([{ name: 'gold', consumers: ['eve'] }]), [
    "consumer_groups[0].consumers[0].consumer: invalid reference 'consumer: eve' (no such entry in 'consumers')",
  ]);
  assert.deepEqual(lines([{ name: 'gold', consumers: [7] }]), [
    'consumer_groups[0].consumers[0]: expected a record',
  ]);
  assert.deepEqual(lines([{ consumers: 'bob' }]), [
    'consumer_groups[0].name: required field missing',
    'consumer_groups[0].consumers: expected an array',
  ]);
});

test('plugins stand in a group, and each group may have its own', () => {
  const { items, problems } = read({
    consumer_groups: [
      { name: 'gold', plugins: [{ name: 'cors' }] },
      { name: 'silver', plugins: [{ name: 'cors' }] },
    ],
    plugins: [{ name: 'cors' }],
  });
  assert.equal(problems.count, 0);
  const plugins = items.get('plugins') ?? [];
  assert.equal(new Set(plugins.map(({ id }) => id)).size, 3);
});
