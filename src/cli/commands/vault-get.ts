/** `sluice vault get REFERENCE` (Kong's `kong vault get`): what does a vault reference stand for? */
import { CommandError, EXIT_OK, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';

export const command: Command = {
  help: `Usage: sluice vault get [OPTIONS] REFERENCE

Prints the secret that REFERENCE stands for: {vault://env/NAME},
{vault://env/NAME/KEY}, {vault://file/PATH}, or the same without the braces
and 'vault://'. Configured vaults are known to the running gateway alone.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [1, 1],
  async run(invocation) {
    const [{ readSettings }, { VaultResolver }, { VaultError }] = await Promise.all([
      import('../read-settings.ts'),
      import('../../lib/vault/resolver.ts'),
      import('../../lib/vault/reference.ts'),
    ]);
    const { settings } = readSettings(invocation);
    const resolver = new VaultResolver({
      env: invocation.terminal.env,
      envPrefix: settings.vault_env_prefix,
      fileBase: settings.vault_file_base,
    });
    try {
      invocation.terminal.out(resolver.resolve(withBraces(invocation.positionals[0] ?? '')));
      return EXIT_OK;
    } catch (error) {
      if (error instanceof VaultError) throw new CommandError(error.message);
      throw error;
    }
  },
};

function withBraces(reference: string): string {
  if (reference.startsWith('{')) return reference;
  return reference.startsWith('vault://') ? `{${reference}}` : `{vault://${reference}}`;
}
