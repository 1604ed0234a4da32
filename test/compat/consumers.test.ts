/** Consumers, and bodies that are none. Facts: Kong 3.9's Admin API tests of consumers. */
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

const NEEDED = "at least one of these fields must be non-empty: 'custom_id', 'username'";
const GONE = '00000000-0000-0000-0000-00000000dead';
const whole = { id, created_at: seconds, updated_at: seconds, username: 'bob', custom_id: null, tags: null };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const creation: readonly Case[] = [
  { ask: 'POST /consumers', json: { username: 'bob' }, status: 201, body: whole, keep: 'bob' },
  {
    ask: 'POST /consumers',
    form: 'username=form&custom_id=12',
    status: 201,
    body: having({ custom_id: '12' }),
  },
  {
    ask: 'POST /consumers',
    multipart: { custom_id: '34' },
    status: 201,
    body: having({ username: null, custom_id: '34' }),
  },
  {
    ask: 'POST /consumers',
    json: { username: 'with space / 世界' },
    status: 201,
    body: having({ username: 'with space / 世界' }),
  },
  { ask: 'GET /consumers/with%20space%20%2F%20%E4%B8%96%E7%95%8C', status: 200 },
  { ask: 'POST /consumers', json: {}, status: 400, body: wrongEntity(NEEDED) },
  { ask: 'POST /consumers', form: 'username=', status: 400, body: wrongEntity(NEEDED) },
  {
    ask: 'POST /consumers',
    json: { username: '' },
    status: 400,
    body: violation(
      { '@entity': [NEEDED], username: 'length must be at least 1' },
      `2 schema violations (${NEEDED}; username: length must be at least 1)`,
    ),
  },
  {
    ask: 'POST /consumers',
    json: { username: 7 },
    status: 400,
    body: wrong('username', 'expected a string'),
  },
  { ask: 'POST /consumers', json: { username: 'bob' }, status: 409, body: notUnique('username', 'bob') },
  {
    ask: 'POST /consumers',
    json: { username: 'tom', custom_id: '12' },
    status: 409,
    body: notUnique('custom_id', '12'),
  },
];

const bodies: readonly Case[] = [
  { ask: 'POST /consumers', json: '{"hello": "world"}', headers: { 'content-type': 'invalid' }, status: 415 },
  { ask: 'POST /consumers', json: '', status: 400, body: { message: 'Cannot parse JSON body' } },
  { ask: 'POST /consumers', headers: FORM, status: 400, body: wrongEntity(NEEDED) },
  {
    ask: 'POST /consumers',
    headers: { 'content-type': 'multipart/form-data' },
    status: 400,
    body: wrongEntity(NEEDED),
  },
  { ask: 'POST /consumers', status: 400, body: wrongEntity(NEEDED) },
  { ask: 'PATCH /consumers/bob', json: '{"a":1}', headers: { 'content-type': 'invalid' }, status: 415 },
  {
    ask: 'PUT /consumers/bob',
    json: '{"hello": "world"',
    status: 400,
    body: { message: 'Cannot parse JSON body' },
  },
  { ask: 'PUT /consumers', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'PATCH /consumers', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /consumers', status: 405, body: NOT_ALLOWED },
];

const one: readonly Case[] = [
  { ask: 'GET /consumers/bob', status: 200, body: { ...whole, id: '{bob}' } },
  { ask: 'GET /consumers/_nobody_', status: 404, body: NOT_FOUND },
  {
    ask: 'PATCH /consumers/_nobody_',
    json: { username: 'x' },
    status: 404,
    body: {
      code: 6,
      name: 'not found',
      message: 'could not find the entity with \'{username="_nobody_"}\'',
      fields: { username: '_nobody_' },
    },
  },
  {
    ask: 'PATCH /consumers/bob',
    json: { username: null },
    status: 400,
    body: wrongEntity(`when updating, ${NEEDED}`),
  },
  {
    ask: 'PATCH /consumers/bob',
    json: { custom_id: '56', username: null },
    status: 200,
    body: having({ id: '{bob}', username: null, custom_id: '56' }),
  },
  {
    ask: 'PATCH /consumers/{bob}',
    json: { username: 'bob' },
    status: 200,
    body: having({ username: 'bob', custom_id: '56' }),
  },
  { ask: 'PUT /consumers/bob', json: {}, status: 200, body: { ...whole, id: '{bob}' } },
  { ask: `PUT /consumers/${GONE}`, json: {}, status: 400, body: wrongEntity(NEEDED) },
  {
    ask: `PUT /consumers/${GONE}`,
    json: { custom_id: '78' },
    status: 200,
    body: having({ id: GONE, username: null, custom_id: '78' }),
  },
  { ask: 'PUT /consumers/new-one', json: {}, status: 200, body: having({ username: 'new-one' }) },
  { ask: 'GET /consumers?custom_id=78', status: 200, body: page(having({ id: GONE })) },
  { ask: `GET /consumers?custom_id=${GONE}`, status: 200, body: page() },
  { ask: 'GET /consumers?custom_id=', status: 400, body: { message: 'custom_id must be an unempty string' } },
  {
    ask: 'GET /consumers?tags=',
    status: 400,
    body: {
      code: 11,
      name: 'invalid options',
      message: 'invalid option (tags: cannot be null)',
      options: { tags: 'cannot be null' },
    },
  },
  { ask: 'GET /consumers/bob/plugins', status: 200, body: page() },
  { ask: `DELETE /consumers/bob/plugins/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'DELETE /consumers/bob', status: 204 },
  { ask: 'DELETE /consumers/bob', status: 204 },
  { ask: 'GET /consumers/{bob}', status: 404, body: NOT_FOUND },
];

compare({ creation, bodies, one });
