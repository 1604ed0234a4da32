/** `sluice config history [REVISION]`: the commits, or what one of them changed. */
import { EXIT_OK, type Command, type Invocation } from '../command.ts';
import type { AdminClient } from '../config/admin-client.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config history [OPTIONS] [REVISION]

Lists the commits of a running Sluice, newest first: revision, time, author,
number of changes, message. With REVISION, prints what that commit changed.

Options:
  -n, --number N        list so many (default: 20)
      --json            print JSON, one commit or change a line
${ADMIN_OPTIONS_HELP}`,
  options: { ...ADMIN_OPTIONS, number: { type: 'string', short: 'n' }, json: { type: 'boolean' } },
  positionals: [0, 1],
  async run(invocation) {
    const { adminClient } = await import('../config/connection.ts');
    const client = adminClient(invocation);
    try {
      const [text] = invocation.positionals;
      const lines =
        text === undefined ? await commits(invocation, client) : await oneCommit(invocation, client, text);
      for (const line of lines) invocation.terminal.out(line);
      return EXIT_OK;
    } finally {
      client.close();
    }
  },
};

async function commits(invocation: Invocation, client: AdminClient): Promise<string[]> {
  const [{ countOption }, { listCommits }, { printable }] = await Promise.all([
    import('../config/connection.ts'),
    import('../config/revisions.ts'),
    import('../config/labels.ts'),
  ]);
  const list = await listCommits(client, countOption(invocation, 'number', 20, 1_000_000));
  if (invocation.options['json'] === true) return list.map((commit) => JSON.stringify(commit));
  return list.map(({ revision, time, author, changes, message }) => {
    const who = author.name === null ? author.source : `${author.name} (${author.source})`;
    const what = `${changes} ${changes === 1 ? 'change' : 'changes'}`;
    return printable(`${revision}  ${time}  ${who}  ${what}${message === null ? '' : `  ${message}`}`);
  });
}

async function oneCommit(invocation: Invocation, client: AdminClient, text: string): Promise<string[]> {
  const [{ asPlan, changesOf, revisionNumber }, { planLines }, { paintFor }] = await Promise.all([
    import('../config/revisions.ts'),
    import('../config/show.ts'),
    import('../config/terminal.ts'),
  ]);
  const changes = await changesOf(client, revisionNumber(text));
  if (invocation.options['json'] === true) return changes.map((change) => JSON.stringify(change));
  return [...planLines(asPlan(changes), paintFor(invocation.terminal))];
}
