/** `sluice admin token revoke NAME`: takes back what `create` gave. */
import { CommandError, EXIT_OK, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';

export const command: Command = {
  help: `Usage: sluice admin token revoke [OPTIONS] NAME

Removes the token or certificate of this name. A running gateway refuses it
from the next request on.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [1, 1],
  async run(invocation) {
    const { openTokens } = await import('../admin-tokens.ts');
    const name = invocation.positionals[0] ?? '';
    if (!(await openTokens(invocation, (tokens) => tokens.revoke(name)))) {
      throw new CommandError(`there is no token named '${name}'`);
    }
    invocation.terminal.out(`'${name}' is revoked`);
    return EXIT_OK;
  },
};
