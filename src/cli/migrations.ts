/** What the commands `sluice migrations …` share: the connection, their options, and failures as one clear message. */
import type { Settings } from '../settings/settings.ts';
import type { Handle } from '../store/postgres/tables.ts';
import { CommandError, EXIT_FAILED, secondsOption, SETTINGS_OPTIONS, type Invocation } from './command.ts';

/** Kong's exit codes of `migrations list` and `status`. */
export const EXIT_NEEDS_BOOTSTRAP = 3;
export const EXIT_NEEDS_UP = 5;

export const MIGRATION_OPTIONS = {
  ...SETTINGS_OPTIONS,
  'lock-timeout': { type: 'string' },
  'db-timeout': { type: 'string' },
} as const;

export const MIGRATION_OPTIONS_HELP = `      --lock-timeout SECONDS
                        how long to wait for another node that migrates
                        (default 60)
      --db-timeout SECONDS
                        how long one statement may take (default 60)
`;

const DEFAULT_SECONDS = 60;

/** Runs `work` with a connection to the database of the settings. */
export async function withDatabase<T>(
  invocation: Invocation,
  work: (handle: Handle) => Promise<T>,
): Promise<T> {
  const { readSettings } = await import('./read-settings.ts');
  const timeout = secondsOption(invocation, 'db-timeout', DEFAULT_SECONDS) * 1000;
  return onDatabase(readSettings(invocation).settings, timeout, work);
}

/** @param timeout milliseconds for one statement. */
async function onDatabase<T>(
  settings: Settings,
  timeout: number,
  work: (handle: Handle) => Promise<T>,
): Promise<T> {
  if (settings.database !== 'postgres') {
    throw new CommandError(
      `migrations are for database = postgres, and database is ${settings.database}: there is nothing to migrate`,
    );
  }
  // Loaded here, so that no other command pays for the driver.
  const [{ openHandle }, { postgresOptions }, { reasonOf }, { SchemaProblem }] = await Promise.all([
    import('../store/postgres/tables.ts'),
    import('../store/postgres/options.ts'),
    import('../store/postgres/failure.ts'),
    import('../store/postgres/migrations/migrate.ts'),
  ]);
  const { primary } = postgresOptions(settings, 1);
  const server = { ...primary.server, timeout };
  const silent = { onAnswer: () => undefined, onFailure: () => undefined };
  const handle = openHandle({ ...primary, server }, silent);
  try {
    return await work(handle);
  } catch (error) {
    if (error instanceof SchemaProblem) throw new CommandError(error.message, EXIT_FAILED);
    const { host, port, database } = server;
    throw new CommandError(`database ${database} at ${host}, port ${port}: ${reasonOf(error)}`, EXIT_FAILED);
  } finally {
    await handle.pool.end();
  }
}

/** Milliseconds. */
export function lockTimeout(invocation: Invocation): number {
  return secondsOption(invocation, 'lock-timeout', DEFAULT_SECONDS) * 1000;
}

/** `start --run-migrations`: makes or updates the schema before anything else. */
export async function migrateBeforeStart(settings: Settings): Promise<void> {
  const { bootstrap } = await import('../store/postgres/migrations/migrate.ts');
  const patience = DEFAULT_SECONDS * 1000;
  await onDatabase(settings, patience, (handle) => bootstrap(handle, { lockTimeout: patience }));
}
