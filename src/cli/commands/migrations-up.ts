/** `sluice migrations up`: applies the migrations that the database does not have yet. */
import { EXIT_OK, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import { lockTimeout, MIGRATION_OPTIONS, MIGRATION_OPTIONS_HELP, withDatabase } from '../migrations.ts';

export const command: Command = {
  help: `Usage: sluice migrations up [OPTIONS]

Applies the migrations that the database does not have yet. Nodes of the
version before may go on running meanwhile.

Options:
${MIGRATION_OPTIONS_HELP}${SETTINGS_OPTIONS_HELP}`,
  options: MIGRATION_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const count = await withDatabase(invocation, async (handle) => {
      const { migrate } = await import('../../store/postgres/migrations/migrate.ts');
      return migrate(handle, {
        lockTimeout: lockTimeout(invocation),
        onApplied: (version, { name }) => invocation.terminal.out(`applied ${version} ${name}`),
      });
    });
    invocation.terminal.out(count === 0 ? 'database is already up to date' : 'database is up to date');
    return EXIT_OK;
  },
};
