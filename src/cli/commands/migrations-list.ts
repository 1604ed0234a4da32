/** `sluice migrations list`: which migrations there are, and which the database has. */
import { EXIT_OK, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import {
  EXIT_NEEDS_BOOTSTRAP,
  EXIT_NEEDS_UP,
  MIGRATION_OPTIONS,
  MIGRATION_OPTIONS_HELP,
  withDatabase,
} from '../migrations.ts';

export const command: Command = {
  help: `Usage: sluice migrations list [OPTIONS]

Lists all migrations with the time at which the database got each. Exit code 3:
the database needs 'sluice migrations bootstrap'; 5: it needs 'sluice
migrations up'; 1: it is newer than this program.

Options:
${MIGRATION_OPTIONS_HELP}${SETTINGS_OPTIONS_HELP}`,
  options: MIGRATION_OPTIONS,
  positionals: [0, 0],
  run(invocation) {
    const { terminal } = invocation;
    return withDatabase(invocation, async (handle) => {
      const [{ appliedMigrations, tooNew }, { MIGRATIONS }] = await Promise.all([
        import('../../store/postgres/migrations/migrate.ts'),
        import('../../store/postgres/migrations/list.ts'),
      ]);
      const applied = await appliedMigrations(handle.db, handle.schema);
      if (applied === null) {
        terminal.out("database needs bootstrapping; run 'sluice migrations bootstrap'");
        return EXIT_NEEDS_BOOTSTRAP;
      }
      for (const { version, name, applied: time } of applied) {
        terminal.out(`${version} ${name}: ${new Date(time).toISOString()}`);
      }
      const version = applied.at(-1)?.version ?? 0;
      if (version > MIGRATIONS.length) throw tooNew(handle.schema, version, MIGRATIONS.length);
      const missing = MIGRATIONS.slice(applied.length);
      for (const [index, { name }] of missing.entries()) {
        terminal.out(`${applied.length + index + 1} ${name}: not applied; run 'sluice migrations up'`);
      }
      return missing.length > 0 ? EXIT_NEEDS_UP : EXIT_OK;
    });
  },
};
