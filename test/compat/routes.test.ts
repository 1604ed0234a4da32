/** Routes, and the services that they refer to. Facts: Kong 3.9's Admin API tests of routes, its schema. */
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
const PROTOCOLS = 'expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp';
const whole = {
  id,
  created_at: seconds,
  updated_at: seconds,
  name: null,
  protocols: ['http', 'https'],
  methods: null,
  hosts: ['my.route.test'],
  paths: null,
  headers: null,
  snis: null,
  sources: null,
  destinations: null,
  regex_priority: 0,
  strip_path: true,
  path_handling: 'v0',
  preserve_host: false,
  https_redirect_status_code: 426,
  request_buffering: true,
  response_buffering: true,
  service: null,
  tags: null,
};
const post = (json: unknown, status: number, body: unknown): Case => ({
  ask: 'POST /routes',
  json,
  status,
  body,
});
const must = (fields: string, protocol: string): string =>
  `must set one of ${fields} when 'protocols' is '${protocol}'`;
const HTTP = must("'methods', 'hosts', 'headers', 'paths'", 'http');
const HTTPS = must("'methods', 'hosts', 'headers', 'paths', 'snis'", 'https');
const unresolved = (name: string): unknown => {
  const text = `the foreign key cannot be resolved with '{name="${name}"}' for an existing 'services' entity`;
  return {
    code: 13,
    name: 'foreign keys unresolved',
    message: `foreign key unresolved (service.name: ${text})`,
    fields: { service: { name: text } },
  };
};

const creation: readonly Case[] = [
  { ask: 'POST /services', json: { name: 's', host: 'h' }, status: 201, keep: 's' },
  post({ hosts: ['my.route.test'] }, 201, whole),
  post(
    {
      name: 'r',
      protocols: ['http'],
      methods: ['GET', 'POST'],
      hosts: ['a.test'],
      paths: ['/foo', '/bar'],
      headers: { location: ['x'] },
      service: { name: 's' },
    },
    201,
    {
      ...whole,
      name: 'r',
      protocols: ['http'],
      methods: ['GET', 'POST'],
      hosts: ['a.test'],
      paths: ['/foo', '/bar'],
      headers: { location: ['x'] },
      service: { id: '{s}' },
    },
  ),
  { ask: 'GET /routes/r', status: 200, body: having({ name: 'r' }), keep: 'r' },
  {
    ask: 'POST /routes',
    form: 'name=f&protocols[]=http&paths[]=/a&paths[]=/b&headers.x[]=1&service.id={s}&strip_path=false&tags=t',
    status: 201,
    body: having({
      protocols: ['http'],
      paths: ['/a', '/b'],
      headers: { x: ['1'] },
      service: { id: '{s}' },
      strip_path: false,
      tags: ['t'],
    }),
  },
  {
    ask: 'POST /routes',
    form: 'name=g&paths[1]=/a&paths[2]=/b&service.name=s',
    status: 201,
    body: having({ paths: ['/a', '/b'], service: { id: '{s}' } }),
  },
  post({ name: 'r', paths: ['/'] }, 409, notUnique('name', 'r')),
];

const refused: readonly Case[] = [
  post('{"hello": "world"', 400, { message: 'Cannot parse JSON body' }),
  post({}, 400, wrongEntity(HTTPS)),
  post({ protocols: ['https'] }, 400, wrongEntity(HTTPS)),
  post({ protocols: ['http'] }, 400, wrongEntity(HTTP)),
  post({ protocols: ['grpc'] }, 400, wrongEntity(must("'hosts', 'headers', 'paths'", 'grpc'))),
  post(
    { protocols: ['tcp'] },
    400,
    wrongEntity(must("'sources', 'destinations', 'snis'", "tcp', 'tls' or 'udp")),
  ),
  post(
    { protocols: ['tls_passthrough'] },
    400,
    wrongEntity("must set snis when 'protocols' is 'tls_passthrough'"),
  ),
  post(
    { methods: ['GET'], protocols: ['foo', 'http'] },
    400,
    violation({ protocols: [PROTOCOLS] }, `schema violation (protocols.1: ${PROTOCOLS})`),
  ),
  post(
    { methods: ['GET'], protocols: ['http', 'tcp'] },
    400,
    having({ fields: having({ protocols: /^these sets are mutually exclusive: / }) }),
  ),
  post({ methods: ['GET'], service: { name: 'nobody' } }, 400, unresolved('nobody')),
  post(
    { methods: ['GET'], service: { name: null } },
    400,
    violation(
      { service: { id: 'missing primary key' } },
      'schema violation (service.id: missing primary key)',
    ),
  ),
  {
    ask: 'POST /routes',
    form: 'methods[]=GET&service.name=',
    status: 400,
    body: violation(
      { service: { id: 'missing primary key' } },
      'schema violation (service.id: missing primary key)',
    ),
  },
  post(
    { methods: ['GET'], service: { protocol: 'http' } },
    400,
    violation(
      { service: { id: 'missing primary key' } },
      'schema violation (service.id: missing primary key)',
    ),
  ),
  post(
    { methods: ['GET'], service: { protocol: 'foo' } },
    400,
    violation({ service: { protocol: PROTOCOLS } }, `schema violation (service.protocol: ${PROTOCOLS})`),
  ),
  post(
    { methods: ['GET'], service: { nothing: 1 } },
    400,
    violation({ service: { nothing: 'unknown field' } }, 'schema violation (service.nothing: unknown field)'),
  ),
  post(
    { methods: ['GET'], service: { id: 'x' } },
    400,
    violation(
      { service: { id: 'expected a valid UUID' } },
      'schema violation (service.id: expected a valid UUID)',
    ),
  ),
  post({ methods: ['GET'], service: { id: GONE } }, 400, {
    code: 4,
    name: 'foreign key violation',
    message: `the foreign key '{id="${GONE}"}' does not reference an existing 'services' entity.`,
    fields: { service: { id: GONE } },
  }),
  post(
    { paths: ['x'] },
    400,
    violation(
      { paths: ['should start with: / (fixed path) or ~/ (regex path)'] },
      'schema violation (paths.1: should start with: / (fixed path) or ~/ (regex path))',
    ),
  ),
  post(
    { paths: ['/a', '/b//c'] },
    400,
    having({ fields: { paths: [null, 'must not have empty segments'] } }),
  ),
  post(
    { paths: ['/a/../b'] },
    400,
    having({ fields: { paths: ["non-normalized path, consider use '/b' instead"] } }),
  ),
  post({ methods: ['get'] }, 400, having({ fields: { methods: ['invalid value: get'] } })),
  post({ hosts: ['*.*.test'] }, 400, having({ code: 2 })),
  post({ headers: { host: ['x'] }, paths: ['/'] }, 400, having({ fields: having({ headers: /./ }) })),
  post({ paths: ['/'], regex_priority: 'foobar' }, 400, wrong('regex_priority', 'expected an integer')),
  post(
    { paths: ['/'], https_redirect_status_code: 404 },
    400,
    wrong('https_redirect_status_code', 'expected one of: 426, 301, 302, 307, 308'),
  ),
  post({ paths: ['/'], path_handling: 'v2' }, 400, wrong('path_handling', 'expected one of: v0, v1')),
  post(
    { protocols: ['grpc'], paths: ['/'], strip_path: true },
    400,
    having({
      fields: having({ strip_path: "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'" }),
    }),
  ),
  post(
    { protocols: ['http'], paths: ['/'], snis: ['a.test'] },
    400,
    having({
      fields: having({
        '@entity': [
          "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
        ],
      }),
    }),
  ),
];

const one: readonly Case[] = [
  {
    ask: 'PATCH /routes/r',
    json: { methods: null, hosts: null, headers: null, paths: null },
    status: 400,
    body: wrongEntity(HTTP),
  },
  {
    ask: 'PATCH /routes/r',
    json: { service: null, methods: null },
    status: 200,
    body: having({ id: '{r}', service: null, methods: null, paths: ['/foo', '/bar'] }),
  },
  // Arrays and maps are replaced as a whole.
  {
    ask: 'PATCH /routes/r',
    json: { headers: { b: ['1'] }, paths: ['/x'] },
    status: 200,
    body: having({ headers: { b: ['1'] }, paths: ['/x'] }),
  },
  {
    ask: 'PATCH /routes/{r}',
    json: { service: { name: 's' } },
    status: 200,
    body: having({ service: { id: '{s}' } }),
  },
  { ask: 'PATCH /routes/r', json: { service: { name: 'nobody' } }, status: 400, body: unresolved('nobody') },
  {
    ask: 'PUT /routes/r',
    json: { paths: ['/only'] },
    status: 200,
    body: { ...whole, id: '{r}', name: 'r', hosts: null, paths: ['/only'] },
  },
  { ask: `PUT /routes/${GONE}`, json: {}, status: 400, body: wrongEntity(HTTPS) },
  { ask: 'GET /routes/r/service', status: 404, body: NOT_FOUND },
  { ask: 'PATCH /routes/r/service', json: { host: 'i' }, status: 404, body: NOT_FOUND },
  { ask: 'DELETE /routes/r/service', status: 404, body: NOT_FOUND },
  // A PUT makes what the route has not, and refers to it.
  {
    ask: 'PUT /routes/r/service',
    json: { name: 'made', host: 'i' },
    status: 200,
    body: having({ name: 'made', host: 'i' }),
    keep: 'made',
  },
  { ask: 'GET /routes/r', status: 200, body: having({ service: { id: '{made}' } }) },
  { ask: 'GET /routes/r/service', status: 200, body: having({ id: '{made}' }) },
  {
    ask: 'PATCH /routes/{r}/service',
    json: { host: 'j' },
    status: 200,
    body: having({ id: '{made}', name: 'made', host: 'j' }),
  },
  {
    ask: 'PUT /routes/{r}/service',
    json: { host: 'k' },
    status: 200,
    body: having({ id: '{made}', name: null, host: 'k' }),
  },
  { ask: 'DELETE /routes/r/service', status: 405, body: NOT_ALLOWED },
  { ask: 'GET /routes/nobody/service', status: 404, body: NOT_FOUND },
  { ask: `GET /routes/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'GET /services/{made}/routes', status: 200, body: page(having({ id: '{r}' })) },
  { ask: 'DELETE /routes/r', status: 204 },
  { ask: 'DELETE /routes/r', status: 204 },
  { ask: 'DELETE /services/{made}', status: 204 },
];

compare({ creation, refused, one });
