/** How the Postgres of `database = postgres` is reached: kong.conf's `pg_*`, and two of Sluice's own for `LISTEN`. */
export interface PostgresSettings {
  /** Name, address, or folder of a unix socket. */
  readonly pg_host: string;
  readonly pg_port: number;
  /** Milliseconds: to connect, and for the answer to each statement. */
  readonly pg_timeout: number;
  readonly pg_user: string;
  /** Never shown. */
  readonly pg_password: string | null;
  readonly pg_database: string;
  readonly pg_schema: string;
  readonly pg_ssl: boolean;
  readonly pg_ssl_verify: boolean;
  /** 0: as many as `pg_pool_size`. */
  readonly pg_max_concurrent_queries: number;
  /** Milliseconds to wait for a free connection. */
  readonly pg_semaphore_timeout: number;
  /** Milliseconds that an idle connection is kept. */
  readonly pg_keepalive_timeout: number;
  readonly pg_pool_size: number;
  /** How many may wait for a connection; null is unlimited. */
  readonly pg_backlog: number | null;
  /** Null: there is no replica. */
  readonly pg_ro_host: string | null;
  /** From here on null stands for the value of the setting without `ro_`. */
  readonly pg_ro_port: number | null;
  readonly pg_ro_timeout: number | null;
  readonly pg_ro_user: string | null;
  readonly pg_ro_password: string | null;
  readonly pg_ro_database: string | null;
  readonly pg_ro_schema: string | null;
  readonly pg_ro_ssl: boolean | null;
  readonly pg_ro_ssl_verify: boolean | null;
  readonly pg_ro_max_concurrent_queries: number | null;
  readonly pg_ro_semaphore_timeout: number | null;
  readonly pg_ro_keepalive_timeout: number | null;
  readonly pg_ro_pool_size: number | null;
  readonly pg_ro_backlog: number | null;
  /** Sluice's own: where `LISTEN` goes, past a pooler; null: `pg_host`, `pg_port`. */
  readonly pg_listen_host: string | null;
  readonly pg_listen_port: number | null;
  /** PEM files, absolute, and `system` for the certificates of the operating system. */
  readonly lua_ssl_trusted_certificate: readonly string[];
}
