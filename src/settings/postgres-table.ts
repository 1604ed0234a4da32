/**
 * The part of the table of settings that is about Postgres. Names, units and defaults are kong.conf's, save for
 * `pg_schema`: Kong's own tables may lie in the same database and are never touched, so ours have a schema to
 * themselves.
 */
import { resolve } from 'node:path';
import { boolean, integer, InvalidValue, list, readableFile, text, type ValueParser } from './parse-value.ts';
import type { PostgresSettings } from './postgres-settings.ts';
import type { SettingSpec } from './table.ts';

type Table = { readonly [K in keyof PostgresSettings]: SettingSpec<PostgresSettings[K]> };

/** Longest timer that Node can arm. */
const MAX_TIME = 0x7fffffff;
/** One connection for each of commits, reads and a first load, and some more. */
const POOL_SIZE = '10';

const port = integer(1, 65_535);
const milliseconds = integer(1, MAX_TIME);
const connections = integer(1, 1000);

/** A name that needs no quotes, so that it means the same here, in psql and in a channel of LISTEN. */
function schemaName(value: string): string {
  if (!/^[a-z_][a-z0-9_]{0,49}$/.test(value) || value.startsWith('pg_')) {
    throw new InvalidValue(`'${value}' is no name for a schema: lower-case letters, digits and _, up to 50`);
  }
  return value;
}

/** Kong's list: `system`, or PEM files. */
function certificate(value: string): string {
  return value === 'system' ? value : readableFile(resolve(value));
}

export const POSTGRES_SETTINGS: Table = {
  pg_host: own(
    '127.0.0.1',
    text,
    'Host of the database: a name, an address, or the folder of a unix socket.',
  ),
  pg_port: own('5432', port, 'Port of the database.'),
  pg_timeout: own('5000', milliseconds, 'Milliseconds to connect, and for the answer to each statement.'),
  pg_user: own(
    'kong',
    text,
    'User. It needs the right to create a schema for `sluice migrations bootstrap` alone.',
  ),
  pg_password: { ...optional(text, 'Password. Never shown.'), secret: true },
  pg_database: own('kong', text, 'Database.'),
  pg_schema: own(
    'sluice',
    schemaName,
    "Schema that holds Sluice's tables and nothing else. Kong's tables in the same database are never touched.",
  ),
  pg_ssl: own('off', boolean, 'Whether to connect with TLS; a server without it is then refused.'),
  pg_ssl_verify: own(
    'off',
    boolean,
    "Whether the server's certificate must be issued by `lua_ssl_trusted_certificate` for `pg_host`.",
  ),
  pg_max_concurrent_queries: own(
    '0',
    integer(0, 1000),
    'Connections in use at once, when that is less than `pg_pool_size`; 0 leaves it at that.',
  ),
  pg_semaphore_timeout: own('60000', milliseconds, 'Milliseconds to wait for a free connection.'),
  pg_keepalive_timeout: own('60000', milliseconds, 'Milliseconds that an idle connection is kept.'),
  pg_pool_size: own(
    POOL_SIZE,
    connections,
    'Connections of this node at most, beside the one for `LISTEN`. No request needs one: this is for the Admin API and for following the other nodes.',
  ),
  pg_backlog: optional(integer(0, 65_536), 'How many may wait for a free connection; unset is unlimited.'),
  pg_ro_host: optional(
    text,
    'Host of a read replica, from which nodes load and follow the configuration as far as it is up to date. Unset, there is none.',
  ),
  pg_ro_port: replica(port),
  pg_ro_timeout: replica(milliseconds),
  pg_ro_user: replica(text),
  pg_ro_password: { ...replica(text), secret: true },
  pg_ro_database: replica(text),
  pg_ro_schema: replica(schemaName),
  pg_ro_ssl: replica(boolean),
  pg_ro_ssl_verify: replica(boolean),
  pg_ro_max_concurrent_queries: replica(integer(0, 1000)),
  pg_ro_semaphore_timeout: replica(milliseconds),
  pg_ro_keepalive_timeout: replica(milliseconds),
  pg_ro_pool_size: replica(connections),
  pg_ro_backlog: replica(integer(0, 65_536)),
  pg_listen_host: optional(
    text,
    "Sluice's own: host for `LISTEN`, past a pooler such as PgBouncer in transaction mode, through which it does not work. Unset, `pg_host`; where notifications do not arrive, the node asks every 0.2 s.",
  ),
  pg_listen_port: optional(port, "Sluice's own: port for `LISTEN`. Unset, `pg_port`."),
  lua_ssl_trusted_certificate: {
    initial: 'system',
    parse: list(certificate),
    takesEffect: 'restart',
    section: 'Database',
    doc: 'Certificate authorities that `pg_ssl_verify` trusts, and services with `tls_verify` that name none: PEM files, and `system` for those of the operating system.',
  },
};

function own<T>(initial: string, parse: ValueParser<T>, doc: string): SettingSpec<T> {
  return { initial, parse, takesEffect: 'restart', section: 'Database', doc };
}

function optional<T>(parse: ValueParser<T>, doc: string): SettingSpec<T | null> {
  return { initial: null, parse, unset: null, takesEffect: 'restart', section: 'Database', doc };
}

function replica<T>(parse: ValueParser<T>): SettingSpec<T | null> {
  return optional(parse, 'For the replica; unset, as for the database itself.');
}
