/** `/schemas` in Kong's shape: facts that clients read, compared with what Kong 3.9 answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMON, describeKind, TEXTS } from '../descriptions/describe.ts';
import { DEFINITIONS } from '../registry.ts';
import type { EntityDefinition, Field, Fields, RouterFlavor } from './field.ts';
import { fieldsOf, printDefinition, type PrintedField, printSchema } from './print.ts';

const FLAVORS: readonly RouterFlavor[] = ['traditional_compatible', 'expressions', 'traditional'];

function definition(kind: string): EntityDefinition {
  const found = DEFINITIONS.find(({ name }) => name === kind);
  assert.ok(found, kind);
  return found;
}

function printed(kind: string, flavor: RouterFlavor = 'traditional_compatible') {
  const { fields, entity_checks } = printDefinition(definition(kind), flavor, describeKind(kind));
  const byName = new Map(fields.map((one) => Object.entries(one)[0] as [string, PrintedField]));
  const field = (name: string): PrintedField => {
    const { description, ...rest } = byName.get(name) ?? {};
    assert.equal(typeof description, 'string', name);
    return rest;
  };
  return { names: [...byName.keys()], field, checks: entity_checks };
}

test('scalars carry what Kong prints of them', () => {
  const { field } = printed('services');
  assert.deepEqual(field('id'), { type: 'string', uuid: true, auto: true });
  assert.deepEqual(field('created_at'), { type: 'integer', timestamp: true, auto: true });
  assert.deepEqual(field('name'), { type: 'string', unique: true });
  assert.deepEqual(field('retries'), { type: 'integer', default: 5, between: [0, 32767] });
  assert.deepEqual(field('path'), {
    type: 'string',
    starts_with: '/',
    match_none: [{ pattern: '//', err: 'must not have empty segments' }],
  });
  assert.deepEqual(field('client_certificate'), { type: 'foreign', reference: 'certificates' });
  assert.deepEqual(field('ca_certificates'), { type: 'array', elements: { type: 'string', uuid: true } });
});

test('references say what happens with their target, and that null is their default', () => {
  const { field } = printed('plugins');
  assert.deepEqual(field('route'), {
    type: 'foreign',
    reference: 'routes',
    default: null,
    on_delete: 'cascade',
  });
  assert.deepEqual(field('config'), { type: 'record', abstract: true, fields: [] });
});

test('lists, maps and patterns, the latter in Lua', () => {
  const { field, checks } = printed('routes');
  const hosts = field('hosts')['elements'] as PrintedField;
  assert.deepEqual(hosts['match_any'], {
    patterns: ['^%*%.', '%.%*$', '^[^*]*$'],
    err: 'invalid wildcard: must be placed at leftmost or rightmost label',
  });
  assert.deepEqual(field('methods')['elements'], { type: 'string', match: '^%u+$' });
  const headers = field('headers');
  assert.equal(headers['type'], 'map');
  assert.deepEqual(headers['values'], { type: 'array', elements: { type: 'string' } });
  const sources = field('sources')['elements'] as PrintedField;
  assert.deepEqual(sources['entity_checks'], [{ at_least_one_of: ['ip', 'port'] }]);
  assert.equal(sources['required'], undefined);
  assert.deepEqual((checks[0] as { conditional: unknown }).conditional, {
    if_field: 'protocols',
    if_match: { elements: { type: 'string', not_one_of: ['grpcs', 'https', 'tls', 'tls_passthrough'] } },
    then_field: 'snis',
    then_match: { len_eq: 0 },
    then_err: "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
  });
});

test('the flavour decides which fields routes have', () => {
  assert.ok(!printed('routes').names.includes('expression'));
  const { field } = printed('routes', 'expressions');
  assert.deepEqual(field('expression'), { type: 'string' });
  assert.deepEqual(field('priority'), {
    type: 'integer',
    required: true,
    default: 0,
    between: [0, 2 ** 46 - 1],
  });
});

test('records are required, and those of health checks have their whole default', () => {
  const { field, checks } = printed('upstreams');
  const healthchecks = field('healthchecks');
  assert.equal(healthchecks['required'], true);
  const { active, passive } = healthchecks['default'] as Record<string, Record<string, unknown>>;
  assert.deepEqual(active?.['healthy'], { interval: 0, http_statuses: [200, 302], successes: 0 });
  assert.equal(active?.['timeout'], 1);
  assert.ok(!('https_sni' in (active ?? {})));
  assert.deepEqual(passive?.['unhealthy'], {
    http_statuses: [429, 500, 503],
    tcp_failures: 0,
    timeouts: 0,
    http_failures: 0,
  });
  assert.deepEqual(checks[0], {
    conditional: {
      if_field: 'hash_on',
      if_match: { match: '^header$' },
      then_field: 'hash_on_header',
      then_match: { required: true },
    },
  });
  assert.equal(printed('keys').field('pem')['required'], false);
});

test("a vault's own schema", () => {
  const env = definition('vaults').subschemas?.get('env');
  assert.ok(env);
  const { fields } = printSchema(env.fields, env.entity_checks, () => undefined);
  assert.deepEqual(fields, [
    {
      config: {
        type: 'record',
        required: true,
        fields: [{ prefix: { type: 'string', match: '^[%a_-][%a%d_-]*$' } }],
      },
    },
  ]);
});

test('every kind prints as JSON, with nothing lost on the way', () => {
  for (const one of DEFINITIONS) {
    for (const flavor of FLAVORS) {
      const schema = printDefinition(one, flavor, describeKind(one.name));
      assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema, one.name);
    }
  }
});

/** Path of each field, and the sentence that its own schema has for it. */
type Paths = Array<readonly [path: string, own: string | undefined]>;

function pathsOf(fields: Fields, prefix = ''): Paths {
  const paths: Paths = [];
  for (const [name, field] of Object.entries(fields)) {
    paths.push([`${prefix}${name}`, field.description], ...below(field, `${prefix}${name}`));
  }
  return paths;
}

function below(field: Field, path: string): Paths {
  if (field.type === 'record') return pathsOf(field.fields, `${path}.`);
  const isList = field.type === 'array' || field.type === 'set';
  return isList && field.elements.type === 'record' ? pathsOf(field.elements.fields, `${path}[].`) : [];
}

test('every field has a sentence, and no sentence is about nothing', () => {
  const used = new Set<string>();
  for (const one of DEFINITIONS) {
    const describe = describeKind(one.name);
    const variants = [...(one.subschemas?.values() ?? [])].map(({ fields }) => fields);
    const paths = [...FLAVORS.map((flavor) => fieldsOf(one, flavor)), ...variants].flatMap((f) => pathsOf(f));
    if (one.ttl === true) paths.push(['ttl', undefined]);
    for (const [path, own] of paths) {
      assert.match(own ?? describe(path) ?? '', /^[A-Z`].*\.$/, `${one.name}: ${path}`);
      used.add(`${one.name}: ${path}`);
    }
  }
  for (const [kind, texts] of Object.entries(TEXTS)) {
    for (const path of Object.keys(texts)) assert.ok(used.has(`${kind}: ${path}`), `${kind}: ${path}`);
  }
  assert.ok(Object.keys(COMMON).length > 0);
});
