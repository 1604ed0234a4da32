/** `sluice config sync FILE …`: makes the configuration that of the files. */
import {
  CommandError,
  EXIT_FAILED,
  EXIT_OK,
  stringOption,
  type Command,
  type Invocation,
} from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';
import type { Session } from '../config/session.ts';

export const command: Command = {
  help: `Usage: sluice config sync [OPTIONS] FILE ...

Makes the configuration of a running Sluice or Kong that of declarative files:
creates, updates and deletes. Prints the difference first. With Sluice, all of
it is one commit: everything is changed, or nothing. With Kong, requests are
made one by one, and what was done is told when one fails.

FILE is a declarative file of Kong's or decK's format, YAML or JSON, a folder of
them, or '-' for standard input; several are taken together. decK's keys _info,
_plugin_configs and _workspace (default) are understood.

Options:
      --select-tag TAG  only entities with this tag count, as often as needed
                        (all of them); those of the files get it, and nothing
                        without it is deleted
      --dry-run         change nothing, and with Sluice have it validated
  -m, --message TEXT    kept with the commit
  -y, --yes             delete without asking
${ADMIN_OPTIONS_HELP}`,
  options: {
    ...ADMIN_OPTIONS,
    'select-tag': { type: 'string', multiple: true },
    'dry-run': { type: 'boolean' },
    message: { type: 'string', short: 'm' },
    yes: { type: 'boolean', short: 'y' },
  },
  positionals: [1, Infinity],
  async run(invocation) {
    const { withSession } = await import('../config/session.ts');
    return withSession(invocation, (session) => sync(invocation, session));
  },
};

async function sync(invocation: Invocation, session: Session): Promise<number> {
  const [{ planLines }, { confirm, paintFor }, { apply }] = await Promise.all([
    import('../config/show.ts'),
    import('../config/terminal.ts'),
    import('../config/apply.ts'),
  ]);
  const { plan, server } = session;
  const { terminal, options } = invocation;
  for (const line of planLines(plan, paintFor(terminal))) terminal.out(line);
  if (plan.changes.length === 0) return EXIT_OK;
  if (options['dry-run'] === true) {
    if (server.database !== 'off') await apply(session, null, true);
    terminal.out('nothing was changed: dry run');
    return EXIT_OK;
  }
  if (server.database === 'off') {
    throw new CommandError(
      `${session.client.place} has no database: send it the whole file with POST /config`,
    );
  }
  const deletions = plan.changes.filter(({ op }) => op === 'delete').length;
  if (deletions > 0 && options['yes'] !== true) {
    const what = deletions === 1 ? 'One entity is' : `${deletions} entities are`;
    if (!(await confirm(`${what} deleted. Go on?`))) {
      terminal.error('nothing was changed');
      return EXIT_FAILED;
    }
  }
  const revision = await apply(session, stringOption(invocation, 'message') ?? null);
  terminal.out(revision === null ? 'done' : `done: revision ${revision}`);
  return EXIT_OK;
}
