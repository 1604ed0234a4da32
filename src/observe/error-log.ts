/**
 * The error log, in nginx's line format with Kong's levels:
 *
 *     2026/11/24 03:00:00 [error] 123#1: *42 message, client: 10.0.0.1, request: "GET / HTTP/1.1", request_id: "…"
 *
 * (process id, thread id, connection). Two rules protect it from clients: values are escaped, so that nobody forges a
 * line or sends codes to a terminal; and each kind of message may write `LINES_PER_WINDOW` lines in a window of
 * `WINDOW_MS`, after which they are counted and one line says how many were left out. An attack so costs at most about
 * 40 KiB a second for each kind in each thread. Level `debug` is not limited: who turns it on wants every line.
 */
import { threadId } from 'node:worker_threads';
import type { LogLevel } from '../settings/settings.ts';
import type { LogFile } from './log-file.ts';

export const LINES_PER_WINDOW = 100;
export const WINDOW_MS = 10_000;
/** Kinds are words in our code; if one is ever made from input, all beyond this share one budget. */
const MAX_KINDS = 512;
const OTHER_KINDS = 'other';
/** Longest line, so that it is whole on a pipe too (nginx cuts at 2048). */
const MAX_LINE = 4000;
const MAX_VALUE = 1024;

/** Most severe first, as syslog counts. */
const SEVERITY: Readonly<Record<LogLevel, number>> = {
  emerg: 0,
  alert: 1,
  crit: 2,
  error: 3,
  warn: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** What is known of the request; only what is given is written, in this order. */
export interface ErrorContext {
  /** Number of the client connection in its thread. */
  readonly connection?: number | undefined;
  readonly client?: string | undefined;
  /** Request line. */
  readonly request?: string | undefined;
  /** `http://10.0.0.2:80` */
  readonly upstream?: string | undefined;
  readonly host?: string | undefined;
  /** Names of entities, or ids of those without. */
  readonly route?: string | undefined;
  readonly service?: string | undefined;
  readonly requestId?: string | undefined;
}

interface Budget {
  windowStart: number;
  lines: number;
  suppressed: number;
  level: LogLevel;
}

export class ErrorLog {
  readonly #file: LogFile | null;
  readonly #now: () => number;
  readonly #budgets = new Map<string, Budget>();
  readonly #origin = `${process.pid}#${threadId}: `;
  #threshold: number;
  #timer: NodeJS.Timeout | undefined;

  /** Without a file (`off`) nothing is written. */
  constructor(file: LogFile | null, level: LogLevel, now: () => number = Date.now) {
    this.#file = file;
    this.#threshold = SEVERITY[level];
    this.#now = now;
  }

  setLevel(level: LogLevel): void {
    this.#threshold = SEVERITY[level];
  }

  /** Ask first where building the message costs something. */
  enabled(level: LogLevel): boolean {
    return this.#file !== null && SEVERITY[level] <= this.#threshold;
  }

  /** `kind` is a stable word for the kind of message (`upstream_connect_failed`): the rate is bounded for each. */
  log(level: LogLevel, kind: string, message: string, context?: ErrorContext): void {
    if (!this.enabled(level)) return;
    const now = this.#now();
    if (level !== 'debug' && !this.#spend(kind, level, now)) return;
    this.#write(level, message, context, now);
  }

  /** Reports what was left out so far, for an orderly stop. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [kind, budget] of this.#budgets) this.#reportSuppressed(kind, budget, this.#now());
  }

  #spend(kind: string, level: LogLevel, now: number): boolean {
    let name = kind;
    let budget = this.#budgets.get(name);
    if (budget === undefined && this.#budgets.size >= MAX_KINDS) {
      name = OTHER_KINDS;
      budget = this.#budgets.get(name);
    }
    if (budget === undefined) {
      budget = { windowStart: now, lines: 0, suppressed: 0, level };
      this.#budgets.set(name, budget);
    }
    // A clock that was set back ends the window too.
    if (now - budget.windowStart >= WINDOW_MS || now < budget.windowStart) {
      this.#reportSuppressed(name, budget, now);
      budget.windowStart = now;
      budget.lines = 0;
    }
    budget.level = level;
    if (budget.lines < LINES_PER_WINDOW) {
      budget.lines++;
      return true;
    }
    budget.suppressed++;
    // The count must come out even when no further message of its kind arrives.
    this.#timer ??= setTimeout(() => this.close(), WINDOW_MS).unref();
    return false;
  }

  #reportSuppressed(kind: string, budget: Budget, now: number): void {
    if (budget.suppressed === 0) return;
    const count = budget.suppressed;
    budget.suppressed = 0;
    this.#write(budget.level, `${count} more messages of kind ${kind} were left out`, undefined, now);
  }

  #write(level: LogLevel, message: string, context: ErrorContext | undefined, now: number): void {
    let line = `${formatTime(new Date(now))} [${level}] ${this.#origin}`;
    if (context?.connection !== undefined) line += `*${context.connection} `;
    line += escapeControls(message, MAX_LINE);
    if (context !== undefined) line += formatContext(context);
    this.#file?.writeLine(line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line);
    // The thread may be about to end.
    if (SEVERITY[level] <= SEVERITY.crit) this.#file?.flush();
  }
}

function formatContext(context: ErrorContext): string {
  let text = '';
  if (context.client !== undefined) text += `, client: ${quoteSafe(context.client)}`;
  if (context.request !== undefined) text += `, request: "${quoteSafe(context.request)}"`;
  if (context.upstream !== undefined) text += `, upstream: "${quoteSafe(context.upstream)}"`;
  if (context.host !== undefined) text += `, host: "${quoteSafe(context.host)}"`;
  if (context.route !== undefined) text += `, route: "${quoteSafe(context.route)}"`;
  if (context.service !== undefined) text += `, service: "${quoteSafe(context.service)}"`;
  if (context.requestId !== undefined) text += `, request_id: "${quoteSafe(context.requestId)}"`;
  return text;
}

/** nginx's error log time, local: `2026/11/24 03:00:00`. */
function formatTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** C0 and C1 control characters, DEL and the two line separators of Unicode. */
// oxlint-disable-next-line no-control-regex -- finding control characters is its purpose
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function escapeControls(text: string, max: number): string {
  const cut = text.length > max ? text.slice(0, max) : text;
  return cut.replace(CONTROLS, escapeCharacter);
}

function quoteSafe(value: string): string {
  return escapeControls(value, MAX_VALUE).replaceAll('"', '\\x22');
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n';
  const code = character.charCodeAt(0);
  const hex = code.toString(16).toUpperCase();
  return code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`;
}
