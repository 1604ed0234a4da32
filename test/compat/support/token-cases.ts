/**
 * OAuth 2.0 tokens, of which no revision knows. Facts: Kong 3.9's definition of `oauth2_tokens`, the rules by which it
 * makes endpoints of definitions, and the Admin API tests of its plugin.
 */
import { type Case, having, NOT_FOUND, notUnique, page, type Tables, violation, wrong } from './cases.ts';
import { foreign, put, read, remove, update } from './token-changes.ts';
import { GONE, MISSING, RANDOM, shared, token, TTL } from './token-values.ts';

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
