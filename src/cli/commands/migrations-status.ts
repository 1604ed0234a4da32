/** `sluice migrations status`: one JSON object for scripts. */
import { EXIT_FAILED, EXIT_OK, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import {
  EXIT_NEEDS_BOOTSTRAP,
  EXIT_NEEDS_UP,
  MIGRATION_OPTIONS,
  MIGRATION_OPTIONS_HELP,
  withDatabase,
} from '../migrations.ts';

export const command: Command = {
  help: `Usage: sluice migrations status [OPTIONS]

Prints a JSON object: the version of the database's schema (null before
bootstrap), the one that this program needs, and what to do. Exit codes: 0, it
is up to date; 3, 'sluice migrations bootstrap' is needed; 5, 'sluice
migrations up' is; 1, the database is newer than this program.

Options:
${MIGRATION_OPTIONS_HELP}${SETTINGS_OPTIONS_HELP}`,
  options: MIGRATION_OPTIONS,
  positionals: [0, 0],
  run(invocation) {
    return withDatabase(invocation, async (handle) => {
      const [{ appliedMigrations }, { MIGRATIONS }] = await Promise.all([
        import('../../store/postgres/migrations/migrate.ts'),
        import('../../store/postgres/migrations/list.ts'),
      ]);
      const applied = await appliedMigrations(handle.db, handle.schema);
      const version = applied === null ? null : applied.length;
      const [state, exitCode] = judge(version, MIGRATIONS.length);
      const { schema } = handle;
      invocation.terminal.out(JSON.stringify({ schema, version, needed: MIGRATIONS.length, state }, null, 2));
      return exitCode;
    });
  },
};

function judge(version: number | null, needed: number): readonly [state: string, exitCode: number] {
  if (version === null) return ['needs bootstrap', EXIT_NEEDS_BOOTSTRAP];
  if (version < needed) return ['needs up', EXIT_NEEDS_UP];
  return version > needed ? ['newer than this program', EXIT_FAILED] : ['up to date', EXIT_OK];
}
