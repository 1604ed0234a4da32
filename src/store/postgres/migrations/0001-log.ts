/** The first schema: head, state and log. Ids and kinds are compared as bytes, since nobody reads them in an order. */
import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const log: Migration = {
  name: 'log',
  async up(db, schema) {
    const table = (name: string) => sql.id(schema, name);
    await sql`create table ${table('head')} (
      single boolean primary key default true check (single),
      revision bigint not null,
      cluster_id uuid not null
    )`.execute(db);
    await sql`insert into ${table('head')} (revision, cluster_id) values (0, gen_random_uuid())`.execute(db);
    await sql`create table ${table('commits')} (
      revision bigint primary key,
      uuid uuid not null unique,
      time bigint not null,
      author text,
      source text not null,
      message text,
      changes integer not null
    )`.execute(db);
    await sql`create table ${table('changes')} (
      revision bigint not null,
      seq integer not null,
      kind text not null,
      id text not null,
      before text,
      after text,
      primary key (revision, seq)
    )`.execute(db);
    await sql`create table ${table('entities')} (
      kind text collate "C" not null,
      id text collate "C" not null,
      text text not null,
      primary key (kind, id)
    )`.execute(db);
  },
};
