/**
 * A stand-in for the database of a Kong installation: tables with the columns and types that Kong 3.x documents in its
 * migrations, written anew, and a few rows. No Kong has made them.
 */

const timestamps = '"created_at" timestamptz, "updated_at" timestamptz';
const common = '"id" uuid primary key, "tags" text[], "ws_id" uuid';
const credential = `${common}, "created_at" timestamptz, "consumer_id" uuid`;

const TABLES: Readonly<Record<string, string>> = {
  workspaces: '"id" uuid primary key, "name" text, "comment" text, "meta" jsonb, "config" jsonb',
  services: `${common}, ${timestamps}, "name" text, "retries" bigint, "protocol" text, "host" text, "port" bigint,
    "path" text, "connect_timeout" bigint, "write_timeout" bigint, "read_timeout" bigint, "client_certificate_id" uuid,
    "tls_verify" boolean, "tls_verify_depth" smallint, "ca_certificates" uuid[], "enabled" boolean default true`,
  routes: `${common}, ${timestamps}, "name" text, "service_id" uuid, "protocols" text[], "methods" text[],
    "hosts" text[], "paths" text[], "snis" text[], "sources" jsonb[], "destinations" jsonb[], "headers" jsonb,
    "regex_priority" bigint, "strip_path" boolean, "preserve_host" boolean, "https_redirect_status_code" integer,
    "path_handling" text default 'v0', "request_buffering" boolean, "response_buffering" boolean, "expression" text,
    "priority" bigint`,
  consumers: `${common}, ${timestamps}, "username" text, "custom_id" text`,
  plugins: `${common}, ${timestamps}, "name" text, "instance_name" text, "route_id" uuid, "service_id" uuid,
    "consumer_id" uuid, "config" jsonb, "enabled" boolean, "protocols" text[], "cache_key" text unique`,
  upstreams: `${common}, "created_at" timestamptz(3), "updated_at" timestamptz, "name" text, "algorithm" text,
    "hash_on" text, "hash_fallback" text, "hash_on_header" text, "hash_fallback_header" text, "hash_on_cookie" text,
    "hash_on_cookie_path" text, "hash_on_query_arg" text, "hash_fallback_query_arg" text, "hash_on_uri_capture" text,
    "hash_fallback_uri_capture" text, "slots" integer, "healthchecks" jsonb, "host_header" text,
    "client_certificate_id" uuid, "use_srv_name" boolean default false`,
  targets: `${common}, "created_at" timestamptz(3), "updated_at" timestamptz(3), "upstream_id" uuid, "target" text,
    "weight" integer, "cache_key" text unique`,
  certificates: `${common}, ${timestamps}, "cert" text, "key" text, "cert_alt" text, "key_alt" text`,
  snis: `${common}, ${timestamps}, "name" text, "certificate_id" uuid`,
  ca_certificates: `"id" uuid primary key, "tags" text[], ${timestamps}, "cert" text, "cert_digest" text`,
  sm_vaults: `${common}, ${timestamps}, "prefix" text, "name" text, "description" text, "config" jsonb`,
  key_sets: `${common}, ${timestamps}, "name" text`,
  keys: `${common}, ${timestamps}, "set_id" uuid, "name" text, "cache_key" text, "kid" text, "jwk" text, "pem" jsonb`,
  keyauth_credentials: `${credential}, "key" text, "ttl" timestamptz`,
  basicauth_credentials: `${credential}, "username" text, "password" text`,
  jwt_secrets: `${credential}, "key" text, "secret" text, "algorithm" text, "rsa_public_key" text`,
  hmacauth_credentials: `${credential}, "username" text, "secret" text`,
  acls: `${credential}, "group" text, "cache_key" text`,
  oauth2_credentials: `${credential}, "name" text, "client_id" text, "client_secret" text, "redirect_uris" text[],
    "client_type" text, "hash_secret" boolean`,
  sessions: '"id" uuid primary key, "session_id" text, "expires" integer, "data" text, "ttl" timestamptz',
};

/** A UUID that a person can tell from others. */
export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export const DEFAULT = uuid(1);
export const TEAM = uuid(2);
export const BOB = uuid(10);
export const MADE = '2023-04-05T06:07:08Z';

export function createTables(): string {
  return Object.entries(TABLES)
    .map(([name, columns]) => `create table "${name}" (${columns});`)
    .join('\n');
}

/** @param password of bob, hashed. */
export function createRows(password: string): string {
  const at = `'${MADE}'`;
  return `
insert into workspaces (id, name) values ('${DEFAULT}', 'default'), ('${TEAM}', 'team');
insert into services (id, ws_id, created_at, updated_at, name, retries, protocol, host, port, connect_timeout,
  write_timeout, read_timeout, tags) values
  ('${uuid(20)}', '${DEFAULT}', ${at}, ${at}, 'shop', 2, 'http', 'shop.internal', 8080, 60000, 60000, 60000, '{a,b}'),
  ('${uuid(21)}', '${TEAM}', ${at}, ${at}, 'elsewhere', 5, 'http', 'h', 80, 60000, 60000, 60000, null);
insert into routes (id, ws_id, created_at, updated_at, name, service_id, protocols, methods, paths, headers,
  regex_priority, strip_path, preserve_host, https_redirect_status_code, request_buffering, response_buffering) values
  ('${uuid(30)}', '${DEFAULT}', ${at}, ${at}, 'orders', '${uuid(20)}', '{http,https}', '{GET}', '{/orders}',
   '{"x-v": ["1"]}', 0, true, false, 426, true, true),
  ('${uuid(31)}', '${DEFAULT}', ${at}, ${at}, 'stream', null, '{tcp}', null, null, null, 0, false, false, 426, true, true);
update routes set sources = array['{"ip": "10.0.0.1", "port": 1}'::jsonb] where id = '${uuid(31)}';
insert into consumers (id, ws_id, created_at, updated_at, username, custom_id) values
  ('${BOB}', '${DEFAULT}', ${at}, ${at}, 'bob', '17');
insert into plugins (id, ws_id, created_at, updated_at, name, route_id, config, enabled, protocols, cache_key) values
  ('${uuid(40)}', '${DEFAULT}', ${at}, ${at}, 'my-own', '${uuid(30)}', '{"a": 1}', true, '{http}', 'plugins:my-own:');
insert into upstreams (id, ws_id, created_at, updated_at, name, algorithm, hash_on, hash_fallback,
  hash_on_cookie_path, slots) values
  ('${uuid(50)}', '${DEFAULT}', ${at}, ${at}, 'up', 'round-robin', 'none', 'none', '/', 100);
insert into targets (id, ws_id, created_at, updated_at, upstream_id, target, weight) values
  ('${uuid(51)}', '${DEFAULT}', '2023-04-05T06:07:08.123Z', ${at}, '${uuid(50)}', '10.0.0.1:80', 5);
insert into sm_vaults (id, ws_id, created_at, updated_at, prefix, name, config) values
  ('${uuid(60)}', '${DEFAULT}', ${at}, ${at}, 'my-env', 'env', '{"prefix": "X_"}');
insert into key_sets (id, ws_id, created_at, updated_at, name) values ('${uuid(61)}', '${DEFAULT}', ${at}, ${at}, 'set');
insert into basicauth_credentials (id, ws_id, created_at, consumer_id, username, password) values
  ('${uuid(70)}', '${DEFAULT}', ${at}, '${BOB}', 'bob', '${password}');
insert into keyauth_credentials (id, ws_id, created_at, consumer_id, key, ttl) values
  ('${uuid(71)}', '${DEFAULT}', ${at}, '${BOB}', 'for-ever', null),
  ('${uuid(72)}', '${DEFAULT}', ${at}, '${BOB}', 'over', '2023-04-05T07:00:00Z'),
  ('${uuid(73)}', '${DEFAULT}', ${at}, '${BOB}', 'for-a-while', now() + interval '1 hour');
insert into acls (id, ws_id, created_at, consumer_id, "group") values ('${uuid(74)}', '${DEFAULT}', ${at}, '${BOB}', 'gold');
insert into sessions (id, session_id) values ('${uuid(80)}', 'x');`;
}
