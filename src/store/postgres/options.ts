/** Where the database is and how its connections are used, from the settings `pg_*`. */
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { PostgresSettings } from '../../settings/postgres-settings.ts';

export interface ServerOptions {
  /** A unix socket's folder begins with `/`. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** Null: no TLS. `ca` null: encrypted, and the certificate is not looked at. */
  readonly tls: { readonly ca: readonly string[] | null } | null;
  /** Milliseconds: to connect, and for the answer to each statement. */
  readonly timeout: number;
}

export interface PoolOptions {
  readonly server: ServerOptions;
  readonly schema: string;
  /** Connections at once. */
  readonly size: number;
  /** How many may wait for one. */
  readonly backlog: number;
  /** Milliseconds that they wait. */
  readonly waitTimeout: number;
  /** Milliseconds that an idle connection is kept. */
  readonly idleTimeout: number;
}

export interface PostgresOptions {
  readonly primary: PoolOptions;
  readonly replica: PoolOptions | null;
  readonly listen: ServerOptions;
  /** How many commits the log keeps. */
  readonly keepCommits: number;
  readonly pace: Pace;
}

/** Milliseconds; tests are less patient than a gateway. */
export interface Pace {
  /** Between two looks at the head without `LISTEN`. */
  readonly poll: number;
  /** The same beside a `LISTEN` that works, and between two signs of life that it must give. */
  readonly safety: number;
  /** For a notification to itself to come back. */
  readonly probe: number;
  /** Until `LISTEN` is tried again where it was useless. */
  readonly relisten: number;
}

export const PACE: Pace = { poll: 200, safety: 5000, probe: 2000, relisten: 60_000 };

/** @throws Error when a certificate authority cannot be read (any more). */
export function postgresOptions(settings: PostgresSettings, keepCommits: number): PostgresOptions {
  const authorities = settings.lua_ssl_trusted_certificate;
  const primary = poolOptions(settings, authorities);
  const listen: ServerOptions = {
    ...primary.server,
    host: settings.pg_listen_host ?? settings.pg_host,
    port: settings.pg_listen_port ?? settings.pg_port,
  };
  const replica = settings.pg_ro_host === null ? null : poolOptions(replicaSettings(settings), authorities);
  return { primary, replica, listen, keepCommits, pace: PACE };
}

function poolOptions(settings: PostgresSettings, authorities: readonly string[]): PoolOptions {
  const limit = settings.pg_max_concurrent_queries;
  return {
    server: {
      host: settings.pg_host,
      port: settings.pg_port,
      user: settings.pg_user,
      password: settings.pg_password,
      database: settings.pg_database,
      tls: settings.pg_ssl ? { ca: settings.pg_ssl_verify ? trusted(authorities) : null } : null,
      timeout: settings.pg_timeout,
    },
    schema: settings.pg_schema,
    size: limit === 0 ? settings.pg_pool_size : Math.min(limit, settings.pg_pool_size),
    backlog: settings.pg_backlog ?? Number.POSITIVE_INFINITY,
    waitTimeout: settings.pg_semaphore_timeout,
    idleTimeout: settings.pg_keepalive_timeout,
  };
}

function trusted(authorities: readonly string[]): readonly string[] {
  return authorities.flatMap((each) =>
    each === 'system' ? getCACertificates('system') : [readFileSync(each, 'utf8')],
  );
}

/** What is not said for the replica is as for the database itself. */
function replicaSettings(all: PostgresSettings): PostgresSettings {
  return {
    ...all,
    pg_host: all.pg_ro_host ?? all.pg_host,
    pg_port: all.pg_ro_port ?? all.pg_port,
    pg_timeout: all.pg_ro_timeout ?? all.pg_timeout,
    pg_user: all.pg_ro_user ?? all.pg_user,
    pg_password: all.pg_ro_password ?? all.pg_password,
    pg_database: all.pg_ro_database ?? all.pg_database,
    pg_schema: all.pg_ro_schema ?? all.pg_schema,
    pg_ssl: all.pg_ro_ssl ?? all.pg_ssl,
    pg_ssl_verify: all.pg_ro_ssl_verify ?? all.pg_ssl_verify,
    pg_max_concurrent_queries: all.pg_ro_max_concurrent_queries ?? all.pg_max_concurrent_queries,
    pg_semaphore_timeout: all.pg_ro_semaphore_timeout ?? all.pg_semaphore_timeout,
    pg_keepalive_timeout: all.pg_ro_keepalive_timeout ?? all.pg_keepalive_timeout,
    pg_pool_size: all.pg_ro_pool_size ?? all.pg_pool_size,
    pg_backlog: all.pg_ro_backlog ?? all.pg_backlog,
  };
}
