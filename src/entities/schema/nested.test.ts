/** What nested records have of their own: values that are made when missing, and older names of fields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntityDefinition } from './field.ts';
import { printDefinition } from './print.ts';
import { EntityValidator } from './validate.ts';

const definition = {
  name: 'things',
  fields: {
    config: {
      type: 'record',
      fields: {
        key: { type: 'string', required: true, auto: true },
        idle: { type: 'number', default: 900 },
        site: { type: 'string', one_of: ['Strict', 'Lax'], default: 'Strict' },
      },
      shorthand_fields: {
        old_idle: { type: 'number', expand: (idle) => ({ idle }) },
        old_site: { type: 'string', expand: (site) => ({ site: site === 'off' ? 'Lax' : site }) },
        gone: { type: 'number', expand: () => null },
      },
    },
  },
} as const satisfies EntityDefinition;

const context = { flavor: 'traditional_compatible', now: 1 } as const;

test('a nested value is generated, a given one stays', () => {
  const validator = new EntityValidator(definition);
  const made = validator.validate({ input: {} }, context).entity?.['config'] as { key: string };
  assert.match(made.key, /^[A-Za-z0-9]{32}$/);
  const given = validator.validate({ input: { config: { key: 'mine' } } }, context).entity;
  assert.deepEqual(given?.['config'], { key: 'mine', idle: 900, site: 'Strict' });
});

test('older names stand for newer ones', () => {
  const validator = new EntityValidator(definition);
  const config = (input: object): unknown =>
    validator.validate({ input: { config: { key: 'k', ...input } } }, context);
  assert.deepEqual(config({ old_idle: 5, old_site: 'off', gone: 1 }), {
    entity: { config: { key: 'k', idle: 5, site: 'Lax' } },
    issues: null,
  });
  assert.deepEqual(config({ old_idle: null, idle: 7 }), {
    entity: { config: { key: 'k', idle: 7, site: 'Strict' } },
    issues: null,
  });
  for (const [input, at, message] of [
    [{ old_idle: 'x' }, ['config', 'old_idle'], 'expected a number'],
    [{ old_site: 'no' }, ['config', 'site'], 'expected one of: Strict, Lax'],
    [{ older: 1 }, ['config', 'older'], 'unknown field'],
  ] as const) {
    assert.deepEqual(config(input), { entity: null, issues: [{ at, message }] });
  }
});

test('they are printed as Kong prints them', () => {
  const printed = printDefinition(definition, 'traditional_compatible', () => undefined);
  const [{ config }] = printed.fields as unknown as [{ config: { shorthand_fields: unknown } }];
  assert.deepEqual(config.shorthand_fields, [
    { old_idle: { type: 'number' } },
    { old_site: { type: 'string' } },
    { gone: { type: 'number' } },
  ]);
});
