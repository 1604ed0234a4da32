/**
 * What a command is. Its options are data for `util.parseArgs`; its module holds the help text and imports what it
 * needs only when it runs, so that help and version answer at once.
 */
import type { ParseArgsOptionsConfig } from 'node:util';

export const EXIT_OK = 0;
/** The command did not succeed. */
export const EXIT_FAILED = 1;
/** The command line makes no sense. */
export const EXIT_USAGE = 2;

/** Where a command reads and writes: the process's own, or a test's. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(line: string): void;
  error(line: string): void;
}

export type OptionValues = Readonly<
  Record<string, string | boolean | ReadonlyArray<string | boolean> | undefined>
>;

export interface Invocation {
  readonly terminal: Terminal;
  readonly options: OptionValues;
  readonly positionals: readonly string[];
  /** Everything after the program's name. */
  readonly argv: readonly string[];
}

export interface Command {
  /** Whole help text. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** How many positional arguments it takes, at least and at most. */
  readonly positionals: readonly [min: number, max: number];
  /** Exit code for a command line that makes no sense, where 2 means something else (as in `diff`). */
  readonly usageCode?: number;
  /** Returns the exit code. Throws `CommandError` for what has one clear message. */
  run(invocation: Invocation): Promise<number>;
}

/** A failure whose message is all that there is to say, one line for each problem. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILED) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Options that every command which reads settings takes. */
export const SETTINGS_OPTIONS = {
  conf: { type: 'string', short: 'c' },
  prefix: { type: 'string', short: 'p' },
  v: { type: 'boolean' },
  vv: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

export const SETTINGS_OPTIONS_HELP = `  -c, --conf FILE       settings file (default: the first that exists of
                        /etc/sluice/sluice.conf, /etc/sluice.conf,
                        /etc/kong/kong.conf, /etc/kong.conf)
  -p, --prefix DIR      working directory, in place of the setting 'prefix'
      --v               say what is read and done
      --vv              the same, and where an error comes from
  -h, --help            this text`;

/** The value of a string option. An empty one is a shell variable that was not set, never the default. */
export function stringOption(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name];
  if (value === '') throw new CommandError(`--${name} is empty`, EXIT_USAGE);
  return typeof value === 'string' ? value : undefined;
}

/** The values of a string option that may be given more than once. */
export function listOption(invocation: Invocation, name: string): string[] {
  const value = invocation.options[name];
  const list = Array.isArray(value) ? value : [];
  if (list.includes('')) throw new CommandError(`--${name} is empty`, EXIT_USAGE);
  return list.filter((one) => typeof one === 'string');
}

/** A string option that must be a number of seconds. */
export function secondsOption(invocation: Invocation, name: string, fallback: number): number {
  const value = stringOption(invocation, name);
  if (value === undefined) return fallback;
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(value)) {
    throw new CommandError(`--${name} takes a number of seconds, not '${value}'`, EXIT_USAGE);
  }
  return Number(value);
}
