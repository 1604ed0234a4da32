/** Credentials of each kind. Facts: Kong 3.9's tests of the plugins' Admin APIs, the plugins' schemas. */
import {
  type Case,
  absent,
  compare,
  having,
  id,
  NOT_FOUND,
  notUnique,
  page,
  seconds,
  violation,
  wrong,
  wrongEntity,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const RANDOM = /^[0-9A-Za-z]{32}$/;
const MISSING = 'required field missing';
const people: readonly Case[] = [
  { ask: 'POST /consumers', json: { username: 'bob' }, status: 201, keep: 'bob' },
  { ask: 'POST /consumers', json: { username: 'eve' }, status: 201, keep: 'eve' },
];
const shared = { id, created_at: seconds, consumer: { id: '{bob}' }, tags: null };
const needsConsumer = wrong('consumer', MISSING);

const key: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/key-auth',
    json: { key: '1234' },
    status: 201,
    body: { ...shared, key: '1234', ttl: null, updated_at: undefined },
    keep: 'k',
  },
  { ask: 'POST /consumers/bob/key-auth', json: {}, status: 201, body: { ...shared, key: RANDOM, ttl: null } },
  { ask: 'POST /consumers/bob/key-auth', status: 201, body: { ...shared, key: RANDOM, ttl: null } },
  {
    ask: 'POST /consumers/bob/key-auth',
    json: { key: 't', ttl: 100, tags: ['a'] },
    status: 201,
    body: { ...shared, key: 't', ttl: 100, tags: ['a'] },
  },
  {
    ask: 'GET /consumers/bob/key-auth/t',
    status: 200,
    body: having({ ttl: (ttl: unknown) => typeof ttl === 'number' && ttl > 90 && ttl <= 100 }),
  },
  { ask: 'POST /consumers/bob/key-auth', form: 'key=f&ttl=100', status: 201, body: having({ ttl: 100 }) },
  {
    ask: 'POST /consumers/bob/key-auth',
    json: { ttl: -1 },
    status: 400,
    body: {
      code: 11,
      name: 'invalid options',
      message: 'invalid option (ttl: must be an integer between 0 and 100000000)',
      options: { ttl: 'must be an integer between 0 and 100000000' },
    },
  },
  { ask: 'POST /consumers/bob/key-auth', json: { ttl: 100000001 }, status: 400, body: having({ code: 11 }) },
  // Kong shows the key: here no message shows a secret.
  {
    ask: 'POST /consumers/bob/key-auth',
    json: { key: '1234' },
    status: 409,
    body: notUnique('key', '******'),
  },
  {
    ask: 'POST /consumers/bob/key-auth',
    json: { key: 1 },
    status: 400,
    body: wrong('key', 'expected a string'),
  },
  { ask: 'POST /key-auths', json: { key: 'x' }, status: 400, body: needsConsumer },
  {
    ask: 'POST /key-auths',
    json: { key: 'x', consumer: { username: 'bob' } },
    status: 201,
    body: having({ consumer: { id: '{bob}' } }),
  },
  { ask: 'PUT /key-auths/y', json: {}, status: 400, body: needsConsumer },
  { ask: 'PUT /key-auths/y', json: { consumer: { id: '{bob}' } }, status: 200, body: having({ key: 'y' }) },
  { ask: 'GET /key-auths/{k}/consumer', status: 200, body: having({ id: '{bob}', username: 'bob' }) },
  { ask: 'GET /key-auths/1234/consumer', status: 200, body: having({ id: '{bob}' }) },
  { ask: 'GET /consumers/bob/key-auth/1234', status: 200, body: having({ id: '{k}' }) },
  { ask: 'GET /consumers/eve/key-auth/{k}', status: 404, body: NOT_FOUND },
  {
    ask: 'PUT /consumers/bob/key-auth/put',
    json: {},
    status: 200,
    body: having({ key: 'put', consumer: { id: '{bob}' } }),
  },
  {
    ask: 'PATCH /consumers/bob/key-auth/{k}',
    json: { key: '4321' },
    status: 200,
    body: having({ id: '{k}', key: '4321' }),
  },
  {
    ask: 'PATCH /consumers/bob/key-auth/4321',
    json: { key: 123 },
    status: 400,
    body: wrong('key', 'expected a string'),
  },
  {
    ask: 'PATCH /consumers/bob/key-auth/4321',
    json: { ttl: 50 },
    status: 200,
    body: having({ id: '{k}', ttl: 50 }),
  },
  { ask: 'DELETE /consumers/bob/key-auth/blah', status: 404, body: NOT_FOUND },
  { ask: `DELETE /consumers/bob/key-auth/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'DELETE /consumers/bob/key-auth/{k}', status: 204 },
];

/** Where Kong has SHA-1. */
const ARGON2ID = /^\$argon2id\$v=19\$/;
const SET = "all or none of these fields must be set: 'password', 'consumer.id'";
const basic: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/basic-auth',
    json: { username: 'bob', password: 'kong' },
    status: 201,
    body: { ...shared, username: 'bob', password: ARGON2ID },
    keep: 'b',
  },
  {
    ask: 'POST /consumers/bob/basic-auth',
    json: {},
    status: 400,
    body: violation(
      { password: MISSING, username: MISSING },
      `2 schema violations (password: ${MISSING}; username: ${MISSING})`,
    ),
  },
  {
    ask: 'POST /consumers/bob/basic-auth',
    json: { username: 'bob', password: 'x' },
    status: 409,
    body: notUnique('username', 'bob'),
  },
  {
    ask: 'POST /basic-auths',
    json: { username: 'x' },
    status: 400,
    body: violation(
      { consumer: MISSING, password: MISSING },
      `2 schema violations (consumer: ${MISSING}; password: ${MISSING})`,
    ),
  },
  {
    ask: 'GET /consumers/bob/basic-auth/bob',
    status: 200,
    body: having({ id: '{b}', password: ARGON2ID }),
  },
  { ask: 'PATCH /basic-auths/bob', json: { consumer: { id: '{eve}' } }, status: 400, body: wrongEntity(SET) },
  {
    ask: 'PATCH /consumers/bob/basic-auth/bob',
    json: { username: 'Tyrion Lannister' },
    status: 200,
    body: having({ id: '{b}', username: 'Tyrion Lannister' }),
  },
  {
    ask: 'PATCH /consumers/bob/basic-auth/{b}',
    json: { username: 123 },
    status: 400,
    body: wrong('username', 'expected a string'),
  },
  {
    ask: 'PUT /consumers/bob/basic-auth/robert',
    json: { password: 'x' },
    status: 200,
    body: having({ username: 'robert' }),
  },
  { ask: 'PUT /consumers/bob/basic-auth/rob', json: {}, status: 400, body: wrong('password', MISSING) },
];

const RULE = "failed conditional validation given value of field 'algorithm'";
const badKey = (message: string): unknown =>
  violation(
    { '@entity': [RULE], rsa_public_key: message },
    `2 schema violations (${RULE}; rsa_public_key: ${message})`,
  );
const jwt: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/jwt',
    json: {},
    status: 201,
    body: { ...shared, key: RANDOM, secret: RANDOM, rsa_public_key: null, algorithm: 'HS256' },
  },
  {
    ask: 'POST /consumers/bob/jwt/',
    json: { key: 'j', secret: 'tooshort' },
    status: 201,
    body: having({ key: 'j', secret: 'tooshort' }),
    keep: 'j',
  },
  {
    ask: 'POST /consumers/bob/jwt',
    json: { key: 'r', algorithm: 'RS256' },
    status: 400,
    body: badKey(MISSING),
  },
  {
    ask: 'POST /consumers/bob/jwt',
    json: { key: 'r', algorithm: 'RS256', rsa_public_key: 'test' },
    status: 400,
    body: badKey('invalid key'),
  },
  { ask: 'POST /consumers/bob/jwt', json: { key: 'e', algorithm: 'ES256' }, status: 201 },
  {
    ask: 'POST /consumers/bob/jwt',
    json: { algorithm: 'XX' },
    status: 400,
    body: wrong(
      'algorithm',
      'expected one of: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA',
    ),
  },
  { ask: 'POST /jwts', json: {}, status: 400, body: needsConsumer },
  {
    ask: 'PATCH /consumers/bob/jwt/j',
    json: { secret: 'new' },
    status: 200,
    body: having({ id: '{j}', key: 'j', secret: 'new' }),
  },
  // A PUT without a secret gets a new one.
  {
    ask: 'PUT /consumers/bob/jwt/{j}',
    json: { key: 'j' },
    status: 200,
    body: having({ id: '{j}', secret: RANDOM }),
  },
  { ask: 'DELETE /consumers/bob/jwt/j', status: 204 },
];

const hmac: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/hmac-auth',
    json: { username: 'h' },
    status: 201,
    body: { ...shared, username: 'h', secret: RANDOM },
    keep: 'h',
  },
  { ask: 'POST /consumers/bob/hmac-auth', json: {}, status: 400, body: wrong('username', MISSING) },
  {
    ask: 'PATCH /consumers/bob/hmac-auth/{h}',
    json: { username: '' },
    status: 400,
    body: wrong('username', 'length must be at least 1'),
  },
  { ask: 'PUT /consumers/bob/hmac-auth/foo', json: {}, status: 200, body: having({ username: 'foo' }) },
  {
    ask: 'PUT /consumers/bob/hmac-auth/foo',
    json: { secret: 123 },
    status: 400,
    body: wrong('secret', 'expected a string'),
  },
];

const acl: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/acls',
    json: { group: 'admin' },
    status: 201,
    body: { ...shared, group: 'admin' },
    keep: 'a',
  },
  { ask: 'POST /consumers/bob/acls', json: {}, status: 400, body: wrong('group', MISSING) },
  {
    ask: 'POST /consumers/bob/acls',
    json: { group: 'admin' },
    status: 409,
    body: {
      code: 5,
      name: 'unique constraint violation',
      message: 'UNIQUE violation detected on \'{consumer={id="{bob}"},group="admin"}\'',
      fields: { consumer: { id: '{bob}' }, group: 'admin' },
    },
  },
  { ask: 'POST /consumers/eve/acls', json: { group: 'admin' }, status: 201 },
  { ask: 'GET /consumers/bob/acls/admin', status: 200, body: having({ id: '{a}' }) },
  { ask: 'GET /consumers/bob/acls/nobody', status: 404, body: having({ message: 'Not found' }) },
  {
    ask: 'GET /acls/admin',
    status: 400,
    body: {
      code: 1,
      name: 'invalid primary key',
      message: 'invalid primary key: \'{id="expected a valid UUID"}\'',
      fields: { id: 'expected a valid UUID' },
    },
  },
  { ask: 'PUT /consumers/bob/acls/pro', json: {}, status: 200, body: having({ group: 'pro' }) },
  {
    ask: 'PATCH /consumers/bob/acls/admin',
    json: { group: 'vip' },
    status: 200,
    body: having({ id: '{a}', group: 'vip' }),
  },
  {
    ask: 'PATCH /consumers/bob/acls/vip',
    json: { group: 123 },
    status: 400,
    body: wrong('group', 'expected a string'),
  },
  { ask: 'DELETE /consumers/bob/acls/vip', status: 204 },
];

const oauth2: readonly Case[] = [
  {
    ask: 'POST /consumers/bob/oauth2',
    json: { name: 'Test APP', redirect_uris: ['http://google.test/'] },
    status: 201,
    body: {
      ...shared,
      name: 'Test APP',
      client_id: RANDOM,
      client_secret: RANDOM,
      hash_secret: false,
      redirect_uris: ['http://google.test/'],
      client_type: 'confidential',
    },
  },
  {
    ask: 'POST /consumers/bob/oauth2',
    form: 'name=Form&redirect_uris[]=http://a.test/&redirect_uris[]=http://b.test/',
    status: 201,
    body: having({ redirect_uris: ['http://a.test/', 'http://b.test/'] }),
  },
  { ask: 'POST /consumers/bob/oauth2', json: {}, status: 400, body: wrong('name', MISSING) },
  {
    ask: 'POST /consumers/bob/oauth2',
    json: { name: 'x', redirect_uris: 'http://a.test' },
    status: 400,
    body: wrong('redirect_uris', 'expected an array'),
  },
  {
    ask: 'POST /consumers/bob/oauth2',
    json: { name: 'x', redirect_uris: ['not-valid'] },
    status: 400,
    body: violation(
      { redirect_uris: ["cannot parse 'not-valid'"] },
      "schema violation (redirect_uris.1: cannot parse 'not-valid')",
    ),
  },
  {
    ask: 'POST /consumers/bob/oauth2',
    json: { name: 'x', redirect_uris: ['http://valid.test', 'http://test.test/#with-fragment'] },
    status: 400,
    body: having({
      fields: { redirect_uris: [null, "fragment not allowed in 'http://test.test/#with-fragment'"] },
    }),
  },
  {
    ask: 'PUT /consumers/bob/oauth2/client_one',
    json: { name: 'Test APP' },
    status: 200,
    body: having({ client_id: 'client_one', redirect_uris: null }),
  },
  { ask: 'GET /oauth2/client_one/consumer', status: 200, body: having({ id: '{bob}' }) },
];

const ends: readonly Case[] = [
  { ask: 'DELETE /consumers/bob', status: 204 },
  { ask: 'GET /key-auths', status: 200, body: page() },
  { ask: 'GET /oauth2', status: 200, body: page() },
  { ask: 'GET /acls', status: 200, body: page(having({ consumer: { id: '{eve}' }, ttl: absent })) },
];

compare({ people, key, basic, jwt, hmac, acl, oauth2, ends });
