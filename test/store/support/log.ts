/** A shared log on a test's Postgres, and commits to append to it. */
import { randomUUID } from 'node:crypto';
import { bootstrap } from '../../../src/store/postgres/migrations/migrate.ts';
import type { PostgresOptions } from '../../../src/store/postgres/options.ts';
import { PostgresLog } from '../../../src/store/postgres/postgres-log.ts';
import { openHandle } from '../../../src/store/postgres/tables.ts';
import type { SharedLog, StoredChange, StoredCommit } from '../../../src/store/shared-log.ts';

const SILENT = { onAnswer: () => undefined, onFailure: () => undefined };

export type OpenLog = SharedLog & AsyncDisposable;

/** Makes the schema. */
export async function prepare(options: PostgresOptions): Promise<void> {
  const handle = openHandle(options.primary, SILENT);
  try {
    await bootstrap(handle, { lockTimeout: 30_000 });
  } finally {
    await handle.pool.end();
  }
}

export async function openLog(options: PostgresOptions): Promise<OpenLog> {
  const log = await PostgresLog.open(options);
  return Object.assign(log, { [Symbol.asyncDispose]: () => log.close() });
}

export function change(id: string, after: string | null, before: string | null = null): StoredChange {
  return { kind: 'services', id, before, after };
}

export function commitOf(revision: number, changes: readonly StoredChange[] = []): StoredCommit {
  return {
    uuid: randomUUID(),
    revision,
    time: 1_790_000_000_000 + revision,
    author: { name: 'ann', source: '10.0.0.1', message: `number ${revision}` },
    changes: changes.length > 0 ? changes : [change(`s${revision}`, `{"name":"s${revision}"}`)],
  };
}

/** Appends after the head, whatever it is then. Answers the revision. */
export async function appendNext(log: SharedLog, changes?: readonly StoredChange[]): Promise<number> {
  for (;;) {
    const commit = commitOf((await log.head()) + 1, changes);
    if ((await log.append(commit)).appended) return commit.revision;
  }
}

/** All entities, `kind id` to text. */
export async function stateOf(log: SharedLog): Promise<{ revision: number; entities: Map<string, string> }> {
  const { revision, entities } = await log.state();
  const found = new Map<string, string>();
  for await (const batch of entities)
    for (const { kind, id, text } of batch) found.set(`${kind} ${id}`, text);
  return { revision, entities: found };
}
