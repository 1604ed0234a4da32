/** The node itself: `/`, `/status`, schemas, validation, methods. Facts: Kong 3.9's tests of these endpoints. */
import { RSA_CERT, RSA_KEY } from '../../src/entities/pem.fixture.ts';
import {
  absent,
  anything,
  type Case,
  compare,
  having,
  id,
  NOT_ALLOWED,
  NOT_FOUND,
  violation,
  wrong,
} from './support/cases.ts';

const CRUD = 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT';
const LIST = 'GET, HEAD, OPTIONS, POST';
const options = (path: string, allow: string): Case => ({
  ask: `OPTIONS ${path}`,
  status: 204,
  answered: { allow, 'access-control-allow-methods': allow, 'access-control-allow-headers': 'Content-Type' },
});
const strings = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');
const number = (value: unknown): boolean => typeof value === 'number';

const node: readonly Case[] = [
  {
    ask: 'GET /',
    status: 200,
    body: having({
      tagline: 'Welcome to kong',
      version: /^3\.9\.\d+$/,
      edition: 'community',
      node_id: id,
      hostname: /./,
      lua_version: anything,
      timers: { running: number, pending: number },
      plugins: { available_on_server: anything, enabled_in_cluster: strings },
      configuration: having({
        database: 'sqlite',
        router_flavor: 'traditional_compatible',
        log_level: 'notice',
        admin_listen: strings,
        proxy_listeners: anything,
      }),
      pids: having({ master: number, workers: anything }),
    }),
    answered: {
      'content-type': 'application/json; charset=utf-8',
      'x-kong-admin-latency': /^\d+$/,
      server: /./,
    },
  },
  { ask: 'HEAD /', status: 200 },
  {
    ask: 'GET /status',
    status: 200,
    body: having({
      memory: having({ workers_lua_vms: anything }),
      server: {
        connections_accepted: number,
        connections_active: number,
        connections_handled: number,
        connections_reading: number,
        connections_writing: number,
        connections_waiting: number,
        total_requests: number,
      },
      database: { reachable: true },
      configuration_hash: absent,
    }),
  },
  { ask: 'GET /status?unit=V', status: 400, body: having({ message: /^invalid unit 'V' \(expected / }) },
  { ask: 'GET /endpoints', status: 200, body: { data: strings } },
  { ask: 'GET /plugins/enabled', status: 200, body: { enabled_plugins: strings } },
  {
    ask: 'GET /config',
    status: 400,
    body: { message: 'this endpoint is only available when Kong is configured to not use a database' },
  },
  {
    ask: 'POST /config',
    json: { _format_version: '3.0' },
    status: 400,
    body: { message: 'this endpoint is only available when Kong is configured to not use a database' },
  },
  { ask: 'GET /timers', status: 200, body: having({ worker: having({ count: number }), stats: anything }) },
  { ask: 'GET /status/dns', status: 501, body: { message: 'not implemented with the legacy DNS client' } },
  { ask: 'GET /cache/x', status: 404, body: NOT_FOUND },
  { ask: 'DELETE /cache/x', status: 204 },
  { ask: 'DELETE /cache', status: 204 },
  { ask: 'GET /debug/node/log-level', status: 200, body: { message: 'log level: notice' } },
  { ask: 'PUT /debug/node/log-level/stderr', status: 400, body: { message: 'unknown log level: stderr' } },
  { ask: 'PUT /debug/node/log-level/notice', status: 200, body: { message: 'log level is already notice' } },
  {
    ask: 'GET /filter-chains',
    status: 400,
    body: { message: 'this endpoint is only available when wasm is enabled' },
  },
];

const methods: readonly Case[] = [
  options('/', 'GET, HEAD, OPTIONS'),
  options('/services', LIST),
  options('/services/x', CRUD),
  options('/routes/x/service', CRUD),
  options('/services/x/routes', LIST),
  options('/services/x/routes/y', CRUD),
  options('/upstreams/x/targets/all', 'GET, HEAD, OPTIONS'),
  options('/tags/x', 'GET, HEAD, OPTIONS'),
  options('/config', LIST),
  options('/plugins/enabled', 'GET, HEAD, OPTIONS'),
  options('/cache', 'DELETE, OPTIONS'),
  options('/schemas/services/validate', 'OPTIONS, POST'),
  ...['GET', 'DELETE', 'OPTIONS'].map((method): Case => {
    return { ask: `${method} /non-existing`, status: 404, body: NOT_FOUND };
  }),
  ...['POST', 'PUT', 'PATCH'].map((method): Case => {
    return { ask: `${method} /non-existing`, status: 404, body: NOT_FOUND, json: {} };
  }),
  { ask: 'HEAD /non-existing', status: 404 },
  { ask: 'HEAD /services', status: 200 },
  { ask: 'HEAD /services/nobody', status: 404 },
  { ask: 'GET /services/', status: 200 },
  { ask: 'DELETE /', status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /status', status: 405, body: NOT_ALLOWED },
  // Enterprise's, which decK asks for and does without.
  { ask: 'GET /mtls-auths?size=1000', status: 200, body: { data: [], next: null } },
  { ask: 'GET /partials?size=1000', status: 404, body: NOT_FOUND },
  { ask: 'GET /licenses?size=1000', status: 404, body: NOT_FOUND },
  { ask: 'GET /workspaces', status: 404, body: NOT_FOUND },
  { ask: 'GET /rbac/roles', status: 404, body: NOT_FOUND },
];

/** A field as `/schemas` prints it, without its description, which is our own. */
const field = (name: string, wanted: Readonly<Record<string, unknown>>): ((fields: unknown) => boolean) => {
  const text = (value: unknown): string =>
    JSON.stringify(value, (key, one: unknown) => (key === 'description' ? undefined : sorted(one)));
  return (fields) =>
    Array.isArray(fields) &&
    fields.some((one: Readonly<Record<string, unknown>>) => name in one && text(one[name]) === text(wanted));
};
const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
const PROTOCOLS = ['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls', 'tls_passthrough', 'udp'];
const schema = (kind: string, name: string, wanted: Readonly<Record<string, unknown>>): Case => ({
  ask: `GET /schemas/${kind}`,
  status: 200,
  body: having({ fields: field(name, wanted), entity_checks: Array.isArray }),
});
const UUID = { type: 'string', uuid: true, auto: true };
const SECONDS = { type: 'integer', timestamp: true, auto: true };
const TAGS = { type: 'set', elements: { type: 'string', required: true } };

const schemas: readonly Case[] = [
  schema('services', 'id', UUID),
  schema('services', 'created_at', SECONDS),
  schema('services', 'tags', TAGS),
  schema('services', 'retries', { type: 'integer', default: 5, between: [0, 32767] }),
  schema('services', 'protocol', { type: 'string', one_of: PROTOCOLS, required: true, default: 'http' }),
  schema('services', 'host', { type: 'string', required: true }),
  schema('services', 'port', { type: 'integer', between: [0, 65535], required: true, default: 80 }),
  schema('services', 'path', {
    type: 'string',
    starts_with: '/',
    match_none: [{ pattern: '//', err: 'must not have empty segments' }],
  }),
  schema('services', 'client_certificate', { type: 'foreign', reference: 'certificates' }),
  schema('services', 'ca_certificates', { type: 'array', elements: { type: 'string', uuid: true } }),
  schema('routes', 'protocols', {
    type: 'set',
    len_min: 1,
    required: true,
    elements: { type: 'string', one_of: PROTOCOLS },
    mutually_exclusive_subsets: [
      ['http', 'https'],
      ['tcp', 'tls', 'udp'],
      ['tls_passthrough'],
      ['grpc', 'grpcs'],
    ],
    default: ['http', 'https'],
  }),
  schema('routes', 'https_redirect_status_code', {
    type: 'integer',
    one_of: [426, 301, 302, 307, 308],
    default: 426,
    required: true,
  }),
  schema('routes', 'service', { type: 'foreign', reference: 'services' }),
  schema('routes', 'path_handling', { type: 'string', default: 'v0', one_of: ['v0', 'v1'] }),
  schema('consumers', 'username', { type: 'string', unique: true }),
  schema('upstreams', 'algorithm', {
    type: 'string',
    default: 'round-robin',
    one_of: ['consistent-hashing', 'least-connections', 'round-robin', 'latency'],
  }),
  schema('upstreams', 'slots', { type: 'integer', default: 10000, between: [10, 65536] }),
  schema('targets', 'created_at', { type: 'number', timestamp: true, auto: true }),
  schema('targets', 'upstream', {
    type: 'foreign',
    reference: 'upstreams',
    required: true,
    on_delete: 'cascade',
  }),
  schema('plugins', 'service', {
    type: 'foreign',
    reference: 'services',
    default: null,
    on_delete: 'cascade',
  }),
  schema('plugins', 'enabled', { type: 'boolean', required: true, default: true }),
  schema('vaults', 'prefix', {
    type: 'string',
    required: true,
    unique: true,
    unique_across_ws: true,
    match: '^[a-z][a-z%d-]-[a-z%d]+$',
    not_one_of: ['env'],
  }),
  {
    ask: 'GET /schemas/consumers',
    status: 200,
    body: having({ entity_checks: [{ at_least_one_of: ['custom_id', 'username'] }] }),
  },
  { ask: 'GET /schemas/not-present', status: 404, body: { message: "No entity named 'not-present'" } },
  {
    ask: 'GET /schemas/plugins/not-present',
    status: 404,
    body: { message: "No plugin named 'not-present'" },
  },
  { ask: 'GET /plugins/schema/not-present', status: 404, body: { message: "No plugin named 'not-present'" } },
  { ask: 'GET /schemas/vaults/not-present', status: 404, body: { message: "No vault named 'not-present'" } },
  {
    ask: 'GET /schemas/filters/not-present',
    status: 404,
    body: { message: "Filter 'not-present' not found" },
  },
  { ask: 'GET /schemas/vaults/env', status: 200, body: having({ fields: Array.isArray }) },
  ...[
    'acls',
    'basicauth_credentials',
    'ca_certificates',
    'certificates',
    'hmacauth_credentials',
    'jwt_secrets',
    'key_sets',
    'keyauth_credentials',
    'keys',
    'oauth2_credentials',
    'snis',
    'tags',
    'workspaces',
    'filter_chains',
  ].map((kind): Case => ({
    ask: `GET /schemas/${kind}`,
    status: 200,
    body: having({ fields: Array.isArray, entity_checks: Array.isArray }),
  })),
];

const OK = { message: 'schema validation successful' };
const validation: readonly Case[] = [
  { ask: 'POST /schemas/services/validate', json: { host: 'example.com' }, status: 200, body: OK },
  {
    ask: 'POST /schemas/services/validate',
    json: {},
    status: 400,
    body: wrong('host', 'required field missing'),
  },
  {
    ask: 'POST /schemas/nothing/validate',
    json: {},
    status: 404,
    body: { message: "No entity named 'nothing'" },
  },
  {
    ask: 'POST /schemas/certificates/validate',
    json: { cert: RSA_CERT, key: RSA_KEY, snis: ['a', 'b', 'c'] },
    status: 200,
    body: OK,
  },
  {
    ask: 'POST /schemas/certificates/validate',
    json: { cert: RSA_CERT, key: RSA_KEY, snis: ['120.0.9.32:90'] },
    status: 400,
    body: violation({ snis: ['must not be an IP'] }, 'schema violation (snis.1: must not be an IP)'),
  },
  { ask: 'POST /schemas/vaults/validate', status: 400, body: wrong('name', 'required field missing') },
  { ask: 'POST /schemas/vaults/validate', json: { name: 'env', prefix: 'my-env' }, status: 200, body: OK },
  {
    ask: 'POST /schemas/plugins/validate',
    json: {},
    status: 400,
    body: wrong('name', 'required field missing'),
  },
  {
    ask: 'POST /schemas/plugins/validate',
    json: { name: 'nothing' },
    status: 400,
    body: wrong('name', "plugin 'nothing' not enabled; add it to the 'plugins' configuration property"),
  },
  { ask: 'POST /schemas/routes/validate', form: 'paths[]=/x', status: 200, body: OK },
  {
    ask: 'POST /schemas/routes/validate',
    json: { paths: ['/x'], service: { id: '00000000-0000-0000-0000-00000000dead' } },
    status: 200,
    body: OK,
  },
  {
    ask: 'POST /schemas/targets/validate',
    json: { target: 'a.test' },
    status: 400,
    body: wrong('upstream', 'required field missing'),
  },
];

const UNKNOWN = "plugin 'nothing' not enabled; add it to the 'plugins' configuration property";
const PLUGIN = '00000000-0000-0000-0000-00000000dead';
const plugins: readonly Case[] = [
  { ask: 'POST /services', json: { name: 's', host: 'h' }, status: 201 },
  { ask: 'POST /plugins', json: {}, status: 400, body: wrong('name', 'required field missing') },
  { ask: 'POST /plugins', json: { name: 'nothing' }, status: 400, body: wrong('name', UNKNOWN) },
  {
    ask: 'POST /plugins',
    json: { name: 'nothing', config: { a: 1 }, foo: 1 },
    status: 400,
    body: wrong('name', UNKNOWN),
  },
  { ask: 'POST /plugins', form: 'name=nothing&config.a=1', status: 400, body: wrong('name', UNKNOWN) },
  { ask: 'POST /services/s/plugins', json: {}, status: 400, body: wrong('name', 'required field missing') },
  { ask: 'POST /services/nobody/plugins', json: { name: 'x' }, status: 404, body: NOT_FOUND },
  { ask: `PUT /plugins/${PLUGIN}`, json: { name: 'nothing' }, status: 400, body: wrong('name', UNKNOWN) },
  { ask: `PUT /plugins/${PLUGIN}`, json: {}, status: 400, body: wrong('name', 'required field missing') },
  { ask: `PATCH /plugins/${PLUGIN}`, json: { enabled: false }, status: 404, body: NOT_FOUND },
  { ask: 'PATCH /plugins/instance', json: { enabled: false }, status: 404, body: NOT_FOUND },
  { ask: `GET /plugins/${PLUGIN}`, status: 404, body: NOT_FOUND },
  { ask: `PATCH /services/s/plugins/${PLUGIN}`, json: { enabled: false }, status: 404, body: NOT_FOUND },
  { ask: `DELETE /plugins/${PLUGIN}`, status: 204 },
  { ask: `DELETE /services/s/plugins/${PLUGIN}`, status: 404, body: NOT_FOUND },
  { ask: 'DELETE /plugins', status: 405, body: NOT_ALLOWED },
];

compare({ node, methods, schemas, validation, plugins });
