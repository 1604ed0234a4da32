import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTakenSegment } from '../../plugins/users/entities.ts';
import { comparePaths, ENDPOINTS, type Endpoint, entityEndpoints } from './endpoints.ts';
import { allEndpoints } from './openapi/serve.ts';

const byPath = new Map(ENDPOINTS.map((endpoint) => [endpoint.path, endpoint]));

test('each path stands there once', () => {
  assert.equal(byPath.size, ENDPOINTS.length);
});

const CASES: ReadonlyArray<[path: string, shape: Endpoint['shape'], methods: string, kind: string | null]> = [
  ['/services', 'collection', 'GET POST', 'services'],
  ['/services/{services}', 'entity', 'GET PUT PATCH DELETE', 'services'],
  ['/routes/{routes}/service', 'foreign', 'GET PUT PATCH DELETE', 'services'],
  ['/services/{services}/routes', 'nested-collection', 'GET POST', 'routes'],
  ['/services/{services}/routes/{routes}', 'nested-entity', 'GET PUT PATCH DELETE', 'routes'],
  ['/consumers/{consumers}/plugins/{plugins}', 'nested-entity', 'GET PUT PATCH DELETE', 'plugins'],
  ['/certificates/{certificates}/services', 'nested-collection', 'GET POST', 'services'],
  ['/services/{services}/client_certificate', 'foreign', 'GET PUT PATCH DELETE', 'certificates'],
  ['/certificates/{certificates}/snis/{snis}', 'nested-entity', 'GET PUT PATCH DELETE', 'snis'],
  ['/key-auths', 'collection', 'GET POST', 'keyauth_credentials'],
  ['/consumers/{consumers}/key-auth', 'nested-collection', 'GET POST', 'keyauth_credentials'],
  ['/key-auths-enc', 'collection', 'GET POST', 'keyauth_credentials'],
  ['/key-auths-enc/{keyauth_credentials}', 'entity', 'GET PUT PATCH DELETE', 'keyauth_credentials'],
  ['/key-auths-enc/{keyauth_credentials}/consumer', 'foreign', 'GET PUT PATCH DELETE', 'consumers'],
  ['/consumers/{consumers}/key-auth-enc', 'nested-collection', 'GET POST', 'keyauth_credentials'],
  [
    '/consumers/{consumers}/basic-auth/{basicauth_credentials}',
    'nested-entity',
    'GET PUT PATCH DELETE',
    'basicauth_credentials',
  ],
  ['/consumers/{consumers}/jwt', 'nested-collection', 'GET POST', 'jwt_secrets'],
  ['/consumers/{consumers}/hmac-auth', 'nested-collection', 'GET POST', 'hmacauth_credentials'],
  ['/consumers/{consumers}/acls/{acls}', 'nested-entity', 'GET PUT PATCH DELETE', 'acls'],
  ['/consumers/{consumers}/oauth2', 'nested-collection', 'GET POST', 'oauth2_credentials'],
  ['/key-auths/{keyauth_credentials}/consumer', 'foreign', 'GET PUT PATCH DELETE', 'consumers'],
  ['/key-sets/{key_sets}/keys', 'nested-collection', 'GET POST', 'keys'],
  ['/keys/{keys}/set', 'foreign', 'GET PUT PATCH DELETE', 'key_sets'],
  ['/ca_certificates/{ca_certificates}', 'entity', 'GET PUT PATCH DELETE', 'ca_certificates'],
  ['/vaults', 'collection', 'GET POST', 'vaults'],
  ['/upstreams/{upstreams}/targets', 'targets', 'GET POST', 'targets'],
  ['/upstreams/{upstreams}/targets/all', 'all-targets', 'GET', 'targets'],
  ['/upstreams/{upstreams}/targets/{targets}', 'target', 'GET PUT PATCH DELETE', 'targets'],
  ['/targets', 'disabled', 'GET POST', 'targets'],
  ['/targets/{targets}/upstream', 'disabled', 'GET PUT PATCH DELETE', 'upstreams'],
  ['/snis/{snis}/certificate', 'disabled', 'GET PUT PATCH DELETE', 'certificates'],
  ['/filter-chains', 'wasm', 'GET POST', 'filter_chains'],
  ['/filter-chains/{filter_chains}/route', 'wasm', 'GET PUT PATCH DELETE', 'routes'],
  ['/routes/{routes}/filter-chains', 'wasm', 'GET POST', 'filter_chains'],
  ['/routes/{routes}/filters/enabled', 'wasm', 'GET', null],
  ['/oauth2_tokens', 'collection', 'GET POST', 'oauth2_tokens'],
  ['/oauth2_tokens/{oauth2_tokens}', 'entity', 'GET PUT PATCH DELETE', 'oauth2_tokens'],
  ['/oauth2_tokens/{oauth2_tokens}/credential', 'foreign', 'GET PUT PATCH DELETE', 'oauth2_credentials'],
  ['/oauth2_tokens/{oauth2_tokens}/service', 'foreign', 'GET PUT PATCH DELETE', 'services'],
  ['/oauth2/{oauth2_credentials}/oauth2_tokens', 'nested-collection', 'GET POST', 'oauth2_tokens'],
  [
    '/oauth2/{oauth2_credentials}/oauth2_tokens/{oauth2_tokens}',
    'nested-entity',
    'GET PUT PATCH DELETE',
    'oauth2_tokens',
  ],
  ['/services/{services}/oauth2_tokens', 'nested-collection', 'GET POST', 'oauth2_tokens'],
  ['/tags/{tags}', 'tag', 'GET', null],
  ['/transactions', 'transactions', 'POST', null],
];

test('the table has what Kong has, under its names', () => {
  for (const [path, shape, methods, kind] of CASES) {
    const found = byPath.get(path);
    assert.deepEqual([found?.shape, found?.methods.join(' '), found?.kind], [shape, methods, kind], path);
  }
});

test('paths follow from definitions alone', () => {
  const found = entityEndpoints([
    { name: 'shelves', admin_api_name: 'shelf-list', fields: {} },
    {
      name: 'books',
      admin_api_nested_name: 'volumes',
      fields: {
        shelf: { type: 'foreign', reference: 'shelves' },
        owner: { type: 'foreign', reference: 'nobody' },
      },
    },
  ]);
  assert.deepEqual(
    found.map(({ path }) => path),
    [
      '/shelf-list',
      '/shelf-list/{shelves}',
      '/books',
      '/books/{books}',
      '/books/{books}/shelf',
      '/shelf-list/{shelves}/volumes',
      '/shelf-list/{shelves}/volumes/{books}',
    ],
  );
});

test('workspaces have no endpoint', () => {
  assert.deepEqual(
    ENDPOINTS.filter(({ path }) => path.includes('workspaces')),
    [],
  );
});

test('a path with a name in the place of a placeholder comes before that one, for it is matched first', () => {
  const order = ENDPOINTS.map(({ path }) => path);
  assert.ok(
    order.indexOf('/upstreams/{upstreams}/targets/all') <
      order.indexOf('/upstreams/{upstreams}/targets/{targets}'),
  );
});

test('paths are listed by segments', () => {
  assert.deepEqual(['/ab/a', '/ab', '/a/z', '/a', '/a'].sort(comparePaths), [
    '/a',
    '/a',
    '/a/z',
    '/ab',
    '/ab/a',
  ]);
});

test('no kind of a plugin can have a name that a path of the Admin API has in its place', () => {
  const parents = new Set(['consumers', 'consumer_groups', 'services', 'routes']);
  const used = allEndpoints().flatMap(({ path }) => {
    const [first = '', , third = ''] = path.split('/').slice(1);
    return parents.has(first) ? [first, third] : [first];
  });
  const free = used.filter((name) => name !== '' && !name.startsWith('{') && !isTakenSegment(name));
  assert.deepEqual(free, []);
});
