/** `sluice config db_export`: Kong's name for a dump into a file that is not there yet. */
import { EXIT_OK, type Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config db_export [OPTIONS] [FILE]

Kong's name for 'sluice config dump': writes the configuration of a running
Sluice or Kong into FILE (default: kong.yml), readable by its owner only. An
existing file is not overwritten.

Options:
${ADMIN_OPTIONS_HELP}`,
  options: ADMIN_OPTIONS,
  positionals: [0, 1],
  async run(invocation) {
    const [{ dumpText }, { refuseExisting, writeNew }] = await Promise.all([
      import('../config/dump.ts'),
      import('../config/write-file.ts'),
    ]);
    const file = invocation.positionals[0] ?? 'kong.yml';
    refuseExisting(file);
    writeNew(file, await dumpText(invocation, 'yaml'));
    invocation.terminal.out(`exported to ${file}`);
    return EXIT_OK;
  },
};
