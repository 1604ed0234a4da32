/** `sluice config validate FILE …`: are the files valid, for this program or for a running gateway? */
import { EXIT_FAILED, EXIT_OK, SETTINGS_OPTIONS, type Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config validate [OPTIONS] FILE ...

Validates declarative files, Kong's and decK's. Each must be complete by itself.
With errors, prints each as FILE:LINE:COLUMN: PATH: MESSAGE and exits with 1.

      --online          ask the schemas of a running gateway instead, entity by
                        entity: what it runs decides, and the files may refer
                        to what it has
  -c, --conf FILE       settings file, for the router flavor (not --online)
  -p, --prefix DIR      working directory (not --online)

With --online:
${ADMIN_OPTIONS_HELP}`,
  options: { ...SETTINGS_OPTIONS, ...ADMIN_OPTIONS, online: { type: 'boolean' } },
  positionals: [1, Infinity],
  async run(invocation) {
    const { validateOffline, validateOnline } = await import('../config/validate.ts');
    const online = invocation.options['online'] === true;
    const problems = online ? await validateOnline(invocation) : await validateOffline(invocation);
    for (const line of problems) invocation.terminal.error(line);
    if (problems.length > 0) return EXIT_FAILED;
    invocation.terminal.out('valid');
    return EXIT_OK;
  },
};
