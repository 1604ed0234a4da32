/** Records (docs/adr/0020-records.md). Keys are compared as bytes: pages follow their order. */
import { sql } from 'kysely';
import type { Migration } from './migration.ts';

export const records: Migration = {
  name: 'records',
  async up(db, schema) {
    const table = (name: string) => sql.id(schema, name);
    await sql`create sequence ${table('record_versions')}`.execute(db);
    await sql`create table ${table('records')} (
      collection text collate "C" not null,
      key text collate "C" not null,
      version bigint not null,
      expires bigint,
      content text not null,
      marks text not null,
      primary key (collection, key)
    )`.execute(db);
    await sql`create index on ${table('records')} (expires) where expires is not null`.execute(db);
    const place = sql`foreign key (collection, key) references ${table('records')} on delete cascade`;
    await sql`create table ${table('record_uniques')} (
      collection text collate "C" not null,
      field text collate "C" not null,
      value text collate "C" not null,
      key text collate "C" not null,
      primary key (collection, field, value),
      ${place}
    )`.execute(db);
    await sql`create index on ${table('record_uniques')} (collection, key)`.execute(db);
    await sql`create table ${table('record_owners')} (
      kind text collate "C" not null,
      id text collate "C" not null,
      collection text collate "C" not null,
      key text collate "C" not null,
      primary key (kind, id, collection, key),
      ${place}
    )`.execute(db);
    await sql`create index on ${table('record_owners')} (collection, key)`.execute(db);
    await sql`create table ${table('counters')} (
      collection text collate "C" not null,
      key text collate "C" not null,
      value bigint not null,
      expires bigint not null,
      primary key (collection, key)
    )`.execute(db);
    await sql`create index on ${table('counters')} (expires)`.execute(db);
  },
};
