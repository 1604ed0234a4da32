/**
 * A log level in place of the settings', for a time: of every log of every thread, also of workers that start meanwhile
 * and across reloads. When the time is over the settings decide again.
 */
import type { LogLevel } from '../settings/settings.ts';
import type { ReloadResult } from './reload-result.ts';
import type { Reloader } from './reload.ts';

/** The longest that a timer can wait, seconds. */
const LONGEST = Math.floor((2 ** 31 - 1) / 1000);

export class LogLevelOverride {
  readonly #reloader: Reloader;
  #timer: NodeJS.Timeout | undefined;

  constructor(reloader: Reloader) {
    this.#reloader = reloader;
  }

  get level(): LogLevel {
    return this.#reloader.settings.log_level;
  }

  async change(level: LogLevel, seconds: number): Promise<ReloadResult> {
    const result = await this.#reloader.setLogLevel(level);
    if (!result.ok) return result;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#end(), Math.min(seconds, LONGEST) * 1000).unref();
    return result;
  }

  /** A queue that is full is asked again: the level must not stay. */
  async #end(): Promise<void> {
    const result = await this.#reloader.setLogLevel(null);
    if (!result.ok) this.#timer = setTimeout(() => void this.#end(), 1000).unref();
  }
}
