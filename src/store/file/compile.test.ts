import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Route } from '../../entities/route.ts';
import type { Service } from '../../entities/service.ts';
import { compileDeclarative } from './compile.ts';
import type { CompileOptions, DeclarativeConfig, DeclarativeError } from './declarative.ts';
import { errorFields, flattenErrors, renderErrors } from './render.ts';
import '../../../test/support/fixed-seed.ts';

const NOW = 1_700_000_000;
const options: CompileOptions = { filename: 'kong.yml', flavor: 'traditional_compatible', now: NOW };
const HEAD = '_format_version: "3.0"\n';
const ID = '11111111-2222-4333-8444-555555555555';

interface Good extends DeclarativeConfig {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
}

function good(text: string, more: Partial<CompileOptions> = {}): Good {
  const result = compileDeclarative(text, { ...options, ...more });
  assert.deepEqual(result.ok ? [] : renderErrors(result.errors, ''), []);
  assert.ok(result.ok);
  const { entities } = result.config;
  const services = entities.get('services') as unknown as Service[];
  return { ...result.config, services, routes: entities.get('routes') as unknown as Route[] };
}

function bad(text: string, more: Partial<CompileOptions> = {}): readonly DeclarativeError[] {
  const result = compileDeclarative(text, { ...options, ...more });
  assert.ok(!result.ok, 'expected errors');
  return result.errors;
}

/** Errors as lines without the file's name. */
const lines = (text: string, more: Partial<CompileOptions> = {}): string[] =>
  renderErrors(bad(text, more), '').map((line) => line.replace(/^:/, ''));

describe('a valid file', () => {
  test('nested entities are complete, refer to their parent, and carry the load time', () => {
    const { services, routes, hash } = good(`${HEAD}
services:
- name: my-service
  url: http://example.com:8080/base
  _comment: ours
  _ignore: [anything]
  routes:
  - name: my-route
    paths: [/a]
`);
    // Ids that Kong's own tests show for these names.
    assert.equal(services[0]?.id, '0855b320-0dd2-547d-891d-601e9b38647f');
    assert.equal(routes[0]?.id, '481a9539-f49c-51b6-b2e2-fe99ee68866c');
    assert.deepEqual(routes[0]?.service, { id: services[0]?.id });
    assert.deepEqual(
      [services[0]?.host, services[0]?.port, services[0]?.path],
      ['example.com', 8080, '/base'],
    );
    assert.deepEqual([services[0]?.created_at, services[0]?.updated_at], [NOW, NOW]);
    assert.ok(!('_comment' in (services[0] ?? {})));
    assert.match(hash, /^[0-9a-f]{32}$/);
  });

  test('the hash is the MD5 of the text', () => {
    assert.equal(good(HEAD).hash, '33371dd163ecae6602a88ff671d6ac9a');
  });

  test('flat and nested forms, and every way to refer, give the same configuration', () => {
    const service = '- {name: s, host: a}';
    const nested = good(
      `${HEAD}services:\n- name: s\n  host: a\n  routes: [{name: r, paths: [/]}, {paths: [/x]}]`,
    );
    for (const reference of ['s', nested.services[0]?.id, `{name: s}`, `{id: ${nested.services[0]?.id}}`]) {
      const flat = good(
        `${HEAD}routes: [{name: r, paths: [/], service: ${reference}}, {service: ${reference}, paths: [/x]}]\nservices:\n${service}`,
      );
      assert.deepEqual({ ...flat, hash: '' }, { ...nested, hash: '' });
    }
  });

  test('ids of unnamed entities stay as long as their content does, whatever stands around them', () => {
    const ids = (text: string): string[] => good(HEAD + text).routes.map(({ id }) => id);
    const [a, b] = ids('routes: [{paths: [/a]}, {paths: [/b]}]');
    assert.notEqual(a, b);
    assert.deepEqual(ids('routes: [{paths: [/new]}, {paths: [/b]}, {paths: [/a]}]').slice(1), [b, a]);
    const same = ids('routes: [{paths: [/a]}, {paths: [/a]}]');
    assert.equal(same[0], a);
    assert.notEqual(same[0], same[1]);
  });

  test('JSON, YAML, a byte order mark and an empty configuration', () => {
    const value = { _format_version: '3.0', services: [{ name: 's', host: 'a' }] };
    const json = good(JSON.stringify(value), { filename: 'kong.json' });
    const yaml = good(`\ufeff${HEAD}services: [{name: s, host: a}]`);
    assert.deepEqual(json.services, yaml.services);
    assert.deepEqual(good(`${HEAD}services: {}\nroutes: []\nplugins:`).services, []);
    assert.equal(good(JSON.stringify(value, null, 2)).services.length, 1);
  });

  test('anchors and merge keys', () => {
    const { routes } = good(
      `${HEAD}routes:\n- &r {name: a, paths: [/], methods: [GET]}\n- {<<: *r, name: b, paths: [/b]}`,
    );
    assert.deepEqual(
      routes.map(({ name, paths, methods }) => [name, paths?.[0], methods?.[0]]),
      [
        ['a', '/', 'GET'],
        ['b', '/b', 'GET'],
      ],
    );
  });

  test('many merge keys are no attack', () => {
    const list = Array.from({ length: 3000 }, (_, n) => `- {<<: *r, name: r${n}}`).join('\n');
    const text = `${HEAD}_ignore: [&r {paths: [/], methods: [GET], hosts: [a], strip_path: no}]\nroutes:\n${list}`;
    assert.equal(good(text).routes.length, 3000);
  });

  test('scalars are read as Kong reads them', () => {
    const { routes, services } = good(
      `${HEAD}services: [{name: y, host: n, port: 0x50, retries: 010, enabled: off}]\n` +
        `routes: [{name: 2020-01-01, paths: [/], strip_path: no, preserve_host: YES, regex_priority: 1_0}]`,
    );
    assert.deepEqual(
      [services[0]?.name, services[0]?.host, services[0]?.port, services[0]?.retries, services[0]?.enabled],
      ['y', 'n', 80, 8, false],
    );
    assert.deepEqual(
      [routes[0]?.name, routes[0]?.strip_path, routes[0]?.preserve_host, routes[0]?.regex_priority],
      ['2020-01-01', false, true, 10],
    );
  });

  const migrated: ReadonlyArray<readonly [string, string, string]> = [
    ['1.1', '/a', '/a'],
    ['2.1', '/a/(x)', '~/a/(x)'],
    ['2.1', '/a+', '~/a+'],
    ['2.1', '/a%2e', '/a.'],
    ['1.1', '/a$%2e', '~/a$\\.'],
    ['1.1', '/%41%2f%c3%bc+', '~/A%2Fü+'],
    ['2.1', '/%ff+', '~/%FF+'],
    ['1.1', '/a/../b', '/b'],
    ['3.0', '/a+', '/a+'],
  ];
  for (const [version, written, stored] of migrated) {
    test(`version ${version}: path ${written} is ${stored}`, () => {
      const text = `_format_version: "${version}"\nservices: [{host: a, routes: [{paths: ["${written}"]}]}]`;
      assert.deepEqual(good(text).routes[0]?.paths, [stored]);
    });
  }

  test('fields of the expressions flavour only there', () => {
    const text = `${HEAD}routes: [{name: r, expression: 'http.path == "/"', priority: 3}]`;
    assert.equal(good(text, { flavor: 'expressions' }).routes[0]?.priority, 3);
    assert.deepEqual(lines(text.replace('==', '=='.repeat(2)), { flavor: 'expressions' }).length, 1);
    assert.match(
      lines(text.replace('http.path', 'http.nope'), { flavor: 'expressions' })[0] ?? '',
      /^2:10: routes\[0\]: Router Expression failed validation: /,
    );
    assert.deepEqual(lines(text).slice(0, 1), [
      "2:10: routes[0]: must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'",
    ]);
  });
});

test("lists by Kong Enterprise's name are those of the kind that they are here", () => {
  const { entities } = good(`${HEAD}
consumers:
- username: anna
  keyauth_enc_credentials: [{key: nested}]
keyauth_enc_credentials: [{consumer: anna, key: above}]
keyauth_credentials: [{consumer: anna, key: usual}]
`);
  const keys = (entities.get('keyauth_credentials') ?? []).map(({ key }) => String(key));
  assert.deepEqual(keys.toSorted(), ['above', 'nested', 'usual']);
  assert.equal(entities.has('keyauth_enc_credentials'), false);
  assert.deepEqual(lines(`${HEAD}keyauth_enc_credentials: [{consumer: anna, kye: x}]`), [
    "2:28: keyauth_enc_credentials[0].consumer: invalid reference 'consumer: anna' (no such entry in 'consumers')",
    '2:44: keyauth_enc_credentials[0].kye: unknown field',
  ]);
});

describe('an invalid file', () => {
  const table: ReadonlyArray<readonly [name: string, text: string, ...expected: string[]]> = [
    ['no version', 'services: []', '1:1: _format_version: required field missing'],
    ['a number as version', '_format_version: 3.0', '1:1: _format_version: expected a string'],
    ['another version', '_format_version: "4.0"', '1:1: _format_version: expected one of: 1.1, 2.1, 3.0'],
    ['_transform', `${HEAD}_transform: 1`, '2:1: _transform: expected a boolean'],
    [
      '_comment',
      `${HEAD}_comment: 1\nservices: [{host: a, _comment: 1}]`,
      '2:1: _comment: expected a string',
      '3:22: services[0]._comment: expected a string',
    ],
    ['an unknown key', `${HEAD}servces: []`, '2:1: servces: unknown field'],
    ['a list', '- a', '1:1: expected a declarative configuration'],
    ['a string', 'hello', '1:1: expected a declarative configuration'],
    ['no list', `${HEAD}services: {a: 1}`, '2:1: services: expected an array'],
    [
      'no record',
      `${HEAD}services:\n- 5\n- {host: a, routes: [x]}`,
      '3:3: services[0]: expected a record',
      '4:22: services[1].routes[0]: expected a record',
    ],
    [
      "decK's keys",
      `${HEAD}_info: {}\n_workspace: a`,
      "2:1: _info: unknown field: decK's, not Kong's; remove it",
      "3:1: _workspace: unknown field: decK's, not Kong's; remove it: there is one workspace",
    ],
    [
      'a name twice',
      `${HEAD}services:\n- {name: s, host: a}\n- {name: s, host: b}`,
      "4:3: services[1]: uniqueness violation: 'services' entity with name set to 's' already declared",
    ],
    [
      'an id twice',
      `${HEAD}services:\n- {id: ${ID}, host: a}\n- {id: ${ID}, host: b}`,
      `4:3: services[1]: uniqueness violation: 'services' entity with primary key set to '${ID}' already declared`,
    ],
    [
      'a unique field twice',
      `${HEAD}consumers:\n- {username: a, custom_id: x}\n- {username: b, custom_id: x}`,
      "4:3: consumers[1]: uniqueness violation: 'consumers' entity with custom_id set to 'x' already declared",
    ],
    [
      'a secret twice: errors go to logs',
      `${HEAD}consumers:\n- username: a\n  keyauth_credentials:\n  - key: s3cret\n  - key: s3cret`,
      "6:5: consumers[0].keyauth_credentials[1]: uniqueness violation: 'keyauth_credentials' entity with key set to '******' already declared",
    ],
    [
      'a plugin twice',
      `${HEAD}plugins:\n- {name: cors}\n- {name: cors, id: ${ID}}`,
      "4:3: plugins[1]: uniqueness violation: 'plugins' entity with name, route, service, consumer, consumer_group set to 'cors, , , , ' already declared",
    ],
    [
      'a missing reference',
      `${HEAD}routes: [{paths: [/], service: nope}]`,
      "2:23: routes[0].service: invalid reference 'service: nope' (no such entry in 'services')",
    ],
    [
      'a missing reference by id',
      `${HEAD}services: [{host: a, routes: [{paths: [/], service: {id: ${ID}}}]}]`,
      `2:44: services[0].routes[0].service: invalid reference 'service: {"id":"${ID}"}' (no such entry in 'services')`,
    ],
    [
      'another parent',
      `${HEAD}services: [{name: a, host: a, routes: [{paths: [/], service: b}]}, {name: b, host: b}]`,
      '2:53: services[0].routes[0].service: value must be null',
    ],
    [
      'a reference of a wrong type',
      `${HEAD}routes: [{paths: [/], service: 5}]`,
      '2:23: routes[0].service: expected a string',
    ],
    [
      'a missing required reference',
      `${HEAD}targets: [{target: a}]`,
      '2:11: targets[0].upstream: required field missing',
    ],
    [
      'nested credentials',
      `${HEAD}consumers: [{username: b, acls: [{}], jwt_secrets: [{algorithm: x}]}]`,
      '2:34: consumers[0].acls[0].group: required field missing',
      '2:54: consumers[0].jwt_secrets[0].algorithm: expected one of: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA',
    ],
    [
      'SNIs of a certificate',
      `${HEAD}certificates: [{cert: a, key: '{vault://env/k}', snis: [{name: a b}]}]`,
      '2:17: certificates[0].cert: invalid certificate: not a PEM encoded X.509 certificate',
      '2:58: certificates[0].snis[0].name: invalid value: a b',
    ],
    [
      'a plugin that is none',
      `${HEAD}plugins: [{name: x}]`,
      "2:12: plugins[0].name: plugin 'x' not enabled; add it to the 'plugins' configuration property",
    ],
    [
      'a key named __proto__',
      `${HEAD}__proto__: {polluted: 1}\nservices: [{host: a, constructor: 1}]`,
      '2:1: __proto__: unknown field',
      '3:22: services[0].constructor: unknown field',
    ],
    [
      'everything at once',
      `${HEAD}x: 1\nservices:\n- host: 1\n  routes:\n  - paths:\n    - a\n    - /b\n    - c\n`,
      '2:1: x: unknown field',
      '4:3: services[0].host: expected a string',
      '7:7: services[0].routes[0].paths[0]: should start with: / (fixed path) or ~/ (regex path)',
      '9:7: services[0].routes[0].paths[2]: should start with: / (fixed path) or ~/ (regex path)',
    ],
  ];
  for (const [name, text, ...expected] of table) {
    test(name, () => assert.deepEqual(lines(text), expected));
  }

  test('regexes are those that the router compiles', () => {
    good(`${HEAD}routes: [{paths: ['~/(?<x>a)|\\u{e9}|(?i)B']}]`);
    const [line] = lines(`${HEAD}routes:\n- paths: ['/a', '~/(?=x)']`);
    assert.match(line ?? '', /^3:17: routes\[0\]\.paths\[1\]: invalid regex: '\/\(\?=x\)' \(.+\)$/);
  });

  test('prototypes stay as they are', () => {
    bad(`${HEAD}__proto__: {polluted: 1}`);
    bad('{"__proto__": {"polluted": 1}}');
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  test('JSON has lines too', () => {
    const text =
      '{"_format_version": "3.0",\n "services": [\n  {"host": "a", "port": "x",\n   "routes": [{"paths": ["\\"\\\\", "/"]}]}\n]}';
    assert.deepEqual(lines(text, { filename: 'kong.json' }), [
      '3:17: services[0].port: expected an integer',
      '4:26: services[0].routes[0].paths[0]: should start with: / (fixed path) or ~/ (regex path)',
    ]);
  });

  const FAILED = 'failed parsing declarative configuration:';
  const syntax: ReadonlyArray<readonly [text: string, filename: string, expected: RegExp]> = [
    ['a: [', 'kong.yml', /^1:5: failed parsing declarative configuration: /],
    ['', 'kong.yml', /^1:1: .*input is empty/],
    ['a: 1\na: 2', 'kong.yml', /^2:1: .*duplicated mapping key/],
    ['a: 1\n---\nb: 1', 'kong.yml', /^3:1: .*single document/],
    ['a: 1\n---\n', 'kong.yml', /^1:1: .*single document/],
    ['a: 1\r\nb: "', 'kong.yml', /^2:5: /],
    ['{\r"a": 1,\r"a": 2}', 'kong.json', /^3:1: .*repeated key "a"$/],
    ['a: !!js/function "x"', 'kong.yml', /tag/],
    ['{"a": 1, "b": {"c": 1,\n "c": 2}}', 'kong.json', /^2:2: .*repeated key "c"$/],
    ['{"a": 1, "a": 2}', 'kong.yml', /^1:10: .*repeated key "a"$/],
    ['{"a": }', 'kong.json', /^1:7: .*Unexpected token/],
    ['{"a": ', 'kong.json', /^1:7: .*Unexpected end of JSON input$/],
    ['{"a": 1,\n}', 'kong.json', /^2:1: .*property name/],
    ['[1 2]', 'kong.json', /^1:4: /],
    ['{"a": "\n"}', 'kong.json', /^1:7: .*control character/],
    ['{"a": 01}', 'kong.json', /^1:8: /],
    ['{"a": 1} x', 'kong.json', /^1:10: .*non-whitespace/],
    [`[\n${'['.repeat(100)}${']'.repeat(101)}`, 'kong.json', /^2:100: .*nested deeper than 100 levels/],
    ['['.repeat(1e5), 'kong.yml', /^1:101: .*nested deeper/],
    ['a: &a [*a]', 'kong.yml', /alias/],
  ];
  for (const [text, filename, expected] of syntax) {
    test(`syntax ${JSON.stringify(text).slice(0, 40)} (${filename})`, () => {
      const errors = bad(text, { filename });
      assert.equal(errors.length, 1);
      assert.equal(errors[0]?.kind, 'syntax');
      assert.match(lines(text, { filename })[0] ?? '', expected);
      assert.ok(errors[0]?.message.startsWith(FAILED));
    });
  }

  test('a small text with aliases of aliases is refused, not expanded', () => {
    const levels = Array.from(
      { length: 12 },
      (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(', ')}]`,
    );
    assert.match(lines(`a0: &a0 x\n${levels.join('\n')}`)[0] ?? '', /aliases make more than 1000000 values/);
    const chain = Array.from({ length: 150 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}]`);
    assert.match(lines(`a0: &a0 x\n${chain.join('\n')}`)[0] ?? '', /nests deeper than 100 levels/);
  });

  test('the list of errors is bounded and says how many it leaves out', () => {
    const errors = bad(`${HEAD}services: [${Array(10_500).fill('{host: 1}').join(', ')}]`);
    assert.equal(errors.length, 10_001);
    assert.equal(errors.at(-1)?.message, '500 more errors are not listed');
  });
});

describe('what cannot run yet', () => {
  test('is refused in one list, after validation', () => {
    const text = `${HEAD}services:
- {name: ok, host: a}
- name: rpc
  protocol: grpcs
  host: a

  plugins: [{name: zipkin}]
routes:
- {name: g, protocols: [grpc], paths: [/]}
- {name: h, protocols: [https], paths: [/]}
filter_chains: [{service: ok, filters: [{name: f}]}]
`;
    const errors = bad(text);
    assert.deepEqual(
      errors.map(({ line, path, message, kind }) => [line, path, message, kind]),
      [
        [
          8,
          'services[1].plugins[0].name',
          "plugin 'zipkin' not enabled; add it to the 'plugins' configuration property",
          'unsupported',
        ],
        [12, 'filter_chains[0]', 'Sluice does not support filter_chains yet', 'unsupported'],
      ],
    );
    assert.deepEqual(
      bad(text.replace('host: a}', 'host: 1}')).map(({ kind }) => kind),
      ['schema'],
    );
  });
});

describe("Kong's error shapes", () => {
  const errors = bad(`${HEAD}services:
- id: ${ID}
  name: s
  tags: [t]
  host: a
  routes:
  - {name: r, paths: [/, x], protocols: [http], snis: [a]}
- {host: a, port: x}
`);

  test('fields', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(errorFields(errors))), {
      services: [
        {
          routes: [
            {
              paths: [null, 'should start with: / (fixed path) or ~/ (regex path)'],
              snis: 'length must be 0',
              '@entity': [
                "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
              ],
            },
          ],
        },
        { port: 'expected an integer' },
      ],
    });
  });

  test('flattened_errors', () => {
    const [first, second] = flattenErrors(errors);
    assert.equal(first?.entity_type, 'route');
    assert.equal(first.entity_name, 'r');
    assert.deepEqual(first.entity['service'], { id: ID });
    assert.deepEqual(
      first.errors.map((one) => (one.type === 'field' ? one.field : one.type)),
      ['entity', 'paths.2', 'snis'],
    );
    assert.equal(second?.entity_type, 'service');
    assert.deepEqual(second.errors, [{ type: 'field', field: 'port', message: 'expected an integer' }]);
  });

  test('a text that does not parse has its message alone', () => {
    assert.deepEqual(Object.keys(errorFields(bad('a: ['))), ['error']);
  });

  test('errors can be sent between threads', () => {
    assert.deepEqual(structuredClone(errors), errors);
  });
});

describe('properties', () => {
  const never = (text: string, filename: string): void => {
    const result = compileDeclarative(text, { ...options, filename });
    if (!result.ok) {
      assert.ok(result.errors.length > 0);
      renderErrors(result.errors, filename);
      JSON.stringify([errorFields(result.errors), flattenErrors(result.errors)]);
    }
  };

  test('no text makes it throw', () => {
    const words =
      "services routes paths name host _format_version plugins id __proto__ : - [ ] { } , &a *a <<: ' | > !!str # ~";
    const word = fc.constantFrom(...words.split(' '), '"3.0"', '"', '\n', '  ', '\t', ': ', '- ', ', ');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
        ),
        fc.constantFrom('a.yml', 'a.json'),
        never,
      ),
      { numRuns: 3000 },
    );
  });

  test('no value in any place makes it throw', () => {
    const names = [
      'services',
      'routes',
      'consumers',
      'plugins',
      'upstreams',
      'targets',
      'certificates',
      'snis',
    ];
    const more = [
      'keys',
      'vaults',
      'ca_certificates',
      'filter_chains',
      'acls',
      'oauth2_credentials',
      'workspaces',
    ];
    const fields = [
      'id',
      'name',
      'host',
      'url',
      'protocols',
      'paths',
      'headers',
      'hosts',
      'service',
      'config',
      'tags',
    ];
    const key = fc.constantFrom(
      ...names,
      ...more,
      ...fields,
      'hash_on',
      'cert',
      'key',
      'jwk',
      'pem',
      'toString',
    );
    const leaf = fc.oneof(
      fc.constantFrom(null, true, 0, -1, 1.5, '', 'a', '/', '~/(', 'http', ID, '{vault://env/x}', 'a b'),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.double(),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('record')),
      record: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, fc.array(value, { maxLength: 3 }), { maxKeys: 4 }), (file) => {
        never(JSON.stringify({ _format_version: '3.0', ...file }), 'a.json');
      }),
      { numRuns: 2000 },
    );
  });
});
