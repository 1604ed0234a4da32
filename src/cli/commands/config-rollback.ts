/** `sluice config rollback REVISION`: makes the configuration that of an earlier commit, as a new one. */
import { CommandError, EXIT_FAILED, EXIT_OK, EXIT_USAGE, stringOption, type Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config rollback [OPTIONS] REVISION

Makes the configuration of a running Sluice that of an earlier revision, as a
new commit: what was done since is undone, and stays in the history. Prints the
difference and asks first.

Options:
  -m, --message TEXT    kept with the commit
  -y, --yes             do not ask
      --dry-run         only print the difference
${ADMIN_OPTIONS_HELP}`,
  options: {
    ...ADMIN_OPTIONS,
    message: { type: 'string', short: 'm' },
    yes: { type: 'boolean', short: 'y' },
    'dry-run': { type: 'boolean' },
  },
  positionals: [1, 1],
  async run(invocation) {
    const [
      { adminClient },
      { identify },
      { asPlan, restore, revisionNumber, wayBack },
      { planLines },
      { confirm, paintFor },
    ] = await Promise.all([
      import('../config/connection.ts'),
      import('../config/server.ts'),
      import('../config/revisions.ts'),
      import('../config/show.ts'),
      import('../config/terminal.ts'),
    ]);
    const { terminal, options } = invocation;
    const target = revisionNumber(invocation.positionals[0] ?? '');
    const client = adminClient(invocation);
    try {
      const { revision } = await identify(client);
      if (revision === null) throw new CommandError(`${client.place} is a Kong, which keeps no history`);
      if (target > revision) throw new CommandError(`the current revision is ${revision}`, EXIT_USAGE);
      const plan = asPlan(await wayBack(client, revision, target));
      for (const line of planLines(plan, paintFor(terminal))) terminal.out(line);
      if (plan.changes.length === 0 || options['dry-run'] === true) return EXIT_OK;
      if (options['yes'] !== true && !(await confirm(`Back to revision ${target}?`))) {
        terminal.error('nothing was changed');
        return EXIT_FAILED;
      }
      const message = stringOption(invocation, 'message') ?? `rollback to revision ${target}`;
      terminal.out(`done: revision ${await restore(client, target, { ifRevision: revision, message })}`);
      return EXIT_OK;
    } finally {
      client.close();
    }
  },
};
