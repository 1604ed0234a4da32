/** What depends on somebody sitting at the terminal: colours, questions, progress. Everything else goes without. */
import { createInterface } from 'node:readline/promises';
import { CommandError, type Terminal } from '../command.ts';

export interface Paint {
  added(text: string): string;
  removed(text: string): string;
  changed(text: string): string;
  faint(text: string): string;
}

const asIs = (text: string): string => text;
const sgr =
  (code: number) =>
  (text: string): string =>
    `\u001b[${code}m${text}\u001b[0m`;

const PLAIN: Paint = { added: asIs, removed: asIs, changed: asIs, faint: asIs };
const COLOURED: Paint = { added: sgr(32), removed: sgr(31), changed: sgr(33), faint: sgr(2) };

/** Colours only for a terminal, and not when NO_COLOR is set to anything (no-color.org). */
export function paintFor({ env }: Terminal): Paint {
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return process.stdout.isTTY && wanted ? COLOURED : PLAIN;
}

/** @throws CommandError when nobody can be asked. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandError(`${question} There is no terminal to ask at: say --yes`);
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asking.question(`${question} [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

const WIDTH = 24;
const PAUSE_MS = 200;

/** One line on standard error that is written over; nothing when that is no terminal. */
export class Progress {
  readonly #what: string;
  /** Null: it is not known. */
  readonly #total: number | null;
  /** Short work shows nothing. */
  #last = performance.now();
  #shown = false;

  constructor(what: string, total: number | null = null) {
    this.#what = what;
    this.#total = total;
  }

  at(count: number): void {
    if (!process.stderr.isTTY) return;
    const now = performance.now();
    if (now - this.#last < PAUSE_MS) return;
    this.#last = now;
    this.#shown = true;
    process.stderr.write(`\r\u001b[K${this.#what} ${this.#text(count)}`);
  }

  end(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }

  #text(count: number): string {
    if (this.#total === null || this.#total === 0) return String(count);
    const part = Math.min(1, count / this.#total);
    const filled = Math.round(part * WIDTH);
    return `[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${count}/${this.#total}`;
  }
}
