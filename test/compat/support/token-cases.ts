/**
 * OAuth 2.0 tokens, of which no revision knows. Facts: Kong 3.9's definition of `oauth2_tokens`, the rules by which it
 * makes endpoints of definitions, and the Admin API tests of its plugin.
 */
import {
  type Case,
  having,
  id,
  NOT_ALLOWED,
  NOT_FOUND,
  notUnique,
  page,
  seconds,
  type Tables,
  violation,
  wrong,
} from './cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const RANDOM = /^[0-9A-Za-z]{32}$/;
const MISSING = 'required field missing';
const TTL = 'must be an integer between 0 and 100000000';

const shared = {
  id,
  created_at: seconds,
  credential: { id: '{c}' },
  service: null,
  token_type: 'bearer',
  expires_in: 10,
  refresh_token: null,
  authenticated_userid: null,
  scope: null,
  ttl: null,
};
const token = { credential: { id: '{c}' }, expires_in: 10 };
const limit = 'must be 1 to 512 characters, without NUL';

const parents: readonly Case[] = [
  { ask: 'POST /consumers', json: { username: 'bob' }, status: 201 },
  { ask: 'POST /services', json: { name: 's', host: 'h' }, status: 201, keep: 's' },
  { ask: 'POST /services', json: { name: 'other', host: 'h' }, status: 201, keep: 'other' },
  { ask: 'POST /consumers/bob/oauth2', json: { name: 'app', client_id: 'app' }, status: 201, keep: 'c' },
  { ask: 'POST /consumers/bob/oauth2', json: { name: 'two', client_id: 'two' }, status: 201, keep: 'd' },
  { ask: 'GET /oauth2_tokens', status: 200, body: page() },
];

const create: readonly Case[] = [
  {
    ask: 'POST /oauth2_tokens',
    json: token,
    status: 201,
    body: { ...shared, access_token: RANDOM },
    keep: 't',
  },
  {
    ask: 'POST /oauth2_tokens',
    json: {
      ...token,
      access_token: 'a',
      refresh_token: 'r',
      scope: 'email',
      service: { name: 's' },
      ttl: 100,
    },
    status: 201,
    body: {
      ...shared,
      access_token: 'a',
      refresh_token: 'r',
      scope: 'email',
      service: { id: '{s}' },
      ttl: 100,
    },
    keep: 'a',
  },
  {
    ask: 'POST /oauth2_tokens',
    form: 'credential.id={c}&expires_in=10&access_token=f',
    status: 201,
    body: { ...shared, access_token: 'f' },
    keep: 'f',
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { credential: { client_id: 'app' }, expires_in: 10, access_token: 'by-name', ttl: 0 },
    status: 201,
    body: { ...shared, access_token: 'by-name' },
  },
  {
    ask: 'POST /oauth2/app/oauth2_tokens',
    json: { expires_in: 10, access_token: 'nested' },
    status: 201,
    body: { ...shared, access_token: 'nested' },
  },
  {
    ask: 'POST /services/s/oauth2_tokens',
    json: { ...token, access_token: 'of-s' },
    status: 201,
    body: { ...shared, access_token: 'of-s', service: { id: '{s}' } },
  },
  { ask: 'POST /oauth2/none/oauth2_tokens', json: { expires_in: 1 }, status: 404, body: NOT_FOUND },
  {
    ask: 'POST /oauth2_tokens',
    json: {},
    status: 400,
    body: violation(
      { credential: MISSING, expires_in: MISSING },
      `2 schema violations (credential: ${MISSING}; expires_in: ${MISSING})`,
    ),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, expires_in: 'x' },
    status: 400,
    body: wrong('expires_in', 'expected an integer'),
  },
  { ask: 'POST /oauth2_tokens', json: { ...token, no: 1 }, status: 400, body: wrong('no', 'unknown field') },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, token_type: 'mac' },
    status: 400,
    body: wrong('token_type', 'expected one of: bearer'),
  },
  { ask: 'POST /oauth2_tokens', json: '{', status: 400, body: { message: 'Cannot parse JSON body' } },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, ttl: -1 },
    status: 400,
    body: {
      code: 11,
      name: 'invalid options',
      message: `invalid option (ttl: ${TTL})`,
      options: { ttl: TTL },
    },
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: 'x'.repeat(513) },
    status: 400,
    body: wrong('access_token', limit),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, refresh_token: 'a\u0000b' },
    status: 400,
    body: wrong('refresh_token', limit),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, scope: 's'.repeat(70_000) },
    status: 400,
    body: having({ code: 2, name: 'schema violation' }),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, credential: { id: GONE } },
    status: 400,
    body: {
      code: 4,
      name: 'foreign key violation',
      message: `the foreign key '{id="${GONE}"}' does not reference an existing 'oauth2_credentials' entity.`,
      fields: { credential: { id: GONE } },
    },
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, service: { id: GONE } },
    status: 400,
    body: having({ code: 4, fields: { service: { id: GONE } } }),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, service: { name: 'none' } },
    status: 400,
    body: having({ code: 13, name: 'foreign keys unresolved' }),
  },
  // Kong shows the token: here no message shows a secret.
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: 'a' },
    status: 409,
    body: notUnique('access_token', '******'),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, refresh_token: 'r' },
    status: 409,
    body: notUnique('refresh_token', '******'),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, id: '{a}' },
    status: 400,
    body: having({ code: 3, name: 'primary key violation', fields: { id: '{a}' } }),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: '******' },
    status: 400,
    body: having({ code: 2 }),
  },
  { ask: 'POST /oauth2_tokens?dry_run=1', json: { ...token, access_token: 'dry' }, status: 201 },
  {
    ask: 'POST /oauth2_tokens?dry_run=1',
    json: { ...token, access_token: 'a' },
    status: 409,
    body: having({ code: 5 }),
  },
  {
    ask: 'POST /oauth2_tokens?dry_run=1',
    json: { ...token, credential: { id: GONE } },
    status: 400,
    body: having({ code: 4 }),
  },
  { ask: 'GET /oauth2_tokens/dry', status: 404, body: NOT_FOUND },
];

const hostile: readonly Case[] = [
  {
    ask: 'POST /oauth2_tokens',
    json: `{"__proto__":{"expires_in":1},"expires_in":1,"credential":{"id":"${GONE}"}}`,
    status: 400,
    body: wrong('__proto__', 'unknown field'),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: '{"credential":{"__proto__":1},"expires_in":1}',
    status: 400,
    body: having({ code: 2 }),
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: '\ud800' },
    status: 400,
    body: { message: 'Cannot parse JSON body' },
  },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: '' },
    status: 400,
    body: having({ code: 2 }),
  },
  { ask: 'POST /oauth2_tokens', json: '[]', status: 400 },
  { ask: `POST /oauth2_tokens`, json: '['.repeat(100_000), status: 400 },
  { ask: 'GET /oauth2_tokens/%00', status: 400, body: { message: 'the path is not valid UTF-8' } },
  { ask: 'GET /oauth2_tokens/%ff', status: 400, body: { message: 'the path is not valid UTF-8' } },
  { ask: 'GET /oauth2_tokens/__proto__', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2_tokens/constructor', status: 404, body: NOT_FOUND },
  {
    ask: 'POST /oauth2_tokens',
    json: { ...token, access_token: '__proto__', scope: '😀\u0000' },
    status: 201,
    body: having({ access_token: '__proto__', scope: '😀\u0000' }),
  },
  { ask: 'GET /oauth2_tokens/__proto__', status: 200, body: having({ scope: '😀\u0000' }) },
  { ask: 'DELETE /oauth2_tokens/__proto__', status: 204 },
];

const read: readonly Case[] = [
  { ask: 'GET /oauth2_tokens/{t}', status: 200, body: { ...shared, access_token: RANDOM } },
  {
    ask: 'GET /oauth2_tokens/a',
    status: 200,
    body: having({
      id: '{a}',
      ttl: (ttl: unknown) => typeof ttl === 'number' && ttl > 80 && ttl <= 100,
    }),
  },
  { ask: 'HEAD /oauth2_tokens/a', status: 200 },
  { ask: 'GET /oauth2_tokens/none', status: 404, body: NOT_FOUND },
  { ask: `GET /oauth2_tokens/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: `GET /oauth2_tokens/${'x'.repeat(513)}`, status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2/app/oauth2_tokens/a', status: 200, body: having({ id: '{a}' }) },
  { ask: 'GET /oauth2/two/oauth2_tokens/a', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2/two/oauth2_tokens', status: 200, body: page() },
  { ask: 'GET /oauth2/none/oauth2_tokens', status: 404, body: NOT_FOUND },
  { ask: 'GET /services/s/oauth2_tokens/a', status: 200, body: having({ id: '{a}' }) },
  { ask: 'GET /services/s/oauth2_tokens/f', status: 404, body: NOT_FOUND },
  {
    ask: 'GET /services/s/oauth2_tokens?size=1',
    status: 200,
    body: having({ offset: /./, next: /^\/services\/s\/oauth2_tokens\?offset=/ }),
  },
  {
    ask: 'GET /oauth2_tokens?size=2',
    status: 200,
    body: having({ next: /^\/oauth2_tokens\?offset=.*&size=2$/ }),
  },
  { ask: 'GET /oauth2_tokens?size=0', status: 400, body: having({ code: 9 }) },
  { ask: 'GET /oauth2_tokens?offset=x', status: 400, body: having({ code: 7 }) },
  { ask: 'PATCH /oauth2_tokens', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'POST /oauth2_tokens/a', json: {}, status: 405, body: NOT_ALLOWED },
  {
    ask: 'OPTIONS /oauth2_tokens/a',
    status: 204,
    answered: { allow: 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT' },
  },
];

const update: readonly Case[] = [
  {
    ask: 'PATCH /oauth2_tokens/a',
    json: { scope: 'phone' },
    status: 200,
    body: having({ id: '{a}', scope: 'phone', refresh_token: 'r' }),
  },
  {
    ask: 'GET /oauth2_tokens/a',
    status: 200,
    body: having({ ttl: (ttl: unknown) => typeof ttl === 'number' && ttl > 60 }),
  },
  { ask: 'PATCH /oauth2_tokens/a', json: { ttl: 50 }, status: 200, body: having({ ttl: 50 }) },
  { ask: 'PATCH /oauth2_tokens/a', json: { ttl: 0 }, status: 200, body: having({ ttl: null }) },
  {
    ask: 'PATCH /oauth2_tokens/{a}',
    json: { access_token: 'b' },
    status: 200,
    body: having({ id: '{a}', access_token: 'b' }),
  },
  { ask: 'GET /oauth2_tokens/a', status: 404, body: NOT_FOUND },
  {
    ask: 'PATCH /oauth2_tokens/b',
    json: { access_token: 'a', id: GONE },
    status: 200,
    body: having({ id: '{a}' }),
  },
  { ask: 'PATCH /oauth2_tokens/a', json: { access_token: 'f' }, status: 409, body: having({ code: 5 }) },
  {
    ask: 'PATCH /oauth2_tokens/a',
    json: { expires_in: null },
    status: 400,
    body: wrong('expires_in', MISSING),
  },
  {
    ask: 'PATCH /oauth2_tokens/a',
    json: { credential: { id: GONE } },
    status: 400,
    body: having({ code: 4 }),
  },
  {
    ask: 'PATCH /oauth2_tokens/none',
    json: {},
    status: 404,
    body: {
      code: 6,
      name: 'not found',
      message: `could not find the entity with '{access_token="******"}'`,
      fields: { access_token: '******' },
    },
  },
  {
    ask: `PATCH /oauth2_tokens/${GONE}`,
    json: {},
    status: 404,
    body: having({ code: 6, fields: { id: GONE } }),
  },
  {
    ask: 'PATCH /oauth2/app/oauth2_tokens/a',
    json: { scope: null },
    status: 200,
    body: having({ scope: null }),
  },
  { ask: 'PATCH /oauth2/two/oauth2_tokens/a', json: {}, status: 404, body: NOT_FOUND },
  {
    ask: 'PATCH /oauth2_tokens/a',
    json: { scope: 'x' },
    headers: { 'if-match': '"1"' },
    status: 400,
    body: { message: 'If-Match is for the configuration, and no revision has oauth2_tokens' },
  },
  {
    ask: 'PATCH /oauth2_tokens/a?dry_run=1',
    json: { scope: 'x' },
    status: 200,
    body: having({ scope: 'x' }),
  },
  { ask: 'GET /oauth2_tokens/a', status: 200, body: having({ scope: null }) },
];

const put: readonly Case[] = [
  {
    ask: 'PUT /oauth2_tokens/p',
    json: token,
    status: 200,
    body: { ...shared, access_token: 'p' },
    keep: 'p',
  },
  {
    ask: 'PUT /oauth2_tokens/p',
    json: { ...token, refresh_token: 'pr' },
    status: 200,
    body: having({ id: '{p}', refresh_token: 'pr' }),
  },
  { ask: 'PUT /oauth2_tokens/p', json: token, status: 200, body: having({ id: '{p}', refresh_token: null }) },
  {
    ask: 'PUT /oauth2_tokens/{p}',
    json: { ...token, access_token: 'q' },
    status: 200,
    body: having({ id: '{p}', access_token: 'q' }),
  },
  {
    ask: `PUT /oauth2_tokens/${GONE}`,
    json: { ...token, access_token: 'new' },
    status: 200,
    body: having({ id: GONE }),
  },
  {
    ask: 'PUT /oauth2_tokens/z',
    json: { ...token, id: '{p}' },
    status: 400,
    body: having({ code: 3, fields: { access_token: '******' } }),
  },
  { ask: 'PUT /oauth2_tokens/z', json: {}, status: 400, body: having({ code: 2 }) },
  {
    ask: 'PUT /oauth2_tokens/q',
    json: { ...token, refresh_token: 'r' },
    status: 409,
    body: having({ code: 5 }),
  },
  {
    ask: 'PUT /oauth2/app/oauth2_tokens/n',
    json: { expires_in: 1 },
    status: 200,
    body: having({ access_token: 'n', credential: { id: '{c}' } }),
  },
  { ask: 'PUT /oauth2/two/oauth2_tokens/n', json: { expires_in: 1 }, status: 404, body: NOT_FOUND },
  { ask: 'PUT /services/s/oauth2_tokens/n', json: token, status: 404, body: NOT_FOUND },
];

const foreign: readonly Case[] = [
  { ask: 'GET /oauth2_tokens/a/credential', status: 200, body: having({ id: '{c}', client_id: 'app' }) },
  { ask: 'GET /oauth2_tokens/a/service', status: 200, body: having({ id: '{s}' }) },
  { ask: 'GET /oauth2_tokens/f/service', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2_tokens/none/credential', status: 404, body: NOT_FOUND },
  {
    ask: 'PATCH /oauth2_tokens/a/credential',
    json: { name: 'App' },
    status: 200,
    body: having({ id: '{c}', name: 'App' }),
  },
  { ask: 'PATCH /oauth2_tokens/f/service', json: {}, status: 404, body: NOT_FOUND },
  {
    ask: 'PUT /oauth2_tokens/a/service',
    json: { name: 's', host: 'moved' },
    status: 200,
    body: having({ id: '{s}', host: 'moved' }),
  },
  { ask: 'PUT /oauth2_tokens/f/service', json: { name: 'made' }, status: 400, body: wrong('host', MISSING) },
  {
    ask: 'PUT /oauth2_tokens/f/service',
    json: { name: 'made', host: 'h' },
    status: 200,
    body: having({ name: 'made' }),
    keep: 'made',
  },
  { ask: 'GET /oauth2_tokens/f', status: 200, body: having({ service: { id: '{made}' } }) },
  { ask: 'DELETE /oauth2_tokens/a/credential', status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /oauth2_tokens/p/service', status: 404, body: NOT_FOUND },
];

const remove: readonly Case[] = [
  { ask: 'DELETE /oauth2_tokens/none', status: 204 },
  { ask: 'DELETE /oauth2/two/oauth2_tokens/n', status: 404, body: NOT_FOUND },
  { ask: 'DELETE /oauth2/app/oauth2_tokens/n', status: 204 },
  { ask: 'DELETE /oauth2_tokens/q?dry_run=1', status: 204 },
  { ask: 'DELETE /oauth2_tokens/q', status: 204 },
  { ask: 'GET /oauth2_tokens/{p}', status: 404, body: NOT_FOUND },
  { ask: 'POST /oauth2_tokens', json: { ...token, access_token: 'q' }, status: 201 },
  { ask: 'DELETE /oauth2_tokens/{t}', status: 204 },
  // Tokens go with what they refer to.
  { ask: 'POST /services/other/oauth2_tokens', json: { ...token, access_token: 'o' }, status: 201 },
  { ask: 'DELETE /services/other', status: 204 },
  { ask: 'GET /oauth2_tokens/o', status: 404, body: NOT_FOUND },
  { ask: 'POST /oauth2/two/oauth2_tokens', json: { expires_in: 1, access_token: 'of-two' }, status: 201 },
  { ask: 'DELETE /oauth2/two', status: 204 },
  { ask: 'GET /oauth2_tokens/of-two', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2_tokens/a', status: 200 },
  { ask: 'DELETE /consumers/bob', status: 204 },
  { ask: 'GET /oauth2_tokens', status: 200, body: page() },
];

const LISTED = [
  '/oauth2_tokens',
  '/oauth2_tokens/{oauth2_tokens}',
  '/oauth2_tokens/{oauth2_tokens}/credential',
  '/oauth2_tokens/{oauth2_tokens}/service',
  '/oauth2/{oauth2_credentials}/oauth2_tokens/{oauth2_tokens}',
  '/services/{services}/oauth2_tokens/{oauth2_tokens}',
];

const elsewhere: readonly Case[] = [
  { ask: 'GET /tags', status: 200 },
  {
    ask: 'GET /endpoints',
    status: 200,
    body: having({ data: (paths: unknown) => LISTED.every((path) => (paths as string[]).includes(path)) }),
  },
  {
    ask: 'POST /transactions',
    json: { writes: [{ op: 'create', path: '/oauth2_tokens', entity: {} }] },
    status: 400,
    body: having({ message: /oauth2_tokens are no configuration/ }),
  },
  {
    ask: 'POST /transactions',
    json: { writes: [{ op: 'delete', kind: 'oauth2_tokens', key: 'a' }] },
    status: 400,
    body: having({ message: /oauth2_tokens are no configuration/ }),
  },
];

export const TOKENS: Tables = { parents, create, hostile, read, update, put, foreign, remove, elsewhere };
