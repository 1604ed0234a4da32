/** `sluice plugin test [FILE]`: the tests of users' plugins, against a gateway in their own process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { moduleUrl } from '../../lib/module-url.ts';
import {
  CommandError,
  EXIT_FAILED,
  EXIT_OK,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  type Command,
} from '../command.ts';

export const command: Command = {
  help: `Usage: sluice plugin test [OPTIONS] [FILE]

Runs the test FILE, or all tests (*.test.ts, *.test.js) in the folder of the
setting 'plugins_dir', or in ./plugins, with Node's test runner. Tests import
'sluice/plugin-testing', which starts a gateway with these plugins inside of the
test's process. Exits with 1 when a test fails.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 1],
  async run(invocation) {
    const [{ workingFolder }, { loadPlugins }, { readSettings }] = await Promise.all([
      import('../plugin/folder.ts'),
      import('../user-plugins.ts'),
      import('../read-settings.ts'),
    ]);
    const { path: folder, exists } = workingFolder(invocation);
    if (!exists) throw new CommandError(`there is no folder ${folder}: 'sluice plugin new NAME' begins one`);
    const { settings } = readSettings(invocation);
    // What does not load is told once, and in our words.
    await loadPlugins({ ...settings, plugins_dir: folder }, invocation.terminal);
    const files = testFiles(folder, invocation.positionals[0]);
    const hooks = moduleUrl('../../plugins/users/register', import.meta.url).href;
    const child = spawn(process.execPath, ['--import', hooks, '--test', ...files], {
      stdio: 'inherit',
      env: { ...invocation.terminal.env, SLUICE_PLUGINS_DIR: folder },
    });
    await once(child, 'exit');
    return child.exitCode === 0 ? EXIT_OK : EXIT_FAILED;
  },
};

function testFiles(folder: string, named: string | undefined): string[] {
  if (named !== undefined) {
    const file = [resolve(named), join(folder, named)].find((path) => existsSync(path));
    if (file === undefined) throw new CommandError(`there is no ${named}, neither here nor in ${folder}`);
    return [file];
  }
  const files = globSync('**/*.test.{ts,js}', { cwd: folder, exclude: ['**/node_modules/**'] });
  if (files.length === 0) throw new CommandError(`${folder} holds no tests (*.test.ts)`);
  return files.sort().map((file) => join(folder, file));
}
