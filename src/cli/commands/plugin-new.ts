/** `sluice plugin new NAME`: a plugin that works, with its test. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CommandError,
  EXIT_OK,
  EXIT_USAGE,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  type Command,
} from '../command.ts';

export const command: Command = {
  help: `Usage: sluice plugin new [OPTIONS] NAME

Writes NAME.ts, a plugin that works, and NAME.test.ts, its test, into the folder
of the setting 'plugins_dir', or into ./plugins; and a tsconfig.json for editors
where there is none. Nothing is overwritten.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [1, 1],
  async run(invocation) {
    const [name = ''] = invocation.positionals;
    const [{ PLUGIN_NAME }, { SCHEMAS }, { workingFolder }, texts] = await Promise.all([
      import('../../plugins/users/find.ts'),
      import('../../plugins/schemas.ts'),
      import('../plugin/folder.ts'),
      import('../plugin/template.ts'),
    ]);
    if (!PLUGIN_NAME.test(name)) {
      throw new CommandError(
        `'${name}' is no name of a plugin: lower-case letters, digits, - and _, a letter first`,
        EXIT_USAGE,
      );
    }
    if (SCHEMAS.some((own) => own.name === name))
      throw new CommandError(`Sluice has a plugin '${name}': choose another name`);
    const { path: folder, set } = workingFolder(invocation);
    const file = join(folder, `${name}.ts`);
    const taken = [`${name}.ts`, `${name}.js`, name, `${name}.test.ts`].find((one) =>
      existsSync(join(folder, one)),
    );
    if (taken !== undefined) throw new CommandError(`${join(folder, taken)} is there already`);
    mkdirSync(folder, { recursive: true });
    write(file, texts.pluginText(name));
    write(join(folder, `${name}.test.ts`), texts.testText(name));
    const tsconfig = join(folder, 'tsconfig.json');
    if (!existsSync(tsconfig)) write(tsconfig, texts.tsconfigText());
    const { terminal } = invocation;
    terminal.out(`${file} is a plugin, and ${name}.test.ts beside it its test: sluice plugin test`);
    if (!set) terminal.out(`the gateway reads it with the setting: plugins_dir = ${folder}`);
    return EXIT_OK;
  },
};

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
