/** What modules are plugins of `kong-pdk`, their schemas, and that no call of its declarations is forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathText } from '../../entities/schema/issue.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import type { Fields } from '../../entities/schema/field.ts';
import { adaptKongPdk } from './adapt.ts';
import { fieldsOf } from './fields.ts';
import { luaPattern } from './lua-pattern.ts';
import { METHODS } from './methods.ts';

class Plugin {
  access(): void {}
}

test('what is no such module is left to others', () => {
  for (const exported of [undefined, null, 1, 'x', {}, [], { Plugin: 1 }, () => 1, { plugin: Plugin }]) {
    assert.equal(adaptKongPdk(exported, 'x'), null);
  }
});

test('name, priority, version and phases', () => {
  class Child extends Plugin {
    log(): void {}
  }
  const made = adaptKongPdk({ Plugin: Child, Name: 'Other', Priority: 7, Version: '1.2.3' }, 'file');
  assert.deepEqual([made?.name, made?.priority, made?.version, made?.config], ['other', 7, '1.2.3', {}]);
  const plain = adaptKongPdk({ Plugin }, 'file');
  assert.deepEqual([plain?.name, plain?.priority, plain?.version], ['file', 0, '0.0.0']);
  const wrong: ReadonlyArray<readonly [object, RegExp]> = [
    [{ Plugin: Map }, /none of the methods certificate, rewrite, access, response, preread, log/],
    [{ Plugin, Name: 1 }, /Name must be a string/],
    [{ Plugin, Priority: '1' }, /Priority must be a number/],
    [{ Plugin, Priority: Number.NaN }, /Priority must be a number/],
    [{ Plugin, Version: 1 }, /Version must be a string/],
    [{ Plugin, Schema: {} }, /Schema must be a list of fields/],
  ];
  for (const [module, message] of wrong) assert.throws(() => adaptKongPdk(module, 'x'), message);
});

const REFUSED: ReadonlyArray<readonly [schema: unknown, message: RegExp]> = [
  [[1], /Schema\[0\] must be an object with one name/],
  [[{}], /Schema\[0\]/],
  [[{ a: { type: 'string' }, b: { type: 'string' } }], /Schema\[0\]/],
  [[{ a: 1 }], /Schema\.a must be a field/],
  [[{ a: {} }], /Schema\.a: type undefined is none of string/],
  [[{ a: { type: 'foreign', reference: 'services' } }], /type "foreign" is none of/],
  [[{ a: { type: 'string', custom_validator: 'x' } }], /Sluice does not know 'custom_validator' of a string/],
  [[{ a: { type: 'boolean', one_of: [true] } }], /does not know 'one_of' of a boolean/],
  [[{ a: { type: 'array' } }], /Schema\.a\.elements must be a field/],
  [[{ a: { type: 'map', keys: { type: 'string' } } }], /Schema\.a\.values must be a field/],
  [[{ a: { type: 'record', fields: [{ b: { type: 'x' } }] } }], /Schema\.a\.b: type "x"/],
  [[{ a: { type: 'string', match: '%bxy' } }], /'%b' of a pattern is not supported/],
];

test('what a schema says that is not known is refused, with its place', () => {
  for (const [schema, message] of REFUSED) assert.throws(() => fieldsOf(schema), message);
  let deep: unknown = [];
  for (let depth = 0; depth < 40; depth++) deep = [{ a: { type: 'record', fields: deep } }];
  assert.throws(() => fieldsOf(deep), /more than 16 fields in each other/);
});

const SCHEMA = [
  { message: { type: 'string', default: 'hi', len_max: 5 } },
  { level: { type: 'string', one_of: ['a', 'b'], required: true } },
  { times: { type: 'integer', between: [1, 3] } },
  { tags: { type: 'set', elements: { type: 'string', match: '^%l+$' } } },
  { limits: { type: 'map', keys: { type: 'string' }, values: { type: 'number', gt: 0 } } },
  { nested: { type: 'record', fields: [{ on: { type: 'boolean', default: true } }] } },
];

test('a schema in Kong’s words validates as with Kong', () => {
  const fields: Fields = { id: { type: 'string', uuid: true, auto: true }, ...fieldsOf(SCHEMA) };
  const validator = new EntityValidator({ name: 'test', fields });
  const run = (input: Readonly<Record<string, unknown>>): unknown => {
    const { entity, issues } = validator.validate({ input }, { flavor: 'traditional_compatible', now: 1 });
    return issues === null
      ? { ...entity, id: undefined }
      : issues.map(({ at, message }) => `${pathText(at)}: ${message}`);
  };
  assert.deepEqual(run({ level: 'a' }), {
    id: undefined,
    message: 'hi',
    level: 'a',
    times: null,
    tags: null,
    limits: null,
    nested: { on: true },
  });
  const wrong = { message: 'too long', times: 4, tags: ['A'], limits: { a: 0 }, nested: { on: 1, off: 2 } };
  assert.deepEqual(run(wrong), [
    'message: length must be at most 5',
    'level: required field missing',
    'times: value should be between 1 and 3',
    'tags[0]: invalid value: A',
    'limits["a"]: value must be greater than 0',
    'nested.on: expected a boolean',
    'nested.off: unknown field',
  ]);
});

const PATTERNS: ReadonlyArray<readonly [pattern: string, yes: readonly string[], no: readonly string[]]> = [
  ['^%a+$', ['abc'], ['a1', '']],
  ['^%d%d?$', ['1', '12'], ['123', 'a']],
  ['^[%w_%-]+$', ['a_b-1'], ['a b']],
  ['^[^%s]+$', ['ab'], ['a b']],
  ['^%S+$', ['ab'], ['a b']],
  ['a.-b', ['axxb'], ['ba']],
  ['%.', ['a.b'], ['ab']],
  ['^a/b|c{2}$', ['a/b|c{2}'], ['a/b']],
  ['^(a)(b)$', ['ab'], ['a']],
  ['[]]', [']'], ['a']],
  ['[a-c]', ['b'], ['d', '-']],
  ['[a-]', ['-'], ['b']],
  ['$x', ['$x'], ['x']],
];

test('patterns of Lua', () => {
  for (const [pattern, yes, no] of PATTERNS) {
    const made = luaPattern(pattern, 'x');
    for (const text of yes) assert.match(text, made, pattern);
    for (const text of no) assert.doesNotMatch(text, made, pattern);
  }
  for (const pattern of ['%f[a]', '(a)%1', '[a', '[%A]', 'a%'])
    assert.throws(() => luaPattern(pattern, 'x'), TypeError);
});

/** kong-pdk 0.6's declarations, group by group. */
const DECLARED: Readonly<Record<string, string>> = {
  client:
    'authenticate authenticateConsumerGroupByConsumerId getConsumer getConsumerGroup getConsumerGroups getCredential getForwardedIp getForwardedPort getIp getPort getProtocol loadConsumer setAuthenticatedConsumerGroup setAuthenticatedConsumerGroups',
  'client.tls': 'disableSessionReuse getFullClientCertificateChain requestClientCertificate setClientVerify',
  cluster: 'getId',
  'ctx.shared': 'get set',
  'enterprise_edition.jwe': 'decode decrypt encrypt',
  ip: 'isTrusted',
  log: 'alert crit debug deprecation err info notice serialize setSerializeValue warn',
  nginx: 'getCtx getStatistics getSubsystem getVar reqStartTime setCtx',
  'nginx.shared': 'get set',
  node: 'getHostname getId getMemoryStats',
  plugin: 'getId',
  request:
    'getBody getForwardedHost getForwardedPath getForwardedPort getForwardedPrefix getForwardedScheme getHeader getHeaders getHost getHttpVersion getMethod getPath getPathWithQuery getPort getQuery getQueryArg getRawBody getRawPath getRawQuery getScheme getStartTime getUriCaptures',
  response:
    'addHeader clearHeader error exit getHeader getHeaders getSource getStatus setHeader setHeaders setStatus',
  router: 'getRoute getService',
  service:
    'setRetries setTarget setTargetRetryCallback setTimeouts setTlsVerify setTlsVerifyDepth setUpstream',
  'service.request':
    'addHeader clearHeader disableTls enableBuffering setBody setHeader setHeaders setMethod setPath setQuery setRawBody setRawQuery setScheme',
  'service.response': 'getBody getHeader getHeaders getRawBody getStatus',
  telemetry: 'log',
  vault: 'flush get initWorker isReference parseReference update warmup',
};

test('every call that kong-pdk declares is there, or says why not', () => {
  for (const [group, names] of Object.entries(DECLARED)) {
    for (const name of names.split(' ')) {
      const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      assert.ok(METHODS.has(`kong.${group}.${snake}`), `kong.${group}.${snake}`);
    }
  }
});
