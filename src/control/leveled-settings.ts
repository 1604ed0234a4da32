/** Settings with the log level that the Admin API has put in place of `log_level`, for a while. */
import type { LogLevel, Settings } from '../settings/settings.ts';

export class LeveledSettings {
  /** Null: the settings' own. */
  level: LogLevel | null = null;
  #last: { readonly of: Settings; readonly settings: Settings } | null = null;

  /** The same object as long as nothing changes: so it is known what workers have already. */
  of(settings: Settings): Settings {
    const { level } = this;
    if (level === null) return settings;
    if (this.#last?.of !== settings || this.#last.settings.log_level !== level)
      this.#last = { of: settings, settings: { ...settings, log_level: level } };
    return this.#last.settings;
  }
}
