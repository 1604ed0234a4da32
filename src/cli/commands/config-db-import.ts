/** `sluice config db_import`: Kong's way of adding files to a configuration; a sync that deletes nothing. */
import { CommandError, EXIT_OK, stringOption, type Command, type Invocation } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';
import type { Session } from '../config/session.ts';

export const command: Command = {
  help: `Usage: sluice config db_import [OPTIONS] FILE ...

Adds what is in declarative files to the configuration of a running Sluice or
Kong, and changes what is there already. Nothing is deleted; for that, see
'sluice config sync'. With Sluice, all of it is one commit, or nothing.

Options:
  -m, --message TEXT    kept with the commit
${ADMIN_OPTIONS_HELP}`,
  options: { ...ADMIN_OPTIONS, message: { type: 'string', short: 'm' } },
  positionals: [1, Infinity],
  async run(invocation) {
    const { withSession } = await import('../config/session.ts');
    return withSession(invocation, (session) => importInto(invocation, session));
  },
};

async function importInto(invocation: Invocation, { plan, ...session }: Session): Promise<number> {
  const { apply } = await import('../config/apply.ts');
  const { terminal } = invocation;
  if (session.server.database === 'off') {
    throw new CommandError(
      `${session.client.place} has no database: send it the whole file with POST /config`,
    );
  }
  const changes = plan.changes.filter(({ op }) => op !== 'delete');
  const message = stringOption(invocation, 'message') ?? null;
  const revision =
    changes.length === 0 ? null : await apply({ ...session, plan: { ...plan, changes } }, message);
  terminal.out(revision === null ? 'import successful' : `import successful: revision ${revision}`);
  return EXIT_OK;
}
