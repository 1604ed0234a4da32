/** The endpoints beside the entities', in Kong's words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLUGIN_SCHEMAS } from '../../entities/plugin-schemas.ts';
import { DEFINITIONS } from '../../entities/registry.ts';
import { KONG_VERSION } from '../../lib/version.ts';
import { fakeAdmin } from './admin.fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const { ask } = fakeAdmin();
const NAMES = [...PLUGIN_SCHEMAS.keys()].toSorted();

describe('/schemas', () => {
  test('every kind has one', async () => {
    for (const { name } of DEFINITIONS) {
      const { status, body } = await ask('GET', `/schemas/${name}`);
      assert.equal(status, 200, name);
      assert.deepEqual(Object.keys(body).sort(), ['entity_checks', 'fields']);
    }
    const { body } = await ask('GET', '/schemas/services');
    const fields = body['fields'] as Json[];
    assert.deepEqual(Object.keys(fields[0] ?? {}), ['id']);
  });

  test('what is not there is named', async () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ['/schemas/nothing', "No entity named 'nothing'"],
      ['/schemas/__proto__', "No entity named '__proto__'"],
      ['/schemas/constructor', "No entity named 'constructor'"],
      ['/schemas/plugins/loggly', "No plugin named 'loggly'"],
      ['/plugins/schema/loggly', "No plugin named 'loggly'"],
      ['/schemas/vaults/aws', "No vault named 'aws'"],
      ['/schemas/filters/f', "Filter 'f' not found"],
    ];
    for (const [path, message] of cases) {
      const { status, body } = await ask('GET', path);
      assert.deepEqual([status, body], [404, { message }], path);
    }
  });

  test("a vault's", async () => {
    const { body } = await ask('GET', '/schemas/vaults/env');
    const [{ config }] = body['fields'] as [{ config: Json }];
    assert.equal(config['required'], true);
    assert.deepEqual(body['entity_checks'], []);
  });

  test('the flavour of the router decides', async () => {
    const expressions = fakeAdmin({ settings: { router_flavor: 'expressions' } });
    const names = async ({ ask }: typeof expressions): Promise<string[]> => {
      const { body } = await ask('GET', '/schemas/routes');
      return (body['fields'] as Json[]).flatMap((field) => Object.keys(field));
    };
    assert.ok((await names(expressions)).includes('expression'));
    assert.ok(!(await names(fakeAdmin())).includes('expression'));
  });
});

describe('validation without writing', () => {
  const valid = { message: 'schema validation successful' };

  test('a valid entity, whose references only look like some', async () => {
    const route = { paths: ['/a'], service: { id: '11111111-2222-4333-8444-555555555555' } };
    assert.deepEqual((await ask('POST', '/schemas/routes/validate', route)).body, valid);
    assert.deepEqual((await ask('POST', '/schemas/services/validate', { url: 'http://a.com' })).body, valid);
    const vault = { name: 'env', prefix: 'my-env', config: { prefix: 'X' } };
    assert.deepEqual((await ask('POST', '/schemas/vaults/validate', vault)).body, valid);
  });

  test("what is wrong is Kong's error", async () => {
    assert.deepEqual(
      await ask('POST', '/schemas/services/validate').then(({ status, body }) => [status, body]),
      [
        400,
        {
          code: 2,
          name: 'schema violation',
          message: 'schema violation (host: required field missing)',
          fields: { host: 'required field missing' },
        },
      ],
    );
    const { body } = await ask('POST', '/schemas/routes/validate', { protocols: ['http', 'x'], service: 1 });
    assert.deepEqual(body['fields'], {
      protocols: [null, 'expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp'],
      service: 'expected a record',
    });
    const plugin = await ask('POST', '/schemas/plugins/validate', { name: 'loggly' });
    const text = "plugin 'loggly' not enabled; add it to the 'plugins' configuration property";
    assert.deepEqual(plugin.body['fields'], { name: text });
  });

  test('bodies that are no object, and kinds that are none', async () => {
    for (const body of ['{', '[1]', '7', 'null', '"a"']) {
      const answer = await ask('POST', '/schemas/services/validate', body);
      assert.deepEqual([answer.status, answer.body], [400, { message: 'Cannot parse JSON body' }], body);
    }
    const unknown = await ask('POST', '/schemas/toString/validate', {});
    assert.deepEqual([unknown.status, unknown.body], [404, { message: "No entity named 'toString'" }]);
    assert.equal((await ask('GET', '/schemas/services/validate')).status, 405);
  });
});

test('the node: identity, plugins, and settings without secrets', async () => {
  const node = fakeAdmin({ settings: { declarative_config_string: 'secret', pg_password: 'secret' } });
  const { status, body } = await node.ask('GET', '/');
  assert.equal(status, 200);
  assert.equal(body['node_id'], '11111111-2222-4333-8444-555555555555');
  const { available_on_server: available, enabled_in_cluster: enabled } = body['plugins'] as Json;
  assert.deepEqual((available as Json)['key-auth'], { version: KONG_VERSION, priority: 1250 });
  assert.deepEqual(Object.keys(available as Json).toSorted(), NAMES);
  assert.deepEqual(enabled, []);
  assert.equal(typeof body['lua_version'], 'string');
  const configuration = body['configuration'] as Json;
  assert.equal(configuration['declarative_config_string'], '******');
  assert.equal(configuration['role'], 'traditional');
  assert.equal(configuration['pg_port'], 5432);
  assert.equal(configuration['pg_password'], '******');
});

test('answers that never change', async () => {
  const cases: ReadonlyArray<readonly [method: string, path: string, status: number, body: Json]> = [
    ['GET', '/plugins/enabled', 200, { enabled_plugins: NAMES }],
    ['DELETE', '/cache', 204, {}],
    ['DELETE', '/cache/a', 204, {}],
    ['GET', '/cache/a', 404, { message: 'Not found' }],
    ['GET', '/status/dns', 501, { message: 'not implemented with the legacy DNS client' }],
    ['POST', '/filter-chains', 400, { message: 'this endpoint is only available when wasm is enabled' }],
    [
      'GET',
      '/routes/r/filters/all',
      400,
      { message: 'this endpoint is only available when wasm is enabled' },
    ],
    ['PUT', '/cache', 405, { message: 'Method not allowed' }],
    ['GET', '/debug/node/log-level', 200, { message: 'log level: notice' }],
  ];
  for (const [method, path, status, body] of cases) {
    const answer = await ask(method, path);
    assert.deepEqual([answer.status, answer.body], [status, body], `${method} ${path}`);
  }
  for (const path of ['/clustering/data-planes', '/clustering/status']) {
    const { status, body } = await ask('GET', path);
    assert.equal(status, 400);
    assert.match(
      String(body['message']),
      /^this endpoint is only available when Kong is configured to run as Control/,
    );
  }
  const { app } = fakeAdmin();
  const robots = await app.request('/robots.txt', {}, { listenAddress: '127.0.0.1' });
  assert.equal(await robots.text(), 'User-agent: *\nDisallow: /');
  const { body } = await ask('GET', '/timers');
  assert.deepEqual(Object.keys(body['stats'] as Json), ['flamegraph', 'sys', 'timers']);
});

test('/endpoints lists paths by segments', async () => {
  const { body } = await ask('GET', '/endpoints');
  const data = body['data'] as string[];
  assert.equal(data[0], '/');
  assert.ok(data.includes('/services/{services}/routes/{routes}'));
  assert.ok(data.indexOf('/status/dns') < data.indexOf('/status') + 2);
});
