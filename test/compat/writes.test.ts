/** What PUT, PATCH, null and repetition mean for entities. Facts: Kong 3.9's Admin API tests, its DAO and schema library. */
import { type Case, compare, having, NOT_FOUND, seconds, violation, wrong } from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const UPPER = 'ABCDEF00-0000-0000-0000-00000000000A';

const put: readonly Case[] = [
  {
    ask: 'PUT /services/s',
    json: { host: 'h', retries: 9, tags: ['a'], created_at: 1600000000 },
    status: 200,
    body: having({ name: 's', retries: 9, created_at: 1600000000 }),
    keep: 's',
  },
  // What is left out has its default again, the time of creation too.
  {
    ask: 'PUT /services/s',
    json: { host: 'i' },
    status: 200,
    body: having({
      id: '{s}',
      host: 'i',
      retries: 5,
      tags: null,
      created_at: (at: unknown) => seconds(at) && at !== 1600000000,
    }),
  },
  {
    ask: 'PUT /services/s',
    json: { host: 'i', created_at: 1600000000 },
    status: 200,
    body: having({ created_at: (at: unknown) => typeof at === 'number' }),
  },
  // The name of the path counts.
  {
    ask: 'PUT /services/s',
    json: { name: null, host: 'h' },
    status: 200,
    body: having({ id: '{s}', name: 's' }),
  },
  {
    ask: `PUT /consumers/${UPPER}`,
    json: { username: 'upper' },
    status: 200,
    body: having({ id: UPPER.toLowerCase() }),
  },
  { ask: `GET /consumers/${UPPER}`, status: 200, body: having({ username: 'upper' }) },
  {
    ask: 'PUT /consumers/upper',
    json: { username: 'lower' },
    status: 200,
    body: having({ username: 'upper' }),
  },
  { ask: 'POST /services/s/routes', json: { name: 'r', paths: ['/'] }, status: 201, keep: 'r' },
  { ask: 'PUT /services/s', json: { host: 'k' }, status: 200, body: having({ id: '{s}' }) },
  { ask: 'GET /routes/r/service', status: 200, body: having({ host: 'k' }) },
  {
    ask: 'PUT /routes/r',
    json: { paths: ['/'], service: { name: 's' } },
    status: 200,
    body: having({ service: { id: '{s}' } }),
  },
  { ask: 'PUT /routes/r', json: { paths: ['/'] }, status: 200, body: having({ service: null }) },
];

const patch: readonly Case[] = [
  {
    ask: 'PATCH /services/s',
    json: { tags: ['a', 'b'], path: '/x' },
    status: 200,
    body: having({ tags: ['a', 'b'], path: '/x', host: 'k' }),
  },
  { ask: 'PATCH /services/s', json: { tags: ['c'] }, status: 200, body: having({ tags: ['c'], path: '/x' }) },
  { ask: 'PATCH /services/s', json: { tags: [] }, status: 200, body: having({ tags: [] }) },
  { ask: 'PATCH /services/s', json: { path: null }, status: 200, body: having({ path: null }) },
  { ask: 'PATCH /services/s', json: { name: 't' }, status: 200, body: having({ id: '{s}', name: 't' }) },
  { ask: 'GET /services/s', status: 404, body: NOT_FOUND },
  { ask: 'PATCH /services/t', json: { name: null }, status: 200, body: having({ id: '{s}', name: null }) },
  {
    ask: 'PATCH /services/{s}',
    json: { created_at: 1600000000 },
    status: 200,
    body: having({ created_at: 1600000000, updated_at: seconds }),
  },
  { ask: 'PATCH /services/{s}', json: { foo: 1 }, status: 400, body: wrong('foo', 'unknown field') },
  {
    ask: 'PATCH /services/{s}',
    json: { host: null, port: 'x' },
    status: 400,
    body: violation(
      { host: 'required field missing', port: 'expected an integer' },
      '2 schema violations (host: required field missing; port: expected an integer)',
    ),
  },
  { ask: 'PATCH /routes/r', json: { service: { id: GONE } }, status: 400, body: having({ code: 4 }) },
  {
    ask: 'PATCH /routes/r',
    json: { service: {} },
    status: 400,
    body: having({ fields: { service: { id: 'missing primary key' } } }),
  },
  {
    ask: 'PATCH /routes/r',
    json: { headers: { a: ['1'] } },
    status: 200,
    body: having({ headers: { a: ['1'] } }),
  },
  {
    ask: 'PATCH /routes/r',
    json: { headers: { b: ['2'] } },
    status: 200,
    body: having({ headers: { b: ['2'] } }),
  },
];

const bodies: readonly Case[] = [
  {
    ask: 'POST /services',
    json: { host: 'h', protocol: null },
    status: 400,
    body: wrong('protocol', 'required field missing'),
  },
  { ask: 'POST /services', json: { host: 'h', id: null }, status: 201 },
  {
    ask: 'POST /services',
    json: { host: 'h', created_at: 0 },
    status: 400,
    body: wrong('created_at', 'expected a valid timestamp'),
  },
  {
    ask: 'POST /services',
    json: { host: 'h', created_at: 'x' },
    status: 400,
    body: wrong('created_at', 'expected an integer'),
  },
  { ask: 'POST /routes', json: { paths: [] }, status: 400, body: having({ code: 2 }) },
  { ask: 'POST /routes', json: { paths: {}, hosts: ['a'] }, status: 201, body: having({ paths: [] }) },
  {
    ask: 'POST /routes',
    json: { paths: ['/x'], protocols: [] },
    status: 400,
    body: wrong('protocols', 'length must be at least 1'),
  },
  {
    ask: 'POST /routes',
    json: { paths: ['/x'], headers: { a: 'b' } },
    status: 400,
    body: wrong('headers', 'expected an array'),
  },
  {
    ask: 'POST /routes',
    json: { paths: ['/x'], regex_priority: 9007199254740992 },
    status: 201,
    body: having({ regex_priority: 9007199254740992 }),
  },
  { ask: 'POST /services', json: '{"host":"a","host":"b"}', status: 201, body: having({ host: 'b' }) },
  { ask: 'POST /services', json: '"x"', status: 400, body: { message: 'Cannot parse JSON body' } },
  {
    ask: 'POST /services',
    json: { host: 'h' },
    headers: { 'content-type': 'application/json; charset=utf-8' },
    status: 201,
  },
  { ask: 'POST /services', json: 'host: h', headers: { 'content-type': 'text/yaml' }, status: 415 },
];

compare({ put, patch, bodies });
