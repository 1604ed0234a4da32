/**
 * Kong's own tables in Postgres (Kong 3.x), read in one repeatable-read transaction that can write nothing.
 *
 * A row is read as JSON, so that each version's columns are what they are: `service_id` becomes the reference
 * `service`, timestamps become seconds, `ttl` the seconds that are left, and what only Kong's own use has is dropped.
 * Rows come through a cursor, a thousand at a time.
 */
import type { Client } from 'pg';
import { CommandError } from '../command.ts';
import { CONFIG_KINDS, type ConfigKind, configKind } from './kinds.ts';
import { isObject } from './server.ts';
import { type Entity, State } from './state.ts';

export interface KongTables {
  readonly state: State;
  /** What is there and is not configuration of a Kong Gateway OSS: one sentence each. */
  readonly beside: readonly string[];
}

const FETCH = 1000;

/** Tables whose names are not those of the kind, newest first. */
const TABLES: Readonly<Record<string, readonly string[]>> = { vaults: ['sm_vaults', 'vaults'] };

/** Kong Enterprise's, and data of plugins. */
const OTHERS: Readonly<Record<string, string>> = {
  oauth2_tokens: 'OAuth 2.0 tokens are not taken over: clients get new ones',
  sessions: 'sessions are not taken over: people sign in again',
  acme_storage: 'ACME accounts and certificates are not taken over: they are asked for again',
  rbac_users: 'RBAC users of Kong Enterprise: see sluice admin token',
  admins: 'admins of Kong Enterprise',
  licenses: 'licenses of Kong Enterprise',
  event_hooks: 'event hooks of Kong Enterprise',
  degraphql_routes: 'DeGraphQL routes of Kong Enterprise',
  mtls_auth_credentials: 'mtls-auth credentials of Kong Enterprise',
  consumer_group_plugins: 'overrides of rate-limiting-advanced by consumer groups, of Kong Enterprise',
};

/** Not part of an entity. */
const DROPPED: ReadonlySet<string> = new Set(['ws_id', 'cache_key']);

/** @param url postgres://… @throws CommandError */
export async function readKongTables(url: string, onProgress: (count: number) => void): Promise<KongTables> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: url, application_name: 'sluice config import' });
  try {
    await client.connect();
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const tables = await new TableReader(client, onProgress).read();
    await client.query('ROLLBACK');
    return tables;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(
      `cannot read Kong's tables: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

class TableReader {
  readonly #client: Client;
  readonly #onProgress: (count: number) => void;
  readonly #state = new State();
  readonly #elsewhere = new Map<string, number>();
  readonly #now = Date.now();

  constructor(client: Client, onProgress: (count: number) => void) {
    this.#client = client;
    this.#onProgress = onProgress;
  }

  async read(): Promise<KongTables> {
    if (!(await this.#has('services')))
      throw new CommandError('the database holds no tables of Kong in its search path');
    const workspaces = await this.#workspaces();
    for (const kind of CONFIG_KINDS) {
      const table = await this.#tableOf(kind);
      if (table !== null) await this.#kind(kind, table, workspaces);
    }
    const beside = [...this.#elsewhere].map(
      ([workspace, count]) =>
        `${count} entities of workspace '${workspace}': there is one workspace, default`,
    );
    return { state: this.#state, beside: [...beside, ...(await this.#others())] };
  }

  async #has(table: string): Promise<boolean> {
    const { rows } = await this.#client.query<{ found: boolean }>(
      'SELECT to_regclass($1) IS NOT NULL AS found',
      [`"${table}"`],
    );
    return rows[0]?.found === true;
  }

  async #tableOf(kind: ConfigKind): Promise<string | null> {
    for (const table of TABLES[kind.name] ?? [kind.name]) if (await this.#has(table)) return table;
    return null;
  }

  /** Ids of workspaces other than the default one, by name. */
  async #workspaces(): Promise<ReadonlyMap<string, string>> {
    if (!(await this.#has('workspaces'))) return new Map();
    const { rows } = await this.#client.query<{ id: string; name: string }>(
      `SELECT id::text, name FROM workspaces WHERE name <> 'default'`,
    );
    return new Map(rows.map(({ id, name }) => [id, name]));
  }

  async #kind(kind: ConfigKind, table: string, workspaces: ReadonlyMap<string, string>): Promise<void> {
    await this.#client.query(`DECLARE rows NO SCROLL CURSOR FOR SELECT to_jsonb(t) AS row FROM "${table}" t`);
    for (;;) {
      const { rows } = await this.#client.query<{ row: Entity }>(`FETCH ${FETCH} FROM rows`);
      for (const { row } of rows) this.#row(kind, row, workspaces);
      this.#onProgress(this.#state.count);
      if (rows.length < FETCH) break;
    }
    await this.#client.query('CLOSE rows');
  }

  #row(kind: ConfigKind, row: Entity, workspaces: ReadonlyMap<string, string>): void {
    const workspace = workspaces.get(String(row['ws_id']));
    if (workspace !== undefined) {
      this.#elsewhere.set(workspace, (this.#elsewhere.get(workspace) ?? 0) + 1);
      return;
    }
    const entity = entityOf(kind, row, this.#now);
    if (entity !== null) this.#state.add(kind, entity);
  }

  async #others(): Promise<string[]> {
    const found: string[] = [];
    for (const [table, sentence] of Object.entries(OTHERS)) {
      if (!(await this.#has(table))) continue;
      const { rows } = await this.#client.query<{ count: string }>(
        `SELECT count(*) AS count FROM "${table}"`,
      );
      const count = Number(rows[0]?.count ?? 0);
      if (count > 0) found.push(`${count} of ${table}: ${sentence}`);
    }
    return found;
  }
}

/** Null: its time is over. */
function entityOf(kind: ConfigKind, row: Entity, now: number): Entity | null {
  const entity: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    // Null in a column is what a Kong takes the field's default for.
    if (DROPPED.has(column) || value === null) continue;
    const field = column.endsWith('_id') ? column.slice(0, -'_id'.length) : null;
    if (field !== null && field in kind.references) entity[field] = { id: value };
    else if (/^(?:created|updated)_at$/.test(column)) entity[column] = secondsOf(kind, value);
    else if (column === 'ttl') {
      const left = leftOf(value, now);
      if (left === 0) return null;
      if (left !== null) entity['ttl'] = left;
    } else entity[column] = value;
  }
  if (kind === configKind('consumer_group_consumers')) {
    const [group, consumer] = [entity['consumer_group'], entity['consumer']].map((one) =>
      isObject(one) ? String(one['id']) : '',
    );
    return {
      id: `${String(group)}/${String(consumer)}`,
      consumer_group: { id: group },
      consumer: { id: consumer },
    };
  }
  return entity;
}

/** Targets have milliseconds. A time without a zone is UTC. */
function secondsOf(kind: ConfigKind, value: unknown): number | null {
  const time = timeOf(value);
  if (time === null) return null;
  return kind.name === 'targets' ? time / 1000 : Math.floor(time / 1000);
}

function leftOf(value: unknown, now: number): number | null {
  const time = timeOf(value);
  return time === null ? null : Math.max(0, Math.floor((time - now) / 1000));
}

function timeOf(value: unknown): number | null {
  if (typeof value !== 'string') return null;
  const time = Date.parse(/(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(time) ? null : time;
}
