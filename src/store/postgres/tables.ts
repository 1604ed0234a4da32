/**
 * The tables of the schema as kysely sees them (`migrations/` makes them), and a handle on them through a pool.
 *
 * One row of `head` says which revision is current, and its lock puts commits into an order. `entities` is the state
 * at the head; `commits` and `changes` are the log, as far back as it is kept.
 */
import { Kysely, PostgresDialect, sql, type RawBuilder } from 'kysely';
import { Pool, type PoolEvents } from './pool.ts';
import type { PoolOptions } from './options.ts';

export interface Tables {
  head: { readonly revision: number; readonly cluster_id: string };
  commits: {
    readonly revision: number;
    readonly uuid: string;
    /** Milliseconds since 1970. */
    readonly time: number;
    readonly author: string | null;
    readonly source: string;
    readonly message: string | null;
    /** How many changes it has. */
    readonly changes: number;
  };
  changes: {
    readonly revision: number;
    /** Their order in the commit, from 0. */
    readonly seq: number;
    readonly kind: string;
    readonly id: string;
    readonly before: string | null;
    readonly after: string | null;
  };
  entities: { readonly kind: string; readonly id: string; readonly text: string };
  /** `expires` in milliseconds since 1970 by the database's clock; `marks` as they are told, joined by blanks. */
  records: {
    readonly collection: string;
    readonly key: string;
    readonly version: number;
    readonly expires: number | null;
    readonly content: string;
    readonly marks: string;
  };
  record_uniques: {
    readonly collection: string;
    readonly field: string;
    readonly value: string;
    readonly key: string;
  };
  record_owners: {
    readonly kind: string;
    readonly id: string;
    readonly collection: string;
    readonly key: string;
  };
  record_versions: never;
  counters: {
    readonly collection: string;
    readonly key: string;
    readonly value: number;
    readonly expires: number;
  };
  migrations: { readonly version: number; readonly name: string; readonly applied: number };
}

export type Db = Kysely<Tables>;

export interface Handle {
  readonly db: Db;
  readonly pool: Pool;
  readonly schema: string;
}

export function openHandle(options: PoolOptions, events: PoolEvents): Handle {
  const pool = new Pool(options, events);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema(options.schema);
  return { db, pool, schema: options.schema };
}

/** A table in SQL of our own, where kysely puts no schema before it. */
export function tableOf({ schema }: { readonly schema: string }, name: keyof Tables): RawBuilder<unknown> {
  return sql.id(schema, name);
}

/** Channel of LISTEN: each schema has its own. Settings allow no name that would need more than quotes. */
export function channelOf(schema: string): string {
  return `${schema}_head`;
}
