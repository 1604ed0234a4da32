/** `sluice config diff FILE …`: what `sync` would change. */
import { EXIT_FAILED, EXIT_OK, type Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

/** As of diff(1): there are differences. */
const EXIT_DIFFERENT = 2;

export const command: Command = {
  help: `Usage: sluice config diff [OPTIONS] FILE ...

Compares declarative files with the configuration of a running Sluice or Kong,
and changes nothing. Exits with 0 when they are the same, with 2 when they
differ, with 1 when something is wrong.

FILE is a declarative file of Kong's or decK's format, YAML or JSON, a folder of
them, or '-' for standard input; several are taken together. decK's keys _info,
_plugin_configs and _workspace (default) are understood.

Options:
      --select-tag TAG  only entities with this tag count, as often as needed
                        (all of them); those of the files get it
${ADMIN_OPTIONS_HELP}`,
  options: { ...ADMIN_OPTIONS, 'select-tag': { type: 'string', multiple: true } },
  positionals: [1, Infinity],
  usageCode: EXIT_FAILED,
  async run(invocation) {
    const [{ withSession }, { planLines }, { paintFor }] = await Promise.all([
      import('../config/session.ts'),
      import('../config/show.ts'),
      import('../config/terminal.ts'),
    ]);
    return withSession(invocation, ({ plan }) => {
      for (const line of planLines(plan, paintFor(invocation.terminal))) invocation.terminal.out(line);
      return Promise.resolve(plan.changes.length === 0 ? EXIT_OK : EXIT_DIFFERENT);
    });
  },
};
