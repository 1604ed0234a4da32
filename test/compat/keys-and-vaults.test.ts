/** Keys in their sets, vaults. Facts: Kong 3.9's Admin API tests of them, its schemas. */
import { EC_KEY, EC_PUBLIC_KEY } from '../../src/entities/pem.fixture.ts';
import {
  type Case,
  compare,
  having,
  id,
  NOT_ALLOWED,
  NOT_FOUND,
  notUnique,
  page,
  seconds,
  violation,
  wrong,
  wrongEntity,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const MISSING = 'required field missing';
const pem = { public_key: EC_PUBLIC_KEY, private_key: EC_KEY };
const JWK = JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', kid: 'a' });

const keys: readonly Case[] = [
  {
    ask: 'POST /key-sets',
    json: { name: 'set' },
    status: 201,
    body: { id, name: 'set', tags: null, created_at: seconds, updated_at: seconds },
    keep: 'set',
  },
  { ask: 'POST /key-sets', json: {}, status: 201, body: having({ name: null }) },
  {
    ask: 'POST /keys',
    json: { name: 'p', set: { id: '{set}' }, pem, kid: 'p' },
    status: 201,
    body: {
      id,
      name: 'p',
      set: { id: '{set}' },
      kid: 'p',
      pem,
      jwk: null,
      tags: null,
      created_at: seconds,
      updated_at: seconds,
    },
    keep: 'p',
  },
  {
    ask: 'POST /keys',
    json: { name: 'j', kid: 'a', jwk: JWK },
    status: 201,
    body: having({ jwk: JWK, pem: null, set: null }),
  },
  {
    ask: 'POST /keys',
    json: { kid: 'a', set: { name: 'set' }, jwk: JWK },
    status: 201,
    body: having({ set: { id: '{set}' } }),
  },
  {
    ask: 'POST /keys',
    json: { kid: 'p', set: { id: '{set}' }, pem },
    status: 409,
    body: {
      code: 5,
      name: 'unique constraint violation',
      message: 'UNIQUE violation detected on \'{kid="p",set={id="{set}"}}\'',
      fields: { kid: 'p', set: { id: '{set}' } },
    },
  },
  { ask: 'POST /keys', json: { name: 'p', kid: 'q', pem }, status: 409, body: notUnique('name', 'p') },
  {
    ask: 'POST /keys',
    json: { name: 'x', kid: '36', jwk: '{"kid": "36"}' },
    status: 400,
    body: wrongEntity('could not load JWK, likely not a valid key'),
  },
  { ask: 'POST /keys', json: { kid: 'x', pem, jwk: JWK }, status: 400, body: having({ code: 2 }) },
  {
    ask: 'POST /keys',
    json: { kid: 'x' },
    status: 400,
    body: wrongEntity("at least one of these fields must be non-empty: 'jwk', 'pem'"),
  },
  { ask: 'POST /keys', json: { jwk: JWK }, status: 400, body: having({ fields: having({ kid: MISSING }) }) },
  {
    ask: 'PATCH /keys/p',
    json: { name: 'renamed' },
    status: 200,
    body: having({ id: '{p}', name: 'renamed', kid: 'p', pem }),
  },
  {
    ask: 'PATCH /keys/renamed',
    json: { pem: null },
    status: 400,
    body: wrongEntity("when updating, at least one of these fields must be non-empty: 'jwk', 'pem'"),
  },
  { ask: 'GET /key-sets/set/keys/renamed', status: 200, body: having({ id: '{p}' }) },
  { ask: 'GET /keys/renamed/set', status: 200, body: having({ id: '{set}' }) },
  { ask: 'PATCH /key-sets/{set}', json: { name: 'changed' }, status: 200, body: having({ name: 'changed' }) },
  { ask: 'DELETE /key-sets/changed', status: 204 },
  { ask: 'GET /keys', status: 200, body: page(having({ name: 'j' })) },
  { ask: 'GET /keys/j/set', status: 404, body: NOT_FOUND },
];

const NOT_ONE = 'must not be one of: env';
const vaults: readonly Case[] = [
  {
    ask: 'PUT /vaults/env-1',
    json: { name: 'env' },
    status: 200,
    body: having({
      id,
      prefix: 'env-1',
      name: 'env',
      description: null,
      tags: null,
      created_at: seconds,
      updated_at: seconds,
    }),
    keep: 'v',
  },
  { ask: 'GET /vaults/{v}', status: 200, body: having({ prefix: 'env-1' }) },
  { ask: 'GET /vaults/env-1', status: 200, body: having({ id: '{v}' }) },
  { ask: `GET /vaults/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'GET /vaults/not-found', status: 404, body: NOT_FOUND },
  { ask: 'DELETE /vaults', status: 405, body: NOT_ALLOWED },
  { ask: `PUT /vaults/${GONE}`, json: { name: 'env', prefix: 'put-env-id' }, status: 200 },
  {
    ask: 'PUT /vaults/put-env',
    json: { name: 'env', config: { prefix: 'secrets_' } },
    status: 200,
    body: having({ config: having({ prefix: 'secrets_' }) }),
  },
  { ask: 'PUT /vaults/put-env', json: { name: 'env', config: { prefix: 'secrets-' } }, status: 200 },
  {
    ask: `PUT /vaults/${GONE}`,
    json: { name: 'env', prefix: 'env' },
    status: 400,
    body: wrong('prefix', NOT_ONE),
  },
  {
    ask: 'PUT /vaults/env',
    json: { name: 'env' },
    status: 400,
    body: { code: 10, name: 'invalid unique prefix', message: NOT_ONE },
  },
  {
    ask: 'PATCH /vaults/env-1',
    json: { config: { prefix: 'CERT_' } },
    status: 200,
    body: having({ config: having({ prefix: 'CERT_' }) }),
  },
  { ask: 'PATCH /vaults/env-1', json: { prefix: 'env' }, status: 400, body: wrong('prefix', NOT_ONE) },
  {
    ask: `PATCH /vaults/585e4c16-c656-11e6-8db9-5f512d8a12cd`,
    json: { prefix: 'x1' },
    status: 404,
    body: having({ code: 6 }),
  },
  { ask: 'POST /vaults', json: {}, status: 400, body: wrong('name', MISSING) },
  {
    ask: 'POST /vaults',
    json: { name: 'x', prefix: 'xx' },
    status: 400,
    body: wrong('name', "vault 'x' is not installed"),
  },
  { ask: 'POST /vaults', json: { name: 'env' }, status: 400, body: wrong('prefix', MISSING) },
  {
    ask: 'POST /vaults',
    json: { name: 'env', prefix: 'A' },
    status: 400,
    body: wrong('prefix', 'invalid value: A'),
  },
  {
    ask: 'POST /vaults',
    json: { name: 'env', prefix: 'env-1' },
    status: 409,
    body: notUnique('prefix', 'env-1'),
  },
  {
    ask: 'POST /vaults',
    json: { name: 'env', prefix: 'bad', config: { prefix: '1' } },
    status: 400,
    body: violation(
      { config: { prefix: 'invalid value: 1' } },
      'schema violation (config.prefix: invalid value: 1)',
    ),
  },
  { ask: 'DELETE /vaults/env-1', status: 204 },
  { ask: 'GET /vaults/{v}', status: 404, body: NOT_FOUND },
  { ask: 'DELETE /vaults/{v}', status: 204 },
];

compare({ keys, vaults });
