/** Upstreams: defaults, what hashing needs, names. Facts: Kong 3.9's Admin API tests of upstreams. */
import {
  type Case,
  compare,
  having,
  id,
  NOT_ALLOWED,
  notUnique,
  seconds,
  violation,
  wrong,
  wrongEntity,
} from './support/cases.ts';

const HASHES = 'none, ip, header, cookie, path, query_arg, uri_capture';
const CONDITION = (field: string): string => `failed conditional validation given value of field '${field}'`;
const COOKIE =
  'contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the characters ()<>@,;:\\"/?={}[] are not allowed.';
const HEADER = "bad header name 'a <> b', allowed characters are A-Z, a-z, 0-9, '_', and '-'";

const passive = {
  type: 'http',
  healthy: {
    http_statuses: [
      200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
    ],
    successes: 0,
  },
  unhealthy: { http_failures: 0, http_statuses: [429, 500, 503], tcp_failures: 0, timeouts: 0 },
};
const active = {
  type: 'http',
  timeout: 1,
  concurrency: 10,
  http_path: '/',
  https_sni: null,
  https_verify_certificate: true,
  headers: null,
  healthy: { http_statuses: [200, 302], interval: 0, successes: 0 },
  unhealthy: {
    http_failures: 0,
    http_statuses: [429, 404, 500, 501, 502, 503, 504, 505],
    interval: 0,
    tcp_failures: 0,
    timeouts: 0,
  },
};
const whole = {
  id,
  name: 'whole',
  created_at: seconds,
  updated_at: seconds,
  algorithm: 'round-robin',
  client_certificate: null,
  hash_fallback: 'none',
  hash_fallback_header: null,
  hash_fallback_query_arg: null,
  hash_fallback_uri_capture: null,
  hash_on: 'none',
  hash_on_cookie: null,
  hash_on_cookie_path: '/',
  hash_on_header: null,
  hash_on_query_arg: null,
  hash_on_uri_capture: null,
  host_header: null,
  slots: 10000,
  tags: null,
  use_srv_name: false,
  healthchecks: { threshold: 0, active, passive },
};

const post = (json: unknown, status: number, body: unknown): Case => ({
  ask: 'POST /upstreams',
  json,
  status,
  body,
});
const conditional = (on: string, field: string, message: string): unknown =>
  violation(
    { '@entity': [CONDITION(on)], [field]: message },
    `2 schema violations (${CONDITION(on)}; ${field}: ${message})`,
  );

const creation: readonly Case[] = [
  post({ name: 'whole' }, 201, whole),
  { ask: 'GET /upstreams/whole', status: 200, body: whole },
  post({ name: 'whole' }, 409, notUnique('name', 'whole')),
  post({ name: 'a', slots: 65536 }, 201, having({ slots: 65536 })),
  post({ name: 'b', host_header: 'localhost' }, 201, having({ host_header: 'localhost' })),
  { ask: 'POST /upstreams', form: 'name=f&slots=10', status: 201, body: having({ name: 'f', slots: 10 }) },
];

const refused: readonly Case[] = [
  post('{"hello": "world"', 400, { message: 'Cannot parse JSON body' }),
  post({ slots: 50 }, 400, wrong('name', 'required field missing')),
  post(
    { name: 'no host name' },
    400,
    wrong('name', "Invalid name ('no host name'); must be a valid hostname"),
  ),
  post({ name: '1.2.3.4' }, 400, wrong('name', "Invalid name ('1.2.3.4'); no ip addresses allowed")),
  post({ name: '[::1]' }, 400, wrong('name', "Invalid name ('[::1]'); no ip addresses allowed")),
  post({ name: 'x:80' }, 400, wrong('name', "Invalid name ('x:80'); no port allowed")),
  post({ name: 'x', slots: 65537 }, 400, wrong('slots', 'value should be between 10 and 65536')),
  post(
    { name: 'x', hash_on: 'y' },
    400,
    wrong('hash_on', `expected one of: none, consumer, ip, header, cookie, path, query_arg, uri_capture`),
  ),
  post(
    { name: 'x', hash_on: 'consumer', hash_fallback: 'y' },
    400,
    having({ fields: { '@entity': [CONDITION('hash_on')], hash_fallback: `expected one of: ${HASHES}` } }),
  ),
  post(
    { name: 'x', hash_on: 'consumer', hash_fallback: 'consumer' },
    400,
    conditional('hash_on', 'hash_fallback', `expected one of: ${HASHES}`),
  ),
  post(
    { name: 'x', hash_on: 'header', hash_fallback: 'consumer', hash_on_header: 'a <> b' },
    400,
    having({ fields: having({ hash_on_header: HEADER }) }),
  ),
  post(
    { name: 'x', hash_on: 'consumer', hash_fallback: 'header', hash_fallback_header: 'a <> b' },
    400,
    having({ fields: having({ hash_fallback_header: HEADER }) }),
  ),
  post(
    { name: 'x', hash_on: 'header', hash_fallback: 'header', hash_on_header: 'h', hash_fallback_header: 'h' },
    400,
    wrongEntity("values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'"),
  ),
  post(
    { name: 'x', hash_on: 'cookie', hash_on_cookie: 'c', hash_fallback: 'header', hash_fallback_header: 'H' },
    400,
    conditional('hash_on', 'hash_fallback', 'expected one of: none'),
  ),
  post(
    { name: 'x', hash_on: 'header', hash_fallback: 'header', hash_fallback_header: 'H' },
    400,
    conditional('hash_on', 'hash_on_header', 'required field missing'),
  ),
  post(
    { name: 'x', hash_on: 'consumer', hash_fallback: 'header' },
    400,
    conditional('hash_fallback', 'hash_fallback_header', 'required field missing'),
  ),
  post(
    { name: 'x', hash_on: 'cookie', hash_on_cookie: 'a <> b' },
    400,
    having({ fields: having({ hash_on_cookie: COOKIE }) }),
  ),
  post(
    { name: 'x', hash_on: 'cookie', hash_on_cookie: 'c', hash_on_cookie_path: 'no path' },
    400,
    wrong('hash_on_cookie_path', 'should start with: /'),
  ),
  post(
    {
      name: 'x',
      hash_on: 'consumer',
      hash_fallback: 'cookie',
      hash_on_cookie: 'c',
      hash_on_cookie_path: 'no path',
    },
    400,
    wrong('hash_on_cookie_path', 'should start with: /'),
  ),
  {
    ask: 'PUT /upstreams/00000000-0000-0000-0000-000000000001',
    json: {},
    status: 400,
    body: wrong('name', 'required field missing'),
  },
  {
    ask: 'PUT /upstreams/1.2.3.4',
    json: {},
    status: 400,
    body: {
      code: 10,
      name: 'invalid unique name',
      message: "Invalid name ('1.2.3.4'); no ip addresses allowed",
    },
  },
];

const hashing: readonly Case[] = [
  // What is asked of hashing decides the algorithm, and the other way round.
  post({ name: 'c', hash_on: 'consumer' }, 201, having({ algorithm: 'consistent-hashing' })),
  post({ name: 'l', algorithm: 'latency' }, 201, having({ algorithm: 'latency', hash_on: 'none' })),
  post(
    { name: 'h', algorithm: 'consistent-hashing', hash_on: 'ip' },
    201,
    having({ algorithm: 'consistent-hashing', hash_on: 'ip' }),
  ),
  post({ name: 'd', hash_on: 'none', algorithm: 'round-robin' }, 201, having({ algorithm: 'round-robin' })),
  post({ name: 'e', hash_on: null }, 201, having({ hash_on: 'none', algorithm: 'round-robin' })),
  post({ name: 'x', algorithm: 7 }, 400, wrong('algorithm', 'expected a string')),
  post(
    { name: 'x', algorithm: 'best' },
    400,
    wrong('algorithm', 'expected one of: consistent-hashing, least-connections, round-robin, latency'),
  ),
  post({ name: 'x', slots: 9 }, 400, wrong('slots', 'value should be between 10 and 65536')),
  post(
    { name: 'x', healthchecks: { active: { concurrency: 0 } } },
    400,
    having({
      fields: { healthchecks: { active: { concurrency: 'value should be between 1 and 2147483648' } } },
    }),
  ),
];

const others: readonly Case[] = [
  {
    ask: 'PUT /upstreams/by-name',
    json: { slots: 123 },
    status: 200,
    body: having({ name: 'by-name', slots: 123 }),
    keep: 'one',
  },
  {
    ask: 'PUT /upstreams/{one}',
    json: { name: 'renamed' },
    status: 200,
    body: having({ id: '{one}', name: 'renamed', slots: 10000 }),
  },
  {
    ask: 'PATCH /upstreams/renamed',
    json: { slots: 99, healthchecks: { active: { timeout: 5 } } },
    status: 200,
    body: having({ slots: 99, healthchecks: { threshold: 0, active: { ...active, timeout: 5 }, passive } }),
  },
  {
    ask: 'PATCH /upstreams/renamed',
    json: { healthchecks: { threshold: 101 } },
    status: 400,
    body: having({ message: 'schema violation (healthchecks.threshold: value should be between 0 and 100)' }),
  },
  {
    ask: 'PATCH /upstreams/nobody',
    json: { slots: 99 },
    status: 404,
    body: {
      code: 6,
      name: 'not found',
      message: 'could not find the entity with \'{name="nobody"}\'',
      fields: { name: 'nobody' },
    },
  },
  { ask: 'POST /upstreams/renamed', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /upstreams', status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /upstreams/{one}', status: 204 },
  { ask: 'DELETE /upstreams/{one}', status: 204 },
  { ask: 'DELETE /upstreams/nobody', status: 204 },
];

compare({ creation, refused, hashing, others });
