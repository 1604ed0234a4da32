/** `sluice migrations bootstrap`: makes Sluice's schema in a database. */
import { EXIT_OK, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import { lockTimeout, MIGRATION_OPTIONS, MIGRATION_OPTIONS_HELP, withDatabase } from '../migrations.ts';

export const command: Command = {
  help: `Usage: sluice migrations bootstrap [OPTIONS]

Makes the schema 'pg_schema' in the database of the settings, with all that
this version needs. Does nothing when it is there already. Tables of others,
Kong's among them, are never touched.

Options:
${MIGRATION_OPTIONS_HELP}${SETTINGS_OPTIONS_HELP}`,
  options: MIGRATION_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const count = await withDatabase(invocation, async (handle) => {
      const { bootstrap } = await import('../../store/postgres/migrations/migrate.ts');
      return bootstrap(handle, {
        lockTimeout: lockTimeout(invocation),
        onApplied: (version, { name }) => invocation.terminal.out(`applied ${version} ${name}`),
      });
    });
    invocation.terminal.out(count === 0 ? 'database already bootstrapped' : 'database is up to date');
    return EXIT_OK;
  },
};
