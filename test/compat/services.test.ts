/** Services: whole answers, `url`, rules across fields. Facts: Kong 3.9's Admin API tests of services, its schema. */
import {
  type Case,
  compare,
  having,
  id,
  NOT_FOUND,
  NOT_ALLOWED,
  notUnique,
  page,
  seconds,
  violation,
  wrong,
} from './support/cases.ts';

const PROTOCOLS = 'grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp';
const GONE = '00000000-0000-0000-0000-00000000dead';

const whole = {
  id,
  created_at: seconds,
  updated_at: seconds,
  name: null,
  retries: 5,
  protocol: 'http',
  host: 'example.test',
  port: 80,
  path: null,
  connect_timeout: 60000,
  write_timeout: 60000,
  read_timeout: 60000,
  tags: null,
  client_certificate: null,
  tls_verify: null,
  tls_verify_depth: null,
  ca_certificates: null,
  enabled: true,
};

const post = (json: unknown, status: number, body: unknown): Case => ({
  ask: 'POST /services',
  json,
  status,
  body,
});
const conditional = (field: string, message: string): unknown => {
  const entity = "failed conditional validation given value of field 'protocol'";
  return violation(
    { '@entity': [entity], [field]: message },
    `2 schema violations (${entity}; ${field}: ${message})`,
  );
};

const creation: readonly Case[] = [
  post({ host: 'example.test' }, 201, whole),
  post(
    { name: 'one', host: 'example.test', tags: ['b', 'a', 'b'], retries: 0, path: '/x', enabled: false },
    201,
    {
      ...whole,
      name: 'one',
      tags: ['b', 'a'],
      retries: 0,
      path: '/x',
      enabled: false,
    },
  ),
  post({ name: 'one', host: 'h' }, 409, notUnique('name', 'one')),
  post({ name: 'ü-ñ', host: 'h' }, 201, having({ name: 'ü-ñ' })),
  { ask: 'GET /services/%C3%BC-%C3%B1', status: 200, body: having({ name: 'ü-ñ' }) },
  post(
    { host: 'h', created_at: 1600000000, updated_at: 1600000000 },
    201,
    having({ created_at: 1600000000, updated_at: seconds }),
  ),
  {
    ask: 'POST /services',
    multipart: { name: 'parts', host: 'h', 'tags[1]': 'a', 'tags[2]': 'b', retries: '2' },
    status: 201,
    body: having({ tags: ['a', 'b'], retries: 2 }),
  },
];

const url: readonly Case[] = [
  post(
    { url: 'http://service.test:99/path' },
    201,
    having({ protocol: 'http', host: 'service.test', port: 99, path: '/path', url: undefined }),
  ),
  post({ url: 'http://service.test/' }, 201, having({ port: 80, path: '/' })),
  post({ url: '' }, 400, wrong('url', 'length must be at least 1')),
  post({ url: 7 }, 400, wrong('url', 'expected a string')),
  post({ url: ' ' }, 400, undefined),
  post(
    { url: 'invalid url' },
    400,
    violation(
      { host: 'required field missing', path: 'should start with: /' },
      '2 schema violations (host: required field missing; path: should start with: /)',
    ),
  ),
  {
    ask: 'PUT /services/by-url',
    json: { url: 'http://a.test:1/x' },
    status: 200,
    body: having({ protocol: 'http', host: 'a.test', port: 1, path: '/x' }),
  },
  {
    ask: 'PATCH /services/by-url',
    json: { url: 'http://b.test:443' },
    status: 200,
    body: having({ protocol: 'http', host: 'b.test', port: 443, path: null }),
  },
  {
    ask: 'PATCH /services/by-url',
    form: 'url=http://c.test:80/',
    status: 200,
    body: having({ protocol: 'http', host: 'c.test', port: 80, path: '/' }),
  },
  {
    ask: 'PATCH /services/by-url',
    json: { url: 'http://c.test' },
    status: 200,
    body: having({ protocol: 'http', port: 80, path: null }),
  },
];

const refused: readonly Case[] = [
  post('{"hello": "world"', 400, { message: 'Cannot parse JSON body' }),
  post({}, 400, wrong('host', 'required field missing')),
  { ask: 'POST /services', form: 'host=', status: 400, body: wrong('host', 'required field missing') },
  post({ host: 'h', protocol: 'foo' }, 400, wrong('protocol', `expected one of: ${PROTOCOLS}`)),
  post(
    { host: 'h', name: 'no spaces' },
    400,
    wrong(
      'name',
      "invalid value 'no spaces': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
    ),
  ),
  post({ host: 'h:80' }, 400, wrong('host', 'must not have a port')),
  post({ host: 'h', port: 65536 }, 400, wrong('port', 'value should be between 0 and 65535')),
  post({ host: 'h', port: '80' }, 400, wrong('port', 'expected an integer')),
  post({ host: 'h', retries: 32768 }, 400, wrong('retries', 'value should be between 0 and 32767')),
  post(
    { host: 'h', connect_timeout: 0 },
    400,
    wrong('connect_timeout', 'value should be between 1 and 2147483646'),
  ),
  post({ host: 'h', path: 'x' }, 400, wrong('path', 'should start with: /')),
  post({ host: 'h', path: '/a//b' }, 400, wrong('path', 'must not have empty segments')),
  post({ host: 'h', tags: 'x' }, 400, wrong('tags', 'expected a set')),
  post(
    { host: 'h', tags: ['a,b'] },
    400,
    having({
      fields: {
        tags: ["invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"],
      },
    }),
  ),
  post({ host: 'h', foo: 1 }, 400, wrong('foo', 'unknown field')),
  post({ host: 'h', id: 'x' }, 400, wrong('id', 'expected a valid UUID')),
  post({ host: 'h', protocol: 'tcp', path: '/x' }, 400, conditional('path', 'value must be null')),
  post({ host: 'h', protocol: 'tcp', path: 'x' }, 400, conditional('path', 'value must be null')),
  post(
    { host: 'h', protocol: 'http', tls_verify: true },
    400,
    conditional('tls_verify', 'value must be null'),
  ),
  post(
    { host: 'h', protocol: 'http', tls_verify_depth: 1 },
    400,
    conditional('tls_verify_depth', 'value must be null'),
  ),
  post(
    { host: 'h', protocol: 'http', ca_certificates: [GONE] },
    400,
    conditional('ca_certificates', 'value must be null'),
  ),
  post(
    { host: 'h', protocol: 'http', client_certificate: { id: GONE } },
    400,
    conditional('client_certificate', 'value must be null'),
  ),
  post({ host: 'h', enabled: 'yes' }, 400, wrong('enabled', 'expected a boolean')),
  post({ host: 'h', retries: 1.5 }, 400, wrong('retries', 'expected an integer')),
  post({ host: null }, 400, wrong('host', 'required field missing')),
];

const one: readonly Case[] = [
  { ask: 'GET /services/one', status: 200, body: having({ name: 'one' }), keep: 'one' },
  { ask: 'GET /services/{one}/', status: 200 },
  { ask: `GET /services/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'GET /services/nobody', status: 404, body: NOT_FOUND },
  {
    ask: 'GET /services/no%20name',
    status: 400,
    body: {
      code: 10,
      name: 'invalid unique name',
      message:
        "invalid value 'no name': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
    },
  },
  { ask: 'GET /services?foo=bar&tags=none', status: 200, body: page() },
  {
    ask: 'PATCH /services/{one}',
    json: { retries: 7 },
    status: 200,
    body: having({ id: '{one}', name: 'one', protocol: 'http', retries: 7, path: '/x', tags: ['b', 'a'] }),
  },
  {
    ask: 'PATCH /services/{one}',
    json: { tags: null, path: null },
    status: 200,
    body: having({ tags: null, path: null }),
  },
  {
    ask: 'PATCH /services/one',
    json: { host: null },
    status: 400,
    body: wrong('host', 'required field missing'),
  },
  {
    ask: 'PATCH /services/one',
    json: { protocol: 'tcp', path: '/y' },
    status: 400,
    body: conditional('path', 'value must be null'),
  },
  // An id is not a thing that a PATCH changes, nor is it a reason to refuse one.
  {
    ask: 'PATCH /services/one',
    json: { id: GONE, retries: 3 },
    status: 200,
    body: having({ id: '{one}', retries: 3 }),
  },
  { ask: 'PATCH /services/one', json: { id: 'x' }, status: 400, body: wrong('id', 'expected a valid UUID') },
  { ask: 'PATCH /services/one', json: {}, status: 200, body: having({ id: '{one}' }) },
  { ask: 'PATCH /services/one', json: '', status: 400, body: { message: 'Cannot parse JSON body' } },
  {
    ask: `PATCH /services/${GONE}`,
    json: { host: 'h' },
    status: 404,
    body: {
      code: 6,
      name: 'not found',
      message: `could not find the entity with primary key '{id="${GONE}"}'`,
      fields: { id: GONE },
    },
  },
  {
    ask: 'PUT /services/{one}',
    json: { host: 'h' },
    status: 200,
    body: { ...whole, id: '{one}', host: 'h' },
  },
  {
    ask: `PUT /services/${GONE}`,
    json: { host: 'h', name: 'put' },
    status: 200,
    body: { ...whole, id: GONE, host: 'h', name: 'put' },
  },
  // The id of the path counts, and by name the id that there is.
  {
    ask: 'PUT /services/put',
    json: { id: '{one}', host: 'i' },
    status: 200,
    body: having({ id: GONE, host: 'i' }),
  },
  {
    ask: `PUT /services/${GONE}`,
    json: { id: '{one}', host: 'j', name: 'put' },
    status: 200,
    body: having({ id: GONE, host: 'j' }),
  },
  {
    ask: 'PUT /services/put',
    json: { name: 'other', host: 'k' },
    status: 200,
    body: having({ id: GONE, name: 'put' }),
  },
  {
    ask: 'PUT /services/{one}',
    json: { host: 'h', name: 'put' },
    status: 409,
    body: notUnique('name', 'put'),
  },
  {
    ask: 'PUT /services/fresh',
    json: { id: GONE, host: 'h' },
    status: 400,
    body: {
      code: 3,
      name: 'primary key violation',
      message: `primary key violation on key '{name="fresh"}'`,
      fields: { name: 'fresh' },
    },
  },
  { ask: 'PUT /services/fresh', json: {}, status: 400, body: wrong('host', 'required field missing') },
  {
    ask: 'POST /services',
    json: { id: GONE, host: 'h' },
    status: 400,
    body: {
      code: 3,
      name: 'primary key violation',
      message: `primary key violation on key '{id="${GONE}"}'`,
      fields: { id: GONE },
    },
  },
  { ask: 'PUT /services', json: { host: 'h' }, status: 405, body: NOT_ALLOWED },
  { ask: 'POST /services/one', json: { host: 'h' }, status: 405, body: NOT_ALLOWED },
];

const related: readonly Case[] = [
  {
    ask: 'POST /services/put/routes',
    json: { name: 'r', paths: ['/r'] },
    status: 201,
    body: having({ service: { id: GONE } }),
    keep: 'r',
  },
  {
    ask: 'POST /services/put/routes',
    json: { paths: ['/q'], service: { id: '{one}' } },
    status: 201,
    body: having({ service: { id: GONE } }),
  },
  { ask: 'POST /services/nobody/routes', json: { paths: ['/r'] }, status: 404, body: NOT_FOUND },
  { ask: 'GET /services/nobody/routes', status: 404, body: NOT_FOUND },
  { ask: 'GET /services/put/routes/r', status: 200, body: having({ id: '{r}' }) },
  { ask: 'GET /services/{one}/routes/r', status: 404, body: NOT_FOUND },
  { ask: 'PATCH /services/{one}/routes/r', json: { paths: ['/x'] }, status: 404, body: NOT_FOUND },
  { ask: 'DELETE /services/{one}/routes/r', status: 404, body: NOT_FOUND },
  {
    ask: 'DELETE /services/put',
    status: 400,
    body: {
      code: 4,
      name: 'foreign key violation',
      message: "an existing 'routes' entity references this 'services' entity",
      fields: { '@referenced_by': 'routes' },
    },
  },
  {
    ask: 'PUT /services/put/routes/s',
    json: { paths: ['/s'] },
    status: 200,
    body: having({ name: 's', service: { id: GONE } }),
  },
  { ask: 'DELETE /services/put/routes/r', status: 204 },
  { ask: 'DELETE /services/put/routes/r', status: 404, body: NOT_FOUND },
  { ask: 'GET /services/{one}/client_certificate', status: 404, body: NOT_FOUND },
  { ask: 'DELETE /services/{one}', status: 204 },
  { ask: 'DELETE /services/{one}', status: 204 },
  { ask: 'DELETE /services/nobody', status: 204 },
];

compare({ creation, url, refused, one, related });
