/** `sluice migrations finish`: Kong's second half of an upgrade, which is part of `up` here. */
import { EXIT_OK, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import { MIGRATION_OPTIONS, MIGRATION_OPTIONS_HELP } from '../migrations.ts';

export const command: Command = {
  help: `Usage: sluice migrations finish [OPTIONS]

Does nothing, for scripts that call it after 'migrations up' as Kong needs it.

Options:
${MIGRATION_OPTIONS_HELP}${SETTINGS_OPTIONS_HELP}`,
  options: MIGRATION_OPTIONS,
  positionals: [0, 0],
  run({ terminal }) {
    terminal.out("nothing to finish: 'sluice migrations up' does all of it");
    return Promise.resolve(EXIT_OK);
  },
};
