/**
 * `/debug`: the log level of the running gateway, for a time. It is the level of every log of every thread, also of
 * workers that start meanwhile and across reloads; when the time is over the settings decide again.
 */
import type { LogLevel } from '../../settings/settings.ts';
import { LOG_LEVELS } from '../../settings/table.ts';
import type { Gateway } from '../main.ts';
import type { EntityDefinition } from '../../entities/schema/field.ts';
import { readArguments } from './body/arguments.ts';
import { type AdminContext, type Methods, json, jsonText } from './resource.ts';

/** Kong's, seconds. */
const DEFAULT_TIMEOUT = 60;
/** The longest that a timer can wait, seconds. */
const LONGEST = Math.floor((2 ** 31 - 1) / 1000);

/** What the body of a change may say. */
const BODY: EntityDefinition = { name: 'log_level', fields: { timeout: { type: 'number' } } };

export class LogLevelOverride {
  readonly #reloader: Gateway['reloader'];
  #timer: NodeJS.Timeout | undefined;

  constructor(reloader: Gateway['reloader']) {
    this.#reloader = reloader;
  }

  get level(): LogLevel {
    return this.#reloader.settings.log_level;
  }

  /** Answers the refusal, or null. */
  async change(level: LogLevel, seconds: number): Promise<Response | null> {
    const result = await this.#reloader.setLogLevel(level);
    if (!result.ok) return jsonText(result.status, result.body);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#end(), Math.min(seconds, LONGEST) * 1000).unref();
    return null;
  }

  /** A queue that is full is asked again: the level must not stay. */
  async #end(): Promise<void> {
    const result = await this.#reloader.setLogLevel(null);
    if (!result.ok) this.#timer = setTimeout(() => void this.#end(), 1000).unref();
  }
}

export function showLogLevel(override: LogLevelOverride): Methods {
  return { GET: () => json(200, { message: `log level: ${override.level}` }) };
}

export function changeLogLevel({ reloader }: Gateway, override: LogLevelOverride): Methods {
  return {
    PUT: async (context) => {
      const { settings } = reloader;
      if (settings.database === 'off') {
        return json(405, { message: 'cannot change log level when not using a database' });
      }
      const level = context.req.param('level') ?? '';
      const { nginx_admin_client_max_body_size: limit, router_flavor: flavor } = settings;
      const input = await readArguments(context, { limit, flavor, definition: BODY, stored: () => null });
      const seconds = timeoutOf(context, input['timeout']);
      if (!isLevel(level)) return json(400, { message: `unknown log level: ${level}` });
      if (seconds < 0) return json(400, { message: 'timeout must be greater than or equal to 0' });
      if (level === override.level) return json(200, { message: `log level is already ${level}` });
      return (await override.change(level, seconds)) ?? json(200, { message: 'log level changed' });
    },
  };
}

function timeoutOf(context: AdminContext, given: unknown): number {
  const text = given ?? context.req.query('timeout');
  const seconds = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isNaN(seconds) ? DEFAULT_TIMEOUT : Math.ceil(seconds);
}

function isLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
