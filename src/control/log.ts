/** The main thread's own lines in the error log. */
import { ErrorLog } from '../observe/error-log.ts';
import { LogFile, logPath } from '../observe/log-file.ts';
import type { LogLevel, Settings } from '../settings/settings.ts';

export type Log = (level: LogLevel, message: string) => void;

export class MainLog {
  readonly #file: LogFile | null;
  readonly #errors: ErrorLog;

  /** @throws Error of the system when the file cannot be opened. */
  constructor(settings: Settings) {
    const path = logPath(settings.prefix, settings.proxy_error_log);
    this.#file = path === null ? null : new LogFile({ path });
    this.#errors = new ErrorLog(this.#file, settings.log_level);
  }

  readonly log: Log = (level, message) => {
    for (const line of message.split('\n')) this.#errors.log(level, 'control', line);
  };

  setLevel(level: LogLevel): void {
    this.#errors.setLevel(level);
  }

  async reopen(): Promise<void> {
    await this.#file?.reopen();
  }

  /** For an end that waits for nothing. */
  flush(): void {
    this.#file?.flushSync();
  }

  async close(): Promise<void> {
    this.#errors.close();
    await this.#file?.close();
  }
}
