/** `sluice config dump`: the configuration of a running gateway as a declarative file. */
import { once } from 'node:events';
import { CommandError, EXIT_OK, EXIT_USAGE, stringOption, type Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config dump [OPTIONS]

Writes the configuration of a running Sluice or Kong as a declarative file that
'sluice config sync', decK and Kong read. The order of what is in it depends on
names only, so that two dumps can be compared. Secrets stand in it as they are:
keys, passwords (hashed) and private keys. A file is readable by its owner only.

Options:
  -o, --output FILE     write there, all of it or nothing (default: standard
                        output)
      --format FORMAT   yaml (default) or json
      --select-tag TAG  only entities with this tag, as often as needed (all of
                        them)
      --with-ids        write the ids, too
      --skip-consumers  leave consumers out, their groups, credentials and
                        plugins
${ADMIN_OPTIONS_HELP}`,
  options: {
    ...ADMIN_OPTIONS,
    output: { type: 'string', short: 'o' },
    format: { type: 'string' },
    'select-tag': { type: 'string', multiple: true },
    'with-ids': { type: 'boolean' },
    'skip-consumers': { type: 'boolean' },
  },
  positionals: [0, 0],
  async run(invocation) {
    const format = stringOption(invocation, 'format') ?? 'yaml';
    if (format !== 'yaml' && format !== 'json') {
      throw new CommandError(`--format takes yaml or json, not '${format}'`, EXIT_USAGE);
    }
    const output = stringOption(invocation, 'output');
    const [{ dumpText }, { chunked, writeWhole }] = await Promise.all([
      import('../config/dump.ts'),
      import('../config/write-file.ts'),
    ]);
    const text = await dumpText(invocation, format);
    if (output !== undefined && output !== '-') writeWhole(output, text);
    else
      for (const chunk of chunked(text))
        if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    return EXIT_OK;
  },
};
