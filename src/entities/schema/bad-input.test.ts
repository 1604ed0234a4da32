/**
 * Bad input for every field of every kind. Two parts: rules that can be read from the descriptions (types, bounds,
 * nulls), each with Kong's exact words; and anything at all, which must neither throw nor be half accepted.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { schemaViolation } from '../../store/errors.ts';
import * as pem from '../pem.fixture.ts';
import { DEFINITIONS } from '../registry.ts';
import type { CheckContext, Field, Fields, RouterFlavor, Values } from './field.ts';
import type { Issue, Segment } from './issue.ts';
import { MESSAGES } from './messages.ts';
import { fieldsOf } from './print.ts';
import { EntityValidator } from './validate.ts';
import '../../../test/support/fixed-seed.ts';

const NOW = 1_700_000_000;
const one = { id: '11111111-2222-4333-8444-555555555555' };
const owned = { consumer: one };

/** The least that each kind needs. */
const SAMPLES: Readonly<Record<string, Values>> = {
  workspaces: { name: 'w' },
  consumers: { username: 'u' },
  consumer_groups: { name: 'g' },
  consumer_group_consumers: { consumer: one, consumer_group: one },
  certificates: { cert: '{vault://env/cert}', key: '{vault://env/key}' },
  ca_certificates: { cert: pem.EC_CA_CERT },
  vaults: { name: 'env', prefix: 'my-env' },
  key_sets: { name: 'k' },
  keys: { kid: '1', jwk: '{vault://env/jwk}' },
  snis: { name: 'a.com', certificate: one },
  services: { host: 'a.com', protocol: 'https' },
  upstreams: { name: 'up.com' },
  routes: { paths: ['/a'] },
  targets: { target: 'a.com:80', upstream: one },
  plugins: { name: 'zipkin' },
  filter_chains: { route: one, filters: [{ name: 'f' }] },
  acls: { ...owned, group: 'g' },
  basicauth_credentials: { ...owned, username: 'u', password: 'p' },
  hmacauth_credentials: { ...owned, username: 'u' },
  jwt_secrets: owned,
  keyauth_credentials: owned,
  mtls_auth_credentials: { ...owned, subject_name: 'a.test' },
  oauth2_credentials: { ...owned, name: 'app' },
  oauth2_tokens: { credential: one, expires_in: 1 },
};

interface Spot {
  readonly kind: string;
  readonly flavor: RouterFlavor;
  /** From the entity to the field; a number is an element of a list. */
  readonly path: ReadonlyArray<string | number>;
  readonly field: Field;
}

function spotsBelow(spot: Spot): Spot[] {
  const { field, path } = spot;
  if (field.type === 'record') return spotsOf(spot, field.fields);
  if (!('elements' in field)) return [];
  const element = { ...spot, path: [...path, 0], field: { ...field.elements, required: true } as Field };
  return [element, ...spotsBelow(element)];
}

function spotsOf(at: Omit<Spot, 'field'>, fields: Fields): Spot[] {
  const spots: Spot[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const spot: Spot = { ...at, path: [...at.path, name], field };
    spots.push(spot, ...spotsBelow(spot));
  }
  return spots;
}

const validators = new Map(
  DEFINITIONS.map((definition) => [definition.name, new EntityValidator(definition)]),
);

/** With the flavour in which a route may have all of its fields. */
const SPOTS: readonly Spot[] = DEFINITIONS.flatMap((definition) => {
  const flavor = definition.name === 'routes' ? 'expressions' : 'traditional_compatible';
  return spotsOf({ kind: definition.name, flavor, path: [] }, fieldsOf(definition, flavor));
});

function validate(kind: string, input: Values, flavor: RouterFlavor = 'traditional_compatible') {
  const context: CheckContext = { flavor, now: NOW };
  const validator = validators.get(kind);
  assert.ok(validator, kind);
  return validator.validate({ input }, context);
}

function put(path: Spot['path'], value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  const inner = put(rest, value);
  return typeof first === 'number' ? [inner] : { [first]: inner };
}

/** A fallback is possible only with something to fall back from, which in turn decides the algorithm. */
const HASHED = { hash_on: 'header', hash_on_header: 'x-a' };

/** The sample with the value in the field. */
function withValue({ kind, path }: Spot, value: unknown): Values {
  const more = path[0] === 'hash_fallback' ? HASHED : {};
  return { ...SAMPLES[kind], ...more, ...(put(path, value) as Values) };
}

/** What is said of the field itself. */
function said(spot: Spot, value: unknown): string[] {
  const { issues } = validate(spot.kind, withValue(spot, value), spot.flavor);
  return (issues ?? []).filter(({ at }) => sameWay(at, spot.path)).map(({ message }) => message);
}

function sameWay(at: readonly Segment[], path: Spot['path']): boolean {
  return at.length === path.length && at.every((segment, index) => segment === path[index]);
}

const nameOf = ({ kind, path }: Spot): string => `${kind}.${path.join('.')}`;

const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  string: [1, true, [], ['a'], {}, { a: 1 }],
  integer: ['1', true, [], {}, 1.5, Infinity],
  number: ['1', true, [], {}],
  boolean: ['true', 1, [], {}],
  array: ['a', 1, true, { a: 1 }],
  set: ['a', 1, true, { a: 1 }],
  map: ['a', 1, true, ['a']],
  record: ['a', 1, true, ['a']],
  foreign: ['a', 1, true, []],
};

const EXPECTED: Readonly<Record<string, string>> = { ...MESSAGES, foreign: MESSAGES.record };

test('every kind has a sample, and it is valid', () => {
  assert.deepEqual(Object.keys(SAMPLES).toSorted(), DEFINITIONS.map(({ name }) => name).toSorted());
  for (const [kind, sample] of Object.entries(SAMPLES))
    assert.deepEqual(validate(kind, sample).issues, null, kind);
});

describe('what the description of a field says', () => {
  test('wrong types', () => {
    for (const spot of SPOTS) {
      for (const value of WRONG[spot.field.type] ?? []) {
        assert.deepEqual(
          said(spot, value),
          [EXPECTED[spot.field.type]],
          `${nameOf(spot)}: ${JSON.stringify(value)}`,
        );
      }
    }
  });

  test('nulls and missing values', () => {
    for (const spot of SPOTS) {
      const { field } = spot;
      // Chosen by the entity itself: a default counts only when nothing is said, and a vault's kind has its own record.
      const ofVariant = ['routes.protocols', 'vaults.config'].includes(nameOf(spot));
      const never =
        field.required === true ||
        (field.type === 'record' && field.required !== false && !isAbstract(field));
      const refused = (never && field.auto !== true) || ofVariant;
      assert.deepEqual(said(spot, null), refused ? [MESSAGES.required] : [], nameOf(spot));
    }
  });

  test('bounds of numbers', () => {
    for (const spot of SPOTS) {
      if (!('between' in spot.field) || spot.field.between === undefined) continue;
      const [low, high] = spot.field.between;
      for (const value of [low, high]) assert.deepEqual(said(spot, value), [], nameOf(spot));
      for (const value of [low - 1, high + 1, -(2 ** 60), 2 ** 60]) {
        assert.deepEqual(said(spot, value), [`value should be between ${low} and ${high}`], nameOf(spot));
      }
    }
  });

  test('choices, ids, timestamps and empty strings', () => {
    for (const spot of SPOTS) {
      const { field } = spot;
      if (field.type === 'string' && field.one_of !== undefined) {
        // An unknown first protocol is said of the list.
        const wanted = isFirstProtocol(spot) ? [] : [`expected one of: ${field.one_of.join(', ')}`];
        assert.deepEqual(said(spot, 'nonsense'), wanted, nameOf(spot));
        for (const value of field.one_of) assert.deepEqual(said(spot, value), [], nameOf(spot));
      } else if (field.type === 'string' && field.uuid === true) {
        for (const value of ['', 'x', `${one.id}0`, one.id.replace('1', 'g')]) {
          assert.deepEqual(said(spot, value), [MESSAGES.uuid], nameOf(spot));
        }
      } else if (field.type === 'string' && !isKeyOfVariant(spot)) {
        assert.deepEqual(said(spot, ''), ['length must be at least 1'], nameOf(spot));
      }
      if ('timestamp' in field && field.timestamp) {
        for (const value of [0, -1]) assert.deepEqual(said(spot, value), [MESSAGES.timestamp], nameOf(spot));
      }
    }
  });

  test('unknown fields, wherever they are', () => {
    for (const name of ['nonsense', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '']) {
      const bad = JSON.parse(`{${JSON.stringify(name)}: {"polluted": true}}`) as Values;
      for (const kind of Object.keys(SAMPLES)) {
        const { issues } = validate(
          kind,
          Object.assign(Object.create(null) as object, SAMPLES[kind], own(bad)),
        );
        assert.deepEqual(issues, [{ at: [name], message: MESSAGES.unknown }], `${kind}: ${name}`);
      }
      for (const spot of SPOTS.filter(({ field }) => field.type === 'record' && !isAbstract(field))) {
        const { issues } = validate(spot.kind, withValue(spot, bad), spot.flavor);
        const wanted = [...spot.path, name];
        assert.ok(
          issues?.some(({ at, message }) => sameWay(at, wanted) && message === MESSAGES.unknown),
          `${nameOf(spot)}: ${name}`,
        );
      }
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
});

function isFirstProtocol(spot: Spot): boolean {
  return nameOf(spot) === 'routes.protocols.0';
}

function isAbstract(field: Field): boolean {
  return field.type === 'record' && field.abstract === true;
}

function isKeyOfVariant({ kind, path }: Spot): boolean {
  return ['plugins.name', 'vaults.name'].includes(`${kind}.${path.join('.')}`);
}

/** Own properties by definition, not by assignment, which would set a prototype. */
function own(values: Values): object {
  return Object.defineProperties(Object.create(null) as object, Object.getOwnPropertyDescriptors(values));
}

const HOSTILE = [
  '\u0000',
  '\ud800',
  'a\udc00b',
  '\u202e\u2066evil',
  '\ufeff',
  '%',
  '%zz',
  '{vault://}',
  '{vault://env/x}',
  '/../..',
  '~/(',
  '~/(a+)+$',
  '__proto__',
  'constructor',
  '*.*.*',
  '[::1',
  '999.999.999.999',
  'a'.repeat(100_000),
  `${'a'.repeat(50_000)}**`,
  '*'.repeat(50_000),
  '/'.repeat(50_000),
  `/${'%41'.repeat(20_000)}`,
  ':'.repeat(50_000),
  `http://${'a@'.repeat(20_000)}`,
  '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
  `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(50_000)}\n-----END PRIVATE KEY-----`,
];

const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(0, -0, -1, 1e308, -1e308, 2 ** 53, 0.1, true, false, null),
  fc.constantFrom<unknown>([], {}, [[]], [null], [{}], [[[[]]]], { a: { b: {} } }, { id: null }, { id: one }),
  fc.array(fc.constantFrom<unknown>(...HOSTILE.slice(0, 14), 1, null), { maxLength: 4 }),
  fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'id', 'x-a', 'host', '\u0000'), fc.jsonValue(), {
    noNullPrototype: true,
  }),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Neither threw nor half accepted: a valid entity stays what it is, an error can be answered. */
function judge(kind: string, input: Values, flavor: RouterFlavor): void {
  const { entity, issues } = validate(kind, input, flavor);
  if (issues !== null) return judgeIssues(issues);
  const stored = JSON.parse(JSON.stringify(entity)) as Values;
  assert.deepEqual(stored, entity, 'nothing of it is lost as JSON');
  const again = validate(kind, stored, flavor);
  assert.deepEqual(again.issues, null);
  assert.deepEqual(again.entity, entity, 'to write what was read changes nothing');
}

function judgeIssues(issues: readonly Issue[]): void {
  assert.ok(issues.length > 0);
  for (const { message } of issues) {
    assert.ok(message.length > 0);
    assert.doesNotMatch(message, /undefined|\[object|TypeError|RangeError|\n\s+at /);
  }
  const body = schemaViolation(issues).toBody();
  const answer = JSON.parse(JSON.stringify(body)) as Values;
  assert.deepEqual([answer['code'], answer['name']], [2, 'schema violation']);
  assert.match(String(answer['message']), /^(?:schema violation \(|\d+ schema violations \()/);
}

describe('anything at all', () => {
  test('hostile texts in every field', () => {
    for (const spot of SPOTS) {
      for (const value of HOSTILE) judge(spot.kind, withValue(spot, value), spot.flavor);
    }
  });

  test('any value in any field', () => {
    const spots = fc.constantFrom(...SPOTS);
    const property = fc.property(spots, anything, (spot, value) =>
      judge(spot.kind, withValue(spot, value), spot.flavor),
    );
    fc.assert(property, { numRuns: 20_000 });
  });

  test('several fields at once, in every flavour', () => {
    const property = fc.property(
      fc.constantFrom(...DEFINITIONS),
      fc.constantFrom<RouterFlavor>('traditional_compatible', 'expressions', 'traditional'),
      fc.array(fc.tuple(fc.nat(), anything), { maxLength: 6 }),
      ({ name, fields }, flavor, values) => {
        const names = Object.keys(fields);
        const some = values.map(([n, value]) => [names[n % names.length], value]);
        judge(name, { ...SAMPLES[name], ...(Object.fromEntries(some) as Values) }, flavor);
      },
    );
    fc.assert(property, { numRuns: 5000 });
  });
});
