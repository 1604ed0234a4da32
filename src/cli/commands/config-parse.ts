/** `sluice config parse FILE`: is the declarative file valid? Every error of the file, in one go. */
import { readFileSync } from 'node:fs';
import {
  CommandError,
  EXIT_FAILED,
  EXIT_OK,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  type Command,
} from '../command.ts';

export const command: Command = {
  help: `Usage: sluice config parse [OPTIONS] FILE

Validates the declarative file FILE (YAML or JSON; '-' is standard input). With
errors, prints each as FILE:LINE:COLUMN: PATH: MESSAGE and exits with 1. The
router flavor is the one of the settings.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [1, 1],
  async run(invocation) {
    const [{ readSettings }, { loadPlugins }, { compileBytes }, { renderErrors }] = await Promise.all([
      import('../read-settings.ts'),
      import('../user-plugins.ts'),
      import('../../store/file/compile.ts'),
      import('../../store/file/render.ts'),
    ]);
    const file = invocation.positionals[0] ?? '';
    const { settings } = readSettings(invocation);
    await loadPlugins(settings, invocation.terminal);
    const result = compileBytes(readBytes(file), {
      filename: file,
      flavor: settings.router_flavor,
      now: Math.floor(Date.now() / 1000),
    });
    if (result.ok) {
      invocation.terminal.out('parse successful');
      return EXIT_OK;
    }
    for (const line of renderErrors(result.errors, file)) invocation.terminal.error(line);
    return EXIT_FAILED;
  },
};

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
