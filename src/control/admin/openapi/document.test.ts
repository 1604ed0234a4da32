/** The document is valid OpenAPI 3.1, complete, and the one in docs/. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { fakeAdmin } from '../admin.fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const { app, ask } = fakeAdmin();

for (const flavor of ['traditional_compatible', 'expressions'] as const) {
  test(`it follows the specification (${flavor})`, async () => {
    const { body } = await fakeAdmin({ settings: { router_flavor: flavor } }).ask('GET', '/openapi.json');
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(body));
    assert.deepEqual(errors, undefined);
    assert.ok(valid);
    assert.equal(validator.version, '3.1');
  });
}

test('every route of the application is in it, and every path of it is listed', async () => {
  const { body } = await ask('GET', '/openapi.json');
  const paths = body['paths'] as Readonly<Record<string, Json>>;
  const wasm = /filter|^\/\*$/;
  for (const { path, method } of app.routes) {
    if (method === 'ALL' || method === 'OPTIONS' || wasm.test(path)) continue;
    const item = paths[path.replaceAll(/:(\w+)/g, '{$1}')];
    assert.ok(item?.[method.toLowerCase()], `${method} ${path}`);
  }
  const { body: endpoints } = await ask('GET', '/endpoints');
  assert.deepEqual(Object.keys(paths), endpoints['data']);
});

test('what a schema says of fields', async () => {
  const { body } = await ask('GET', '/openapi.json');
  const { schemas } = body['components'] as { schemas: Readonly<Record<string, Json>> };
  const properties = (name: string) => schemas[name]?.['properties'] as Readonly<Record<string, Json>>;
  const { description, ...port } = properties('services.write')['port'] ?? {};
  assert.equal(typeof description, 'string');
  assert.deepEqual(port, { type: 'integer', minimum: 0, maximum: 65535, default: 80 });
  assert.deepEqual(schemas['consumer_groups.write']?.['required'], ['name']);
  assert.equal(schemas['consumer_groups.merge']?.['required'], undefined);
  assert.equal(schemas['services.write']?.['required'], undefined, 'url may say it');
  assert.deepEqual(properties('jwt_secrets')['algorithm']?.['type'], 'string');
  assert.deepEqual(properties('routes')['name']?.['type'], ['string', 'null']);
  assert.ok(JSON.stringify(schemas['routes']?.['required']).includes('"methods"'));
});

test('every reference in it leads somewhere, and no operation has the name of another', async () => {
  const { body } = await ask('GET', '/openapi.json');
  const text = JSON.stringify(body);
  const { schemas, responses, parameters } = body['components'] as Readonly<Record<string, Json>>;
  const known = { schemas, responses, parameters } as Readonly<Record<string, Json>>;
  for (const [, where = '', name = ''] of text.matchAll(/#\/components\/(\w+)\/([\w.]+)/g)) {
    assert.ok(known[where]?.[name], `${where}/${name}`);
  }
  const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
});
