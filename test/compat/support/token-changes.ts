/** Tokens that are there (`token-cases.ts` makes them): read, changed, replaced, referred from, removed. */
import { type Case, NOT_ALLOWED, NOT_FOUND, having, page, wrong } from './cases.ts';
import { GONE, MISSING, RANDOM, shared, token } from './token-values.ts';

export const read: readonly Case[] = [
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

export const update: readonly Case[] = [
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

export const put: readonly Case[] = [
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

export const foreign: readonly Case[] = [
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

export const remove: readonly Case[] = [
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
