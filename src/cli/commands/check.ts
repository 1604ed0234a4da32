/** `sluice check [CONF]`: are the settings valid? */
import {
  CommandError,
  EXIT_OK,
  EXIT_USAGE,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  stringOption,
  type Command,
} from '../command.ts';

export const command: Command = {
  help: `Usage: sluice check [OPTIONS] [CONF]

Reads the settings from the file CONF (or -c, or the usual places) and the
environment, and reports every problem; also of the plugins in 'plugins_dir'.
The declarative file is checked by 'sluice config parse'.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 1],
  async run(invocation) {
    const named = invocation.positionals[0];
    if (named !== undefined && stringOption(invocation, 'conf') !== undefined) {
      throw new CommandError('name the settings file once: as an argument or with -c', EXIT_USAGE);
    }
    const options = named === undefined ? invocation.options : { ...invocation.options, conf: named };
    const [{ readSettings }, { loadPlugins }] = await Promise.all([
      import('../read-settings.ts'),
      import('../user-plugins.ts'),
    ]);
    const loaded = readSettings({ ...invocation, options });
    await loadPlugins(loaded.settings, invocation.terminal);
    invocation.terminal.out(
      loaded.file === null ? 'settings are valid (no settings file)' : `settings at ${loaded.file} are valid`,
    );
    return EXIT_OK;
  },
};
