import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntityValidator } from './schema/validate.ts';
import { priorityOf, targets } from './target.ts';

const validator = new EntityValidator(targets);
const problems = (tags: readonly string[]): string => {
  const input = { target: 'a.test:80', upstream: { id: '11111111-1111-4111-8111-111111111111' }, tags };
  const { issues } = validator.validate({ input }, { flavor: 'traditional_compatible', now: 1 });
  return JSON.stringify(issues ?? null);
};

const GOOD: ReadonlyArray<readonly [tags: readonly string[] | null, priority: number]> = [
  [null, 0],
  [[], 0],
  [['eu', 'Priority:3', 'my-priority:4'], 0],
  [['priority:0'], 0],
  [['eu', 'priority:1'], 1],
  [['priority:99'], 99],
  [['priority:1', 'priority:2'], 2],
];

for (const [tags, priority] of GOOD) {
  test(`tags ${JSON.stringify(tags)}: priority ${priority}`, () => {
    assert.equal(problems(tags ?? []), 'null');
    assert.equal(priorityOf(tags), priority);
  });
}

for (const tag of ['', 'high', '-1', '01', '1.5', '100', ' 1', '1 ', '0x1', '1e1', 'N']) {
  test(`'priority:${tag}' is refused: it would put a spare target in front`, () => {
    assert.match(
      problems([`priority:${tag}`]),
      /'priority:N' says which targets are used first: N is an integer from 0 to 99/,
    );
    assert.equal(priorityOf([`priority:${tag}`]), 0, 'of a configuration that was stored before');
  });
}
