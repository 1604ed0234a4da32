/** `sluice start`: runs the gateway in the foreground until it is told to stop. */
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { LoadedSettings } from '../../settings/load.ts';
import { SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, stringOption, type Command } from '../command.ts';

const COMPILED_AFTER_MS = 10_000;

export const command: Command = {
  help: `Usage: sluice start [OPTIONS]

Starts the gateway in the foreground. Signals: TERM and INT stop it at once,
QUIT gracefully, HUP makes it read its settings and its declarative file again,
USR1 open its log files again.

Options:
      --config FILE     declarative file, in place of 'declarative_config'
      --run-migrations  make or update the schema of database = postgres first
${SETTINGS_OPTIONS_HELP}

Environment: SLUICE_<SETTING>, or KONG_<SETTING>, sets any setting.
SLUICE_NO_RESTART=1 runs it without the supervisor that starts it again after
an abnormal end.`,
  options: { ...SETTINGS_OPTIONS, config: { type: 'string' }, 'run-migrations': { type: 'boolean' } },
  positionals: [0, 0],
  async run(invocation) {
    // What `ps`, and the message about a port in use, call the process.
    process.title = 'sluice';
    // The launcher's is for this thread: other threads say their own, or have V8's.
    setFlagsFromString('--max-semi-space-size=0');
    const config = stringOption(invocation, 'config');
    const overrides: Readonly<Record<string, string>> =
      config === undefined ? {} : { declarative_config: resolve(config), declarative_config_string: '' };
    const [{ readSettings, settingsReader }, { runGateway }] = await Promise.all([
      import('../read-settings.ts'),
      import('../../control/main.ts'),
    ]);
    // Problems are told in full before anything is started; the gateway's first reading is this one.
    let first: LoadedSettings | undefined = readSettings(invocation, overrides);
    if (invocation.options['run-migrations'] === true && first.settings.database === 'postgres') {
      const { migrateBeforeStart } = await import('../migrations.ts');
      await migrateBeforeStart(first.settings);
    }
    const readAgain = settingsReader(invocation, overrides);
    flushCompileCacheLater();
    return runGateway({
      loadSettings() {
        const loaded = first ?? readAgain();
        first = undefined;
        return loaded;
      },
    });
  },
};

/** Node keeps compiled code only when a process ends well; a gateway that is killed after months should start fast too. */
function flushCompileCacheLater(): void {
  setTimeout(() => flushCompileCache(), COMPILED_AFTER_MS).unref();
}
