/**
 * The command line. One table of commands; each command's module is loaded when it is called. Exit codes: 0 success,
 * 1 failure, 2 a command line that makes no sense.
 */
import { parseArgs } from 'node:util';
import { suggest } from '../lib/suggest.ts';
import { COMMANDS } from './commands.ts';
import {
  CommandError,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type Command,
  type OptionValues,
  type Terminal,
} from './command.ts';

const HELP = `Usage: sluice COMMAND [OPTIONS]

Commands:
${[...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(22)}${summary}`).join('\n')}

'sluice COMMAND --help' tells the options of a command.`;

/** Runs one command line and returns the exit code. Never throws. */
async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    if (error instanceof CommandError) {
      for (const line of error.message.split('\n')) terminal.error(`sluice: ${line}`);
      if (argv.includes('--vv') && error.stack !== undefined) terminal.error(error.stack);
      return error.exitCode;
    }
    terminal.error(
      `sluice: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return EXIT_FAILED;
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = argv;
  if (first === undefined) {
    terminal.error(HELP);
    return EXIT_USAGE;
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    terminal.out(HELP);
    return EXIT_OK;
  }
  if (first === '--version') return dispatch(['version'], terminal);
  const name = commandName(argv);
  const next = argv[name.split(' ').length];
  if (isGroup(name) && (next === '--help' || next === '-h')) {
    terminal.out(HELP);
    return EXIT_OK;
  }
  const entry = COMMANDS.get(name);
  if (entry === undefined) throw new CommandError(unknownCommand(name), EXIT_USAGE);
  const { command } = await entry.load();
  try {
    return await runCommand(name, command, argv, terminal);
  } catch (error) {
    const { usageCode } = command;
    if (usageCode === undefined || !(error instanceof CommandError) || error.exitCode !== EXIT_USAGE)
      throw error;
    throw new CommandError(error.message, usageCode);
  }
}

/** As many of the first words as commands begin with, and the one that follows them. */
function commandName(argv: readonly string[]): string {
  let name = argv[0] ?? '';
  for (const word of argv.slice(1)) {
    if (!isGroup(name) || word.startsWith('-')) break;
    name = `${name} ${word}`;
  }
  return name;
}

/** Whether the words are the first of a longer command. */
function isGroup(words: string): boolean {
  return COMMANDS.keys().some((name) => name.startsWith(`${words} `));
}

function unknownCommand(name: string): string {
  if (isGroup(name)) {
    const members = [...COMMANDS.keys()].filter((member) => member.startsWith(`${name} `));
    return `'${name}' is not a command by itself: ${members.join(', ')}`;
  }
  const near = suggest(name, COMMANDS.keys());
  const hint = near === undefined ? `see 'sluice --help'` : `did you mean '${near}'?`;
  return `unknown command '${name}', ${hint}`;
}

async function runCommand(
  name: string,
  command: Command,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = argv.slice(name.split(' ').length);
  const { values, positionals } = parse(name, command, args);
  if (values['help'] === true) {
    terminal.out(command.help);
    return EXIT_OK;
  }
  const [min, max] = command.positionals;
  if (positionals.length < min) throw usageError(name, 'an argument is missing');
  if (positionals.length > max) throw usageError(name, `unexpected argument '${positionals[max] ?? ''}'`);
  return command.run({ terminal, options: values, positionals, argv });
}

function parse(
  name: string,
  command: Command,
  args: string[],
): { values: OptionValues; positionals: string[] } {
  const options = { ...command.options, help: { type: 'boolean', short: 'h' } } as const;
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
    return { values: parsed.values, positionals: parsed.positionals };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw usageError(name, explainOption(error, Object.keys(options)));
  }
}

function usageError(name: string, problem: string): CommandError {
  return new CommandError(`${problem} (see 'sluice ${name} --help')`, EXIT_USAGE);
}

/** parseArgs's first sentence, which names the option, with a suggestion of ours. */
function explainOption(error: TypeError, known: readonly string[]): string {
  const sentence = error.message.split(/\. |\n/)[0] ?? error.message;
  const option = /'--([^']+)'/.exec(sentence)?.[1];
  const unknown = 'code' in error && error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
  const near = unknown && option !== undefined ? suggest(option, known) : undefined;
  return near === undefined ? sentence : `${sentence}, did you mean '--${near}'?`;
}

/** Milliseconds that something forgotten may hold the process once its command is done. */
const LEFTOVER_MS = 1000;

if (import.meta.main) {
  // The gateway opens its logs again on USR1; until it listens to it, that must not open Node's debugger. (Node's
  // --disable-sigusr1 blocks the signal for the gateway too.)
  if (process.argv[2] === 'start') process.on('SIGUSR1', () => undefined);
  // `sluice health | head -1`: whoever reads has enough, and that is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    env: process.env,
    out: (line) => process.stdout.write(`${line}\n`),
    error: (line) => process.stderr.write(`${line}\n`),
  });
  setTimeout(() => process.exit(), LEFTOVER_MS).unref();
}
