/** Upstreams (Kong's `upstreams`): a virtual host name in front of targets, with load balancing and health checks. */
import { parseHost } from './formats/host.ts';
import type { Entity, EntityCheck, EntityDefinition, Field, Fields, Match, Values } from './schema/field.ts';
import * as t from './typedefs.ts';

const hashOn = {
  type: 'string',
  default: 'none',
  one_of: ['none', 'consumer', 'ip', 'header', 'cookie', 'path', 'query_arg', 'uri_capture'],
} as const satisfies Field;

const param = { type: 'string', len_min: 1 } as const satisfies Field;
const seconds = { type: 'number', default: 0, between: [0, 65535] } as const satisfies Field;
const counter = { type: 'integer', default: 0, between: [0, 255] } as const satisfies Field;
const probe = {
  type: 'string',
  one_of: ['tcp', 'http', 'https', 'grpc', 'grpcs'],
  default: 'http',
} as const satisfies Field;

function statuses<const T extends readonly number[]>(list: T) {
  return {
    type: 'array',
    elements: { type: 'integer', between: [100, 999] },
    default: list,
  } as const satisfies Field;
}

/** A record that prints what its fields' defaults make of it. */
function withDefault<const F extends Fields>(fields: F) {
  const defaults: Array<[string, unknown]> = Object.entries(fields).flatMap(([name, field]) =>
    'default' in field && field.default !== undefined ? [[name, field.default]] : [],
  );
  return { type: 'record', fields, default: Object.fromEntries(defaults) as Values } as const;
}

const active = withDefault({
  type: probe,
  timeout: { ...seconds, default: 1 },
  concurrency: { type: 'integer', default: 10, between: [1, 2 ** 31] },
  http_path: { ...t.path, default: '/' },
  https_sni: t.sni,
  https_verify_certificate: { type: 'boolean', required: true, default: true },
  headers: t.headers,
  healthy: withDefault({ interval: seconds, http_statuses: statuses([200, 302]), successes: counter }),
  unhealthy: withDefault({
    interval: seconds,
    http_statuses: statuses([429, 404, 500, 501, 502, 503, 504, 505]),
    tcp_failures: counter,
    timeouts: counter,
    http_failures: counter,
  }),
});

const passive = withDefault({
  type: probe,
  healthy: withDefault({
    http_statuses: statuses([
      200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308,
    ]),
    successes: counter,
  }),
  unhealthy: withDefault({
    http_statuses: statuses([429, 500, 503]),
    tcp_failures: counter,
    timeouts: counter,
    http_failures: counter,
  }),
});

const healthchecks = {
  type: 'record',
  default: { active: active.default, passive: passive.default },
  fields: { active, passive, threshold: { type: 'number', default: 0, between: [0, 100] } },
} as const satisfies Field;

/** What requests are hashed on. */
export const HASH_FIELDS = {
  hash_on: hashOn,
  hash_fallback: hashOn,
  hash_on_header: t.headerName,
  hash_fallback_header: t.headerName,
  hash_on_cookie: t.cookieName,
  hash_on_cookie_path: { ...t.path, default: '/' },
  hash_on_query_arg: param,
  hash_fallback_query_arg: param,
  hash_on_uri_capture: param,
  hash_fallback_uri_capture: param,
} as const satisfies Fields;

const fields = {
  id: t.uuid,
  name: { type: 'string', required: true, unique: true, custom_validator: nameProblem },
  algorithm: {
    type: 'string',
    default: 'round-robin',
    one_of: ['consistent-hashing', 'least-connections', 'round-robin', 'latency'],
  },
  ...HASH_FIELDS,
  slots: { type: 'integer', default: 10000, between: [10, 65536] },
  healthchecks,
  tags: t.tags,
  host_header: t.hostWithOptionalPort,
  client_certificate: { type: 'foreign', reference: 'certificates' },
  use_srv_name: { type: 'boolean', default: false },
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Upstream extends Entity<typeof fields> {}

function nameProblem(name: string): string | null {
  const said = name.isWellFormed() ? `Invalid name ('${name}')` : 'Invalid name';
  const parsed = parseHost(name);
  if (typeof parsed === 'string') return `${said}; must be a valid hostname`;
  if (parsed.type !== 'name') return `${said}; no ip addresses allowed`;
  return parsed.port === null ? null : `${said}; no port allowed`;
}

type Name = keyof typeof fields;

function when(field: 'hash_on' | 'hash_fallback', value: string, then: Name, match: Match): EntityCheck {
  return {
    conditional: {
      if_field: field,
      if_match: { match: t.pattern(`^${value}$`, new RegExp(`^${value}$`)) },
      then_field: then,
      then_match: match,
    },
  };
}

const required: Match = { required: true };

/** The fallback's values when `value` is the primary and must not be the fallback too. */
function notAlso(value: string): EntityCheck {
  const others = ['none', 'consumer', 'ip', 'header', 'cookie', 'path', 'query_arg', 'uri_capture'];
  return when('hash_on', value, 'hash_fallback', { one_of: others.filter((one) => one !== value) });
}

/** Of `HASH_FIELDS`. */
export const HASH_CHECKS: readonly EntityCheck[] = [
  when('hash_on', 'header', 'hash_on_header', required),
  when('hash_fallback', 'header', 'hash_fallback_header', required),
  when('hash_on', 'cookie', 'hash_on_cookie', required),
  when('hash_fallback', 'cookie', 'hash_on_cookie', required),
  when('hash_on', 'none', 'hash_fallback', { one_of: ['none'] }),
  when('hash_on', 'cookie', 'hash_fallback', { one_of: ['none'] }),
  notAlso('consumer'),
  notAlso('ip'),
  notAlso('path'),
  { distinct: ['hash_on_header', 'hash_fallback_header'] },
  when('hash_on', 'query_arg', 'hash_on_query_arg', required),
  when('hash_fallback', 'query_arg', 'hash_fallback_query_arg', required),
  { distinct: ['hash_on_query_arg', 'hash_fallback_query_arg'] },
  when('hash_on', 'uri_capture', 'hash_on_uri_capture', required),
  when('hash_fallback', 'uri_capture', 'hash_fallback_uri_capture', required),
  { distinct: ['hash_on_uri_capture', 'hash_fallback_uri_capture'] },
];

export const upstreams: EntityDefinition = {
  name: 'upstreams',
  endpoint_key: 'name',
  fields,
  entity_checks: HASH_CHECKS,
  // Kong keeps algorithm and hash_on in step, in this order.
  shorthand_fields: {
    algorithm: {
      expand: (algorithm) =>
        algorithm === 'least-connections' || algorithm === 'latency'
          ? { algorithm, hash_on: null }
          : { algorithm },
    },
    hash_on: {
      nullable: true,
      expand: (value) => {
        if (value === null) return { hash_on: 'none' };
        return { hash_on: value, algorithm: value === 'none' ? 'round-robin' : 'consistent-hashing' };
      },
    },
  },
};
