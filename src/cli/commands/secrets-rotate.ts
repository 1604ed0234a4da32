/** `sluice secrets rotate`: seals anew what older keys have sealed. */
import {
  CommandError,
  EXIT_OK,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  type Command,
  type Terminal,
} from '../command.ts';
import type { Resealed } from '../../store/catalog/reseal.ts';

export const command: Command = {
  help: `Usage: sluice secrets rotate [OPTIONS]

Seals all secrets by the first key of secret_key_file (or secret_keys): those
that an older key has sealed, and those from before there were keys, also in
the log of commits and in records (tokens, sessions). The gateway may run meanwhile. With a database that several
nodes share, say it on every node once all of them have the new key in front.

When 'sluice secrets status' names no other key any more, older ones may be
taken away.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const { askKeeper } = await import('../secrets.ts');
    const { key, node, database, scrubbed } = await askKeeper(invocation, '/secrets/rotate', (keeper) =>
      keeper.rotate(),
    );
    const { terminal } = invocation;
    terminal.out(`the key ${key} seals`);
    print(terminal, database === null ? '' : 'on this node: ', node);
    if (database !== null) print(terminal, 'in the database: ', database);
    if (!scrubbed) {
      terminal.error('warning: the store was read all the time; its write-ahead log may have older texts');
    }
    const unreadable = node.unreadable + (database?.unreadable ?? 0);
    if (unreadable > 0) {
      throw new CommandError(
        `${unreadable} texts cannot be opened: a key is missing ('sluice secrets status' names it)`,
      );
    }
    return EXIT_OK;
  },
};

function print(terminal: Terminal, where: string, { entities, log, records }: Resealed): void {
  terminal.out(`${where}sealed anew: ${entities} entities, ${log} texts of the log, ${records} records`);
}
