/** `sluice config init`: a declarative file to begin with (Kong's). */
import { EXIT_OK, type Command } from '../command.ts';

const FILE = `# A declarative configuration: 'sluice config parse' says whether it is valid,
# the setting declarative_config names it, 'sluice config sync' brings it to a
# running gateway.
_format_version: "3.0"
_transform: true

# services:
# - name: example
#   url: http://127.0.0.1:8080
#   routes:
#   - name: example
#     paths: [/]
`;

export const command: Command = {
  help: `Usage: sluice config init [FILE]

Writes a declarative file to begin with (default: kong.yml). An existing file is
not overwritten.

Options:
  -h, --help            this text`,
  options: {},
  positionals: [0, 1],
  async run({ terminal, positionals }) {
    const { writeNew } = await import('../config/write-file.ts');
    const file = positionals[0] ?? 'kong.yml';
    writeNew(file, [FILE]);
    terminal.out(`${file} is there: edit it, then 'sluice config parse ${file}'`);
    return EXIT_OK;
  },
};
