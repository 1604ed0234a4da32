/** Settings for a command: `-c` and `-p` applied, problems as one `CommandError`, warnings to standard error. */
import { loadSettings, SettingsError, type LoadedSettings } from '../settings/load.ts';
import { CommandError, stringOption, type Invocation } from './command.ts';

/** The same function reads the settings again on a reload. Throws SettingsError. */
export function settingsReader(
  invocation: Invocation,
  overrides: Readonly<Record<string, string>> = {},
): () => LoadedSettings {
  const prefix = stringOption(invocation, 'prefix');
  const options = {
    file: stringOption(invocation, 'conf'),
    env: invocation.terminal.env,
    overrides: prefix === undefined ? overrides : { ...overrides, prefix },
  };
  return () => loadSettings(options);
}

export function readSettings(
  invocation: Invocation,
  overrides?: Readonly<Record<string, string>>,
): LoadedSettings {
  try {
    const loaded = settingsReader(invocation, overrides)();
    for (const warning of loaded.warnings) invocation.terminal.error(`warning: ${warning}`);
    if (isVerbose(invocation)) describe(invocation, loaded);
    return loaded;
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandError(error.message);
    throw error;
  }
}

/** The prefix of the gateway that a command talks to; no file is read when `-p` says it. */
export function readPrefix(invocation: Invocation): string {
  const prefix = stringOption(invocation, 'prefix');
  if (prefix !== undefined)
    return loadSettings({ file: '/dev/null', env: {}, overrides: { prefix } }).settings.prefix;
  try {
    return settingsReader(invocation)().settings.prefix;
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandError(error.message);
    throw error;
  }
}

export function isVerbose(invocation: Invocation): boolean {
  return invocation.options['v'] === true || invocation.options['vv'] === true;
}

/** Names and places, never values: some are secrets. */
function describe(invocation: Invocation, loaded: LoadedSettings): void {
  const { terminal } = invocation;
  terminal.error(loaded.file === null ? 'no settings file' : `settings file: ${loaded.file}`);
  for (const [name, { origin }] of Object.entries(loaded.raw)) terminal.error(`${name} is set by ${origin}`);
  terminal.error(`prefix: ${loaded.settings.prefix}`);
}
