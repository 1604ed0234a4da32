/**
 * The logs of the main thread: its own lines in the proxy's error log, and the access and error logs of the admin and
 * status listeners. Settings that name one file share one `LogFile`, so that lines keep their order and one descriptor
 * is enough.
 */
import { AccessLog } from '../observe/access-log.ts';
import { ErrorLog } from '../observe/error-log.ts';
import { LogFile, logPath } from '../observe/log-file.ts';
import type { LogLevel, Settings } from '../settings/settings.ts';

export type Log = (level: LogLevel, message: string) => void;

/** The logs of one of the listeners that the main thread serves. */
export interface ListenerLogs {
  readonly access: AccessLog | null;
  readonly error: Log;
}

export class MainLog {
  readonly admin: ListenerLogs;
  readonly status: ListenerLogs;
  readonly log: Log;
  readonly #prefix: string;
  readonly #files = new Map<string, LogFile>();
  readonly #errors: ErrorLog[] = [];

  /** @throws Error of the system when a file cannot be opened. */
  constructor(settings: Settings) {
    this.#prefix = settings.prefix;
    this.log = this.#errorLog(settings.proxy_error_log, settings.log_level, 'control');
    this.admin = this.#listenerLogs('admin', settings);
    this.status = this.#listenerLogs('status', settings);
  }

  setLevel(level: LogLevel): void {
    for (const errors of this.#errors) errors.setLevel(level);
  }

  async reopen(): Promise<void> {
    await Promise.all(this.#files.values().map(async (file) => file.reopen()));
  }

  /** For an end that waits for nothing. */
  flush(): void {
    for (const file of this.#files.values()) file.flushSync();
  }

  async close(): Promise<void> {
    for (const errors of this.#errors) errors.close();
    // The ones opened last first: an access log may still have something to say in its error log.
    await Promise.all([...this.#files.values()].toReversed().map(async (file) => file.close()));
  }

  /** A listener that is off opens no files. */
  #listenerLogs(name: 'admin' | 'status', settings: Settings): ListenerLogs {
    if (settings[`${name}_listen`].length === 0) return { access: null, error: () => undefined };
    const error = this.#errorLog(settings[`${name}_error_log`], settings.log_level, name);
    const access = this.#file(settings[`${name}_access_log`], (line) => error('alert', line));
    return { access: access === null ? null : new AccessLog(access), error };
  }

  #errorLog(setting: string, level: LogLevel, kind: string): Log {
    const errors = new ErrorLog(this.#file(setting), level);
    this.#errors.push(errors);
    return (level, message) => {
      for (const line of message.split('\n')) errors.log(level, kind, line);
    };
  }

  #file(setting: string, report?: (message: string) => void): LogFile | null {
    const path = logPath(this.#prefix, setting);
    if (path === null) return null;
    const open = this.#files.get(path) ?? new LogFile({ path, report });
    this.#files.set(path, open);
    return open;
  }
}
