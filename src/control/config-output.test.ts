import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeImage } from '../snapshot/image-encode.ts';
import { compileDeclarative } from '../store/file/compile.ts';
import type { DeclarativeConfig } from '../store/file/declarative.ts';
import { renderErrors } from '../store/file/render.ts';
import { configYaml, entitiesJson } from './config-output.ts';
import '../../test/support/fixed-seed.ts';

function compile(text: string): DeclarativeConfig {
  const result = compileDeclarative(text, { filename: 'k', flavor: 'traditional_compatible', now: 1e9 });
  assert.deepEqual(result.ok ? [] : renderErrors(result.errors, ''), []);
  assert.ok(result.ok);
  return { ...result.config, hash: '' };
}

/** What looks like something else in some YAML. */
const SCALARS =
  'yes NO on Off ~ null y 010 0o7 0x1F 1:30 _1 1_0e3 2001-01-01 .inf = << --- - a: #x @a &a *a !a %a';

test('what is served is the file that GET /config answers', () => {
  const text = fc
    .oneof(
      fc.constantFrom(...SCALARS.split(' ')),
      fc.string({
        unit: fc.constantFrom(...'01789_:.eExXbo+-~ab \n\t'.split('')),
        minLength: 1,
        maxLength: 8,
      }),
      fc.string({ minLength: 1, maxLength: 20 }),
    )
    // Those must be regexes.
    .filter((value) => !value.startsWith('~*'));
  const name = fc.string({ unit: fc.constantFrom(...'01789_ex-nof'.split('')), minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(name, fc.array(text, { minLength: 1, maxLength: 20 }), (name, values) => {
      const config = compile(
        JSON.stringify({
          _format_version: '3.0',
          services: [{ name: 's', host: 'a', created_at: 5 }],
          routes: [{ service: 's', paths: ['/a', '~/b'], headers: { [name]: values }, sources: null }],
        }),
      );
      const image = encodeImage(config.entities, { revision: 1, hash: '' });
      assert.deepEqual(compile(configYaml(image)).entities, config.entities);
    }),
    { numRuns: 2000 },
  );
});

test('nothing is served', () => {
  assert.deepEqual([...compile(configYaml(null)).entities.values()].flat(), []);
});

test('all kinds are printed, in forms that are read again', () => {
  const config = compile(`
_format_version: "3.0"
consumers:
- username: alice
  keyauth_credentials: [{key: secret}]
  basicauth_credentials: [{username: alice, password: secret}]
  acls: [{group: admins}]
upstreams:
- name: up.internal
  host_header: example.com
  targets: [{target: 10.0.0.1}, {target: "[::1]:81", weight: 0}]
vaults: [{name: env, prefix: my-env, config: {prefix: X}}]
services: [{name: s, host: up.internal, routes: [{paths: [/]}]}]
`);
  const image = encodeImage(config.entities, { revision: 1, hash: '' });
  assert.deepEqual(compile(configYaml(image)).entities, config.entities);
  const printed = JSON.parse(entitiesJson(image)) as Record<string, Record<string, object>>;
  const kinds = [...config.entities].filter(([, list]) => list.length > 0);
  assert.deepEqual(Object.keys(printed), kinds.map(([kind]) => kind).sort());
  for (const [kind, list] of kinds) {
    assert.deepEqual(Object.values(printed[kind] ?? {}), list);
  }
});
