/**
 * `pg_*` and `database` must agree. Kong's default database is Postgres and ours is not: a kong.conf that names only
 * the server would otherwise start with another, empty configuration, and nobody would be told.
 */
import type { RawSetting } from './load.ts';
import type { Settings } from './settings.ts';
import { SETTINGS } from './table.ts';

export interface DatabaseJudgement {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** @param raw what was set, by main name. */
export function judgeDatabase(
  raw: Readonly<Record<string, RawSetting>>,
  database: Settings['database'],
): DatabaseJudgement {
  const set = Object.entries(raw).filter(([name, { value }]) => name.startsWith('pg_') && value !== '');
  const first = set[0];
  if (first === undefined || database === 'postgres') return { problems: [], warnings: [] };
  if ((raw['database']?.value ?? '') === '') return { problems: [undecided(set)], warnings: [] };
  const warnings = set
    .filter(([name, { value }]) => value !== SETTINGS[name as keyof Settings].initial)
    .map(([name, { origin }]) => `${origin}: ${name} has no effect with database = ${database}`);
  return { problems: [], warnings };
}

function undecided(set: readonly (readonly [name: string, raw: RawSetting])[]): string {
  const names = set.map(([name]) => name).join(', ');
  const [are, them] = set.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return (
    `${set[0]?.[1].origin ?? ''}: ${names} ${are} set, but database is not, and its default is not Kong's here: ` +
    `add 'database = postgres' to keep the configuration in that Postgres, or remove ${them}`
  );
}
