/** `/debug`: the log level of the running gateway, or of all that share its database, for a time. */
import type { LogLevel } from '../../settings/settings.ts';
import { LOG_LEVELS } from '../../settings/table.ts';
import { StoreUnavailable } from '../../store/errors.ts';
import type { ClusterLogLevel } from '../cluster-log-level.ts';
import type { Gateway } from '../gateway.ts';
import type { EntityDefinition } from '../../entities/schema/field.ts';
import { readArguments } from './body/arguments.ts';
import { type AdminContext, type Methods, json, jsonText } from './resource.ts';

/** Kong's, seconds. */
const DEFAULT_TIMEOUT = 60;
/** What the body of a change may say. */
const BODY: EntityDefinition = { name: 'log_level', fields: { timeout: { type: 'number' } } };

export function showLogLevel(gateway: Gateway): Methods {
  return { GET: () => json(200, { message: `log level: ${gateway.logLevel.level}` }) };
}

/** @param whose the node's own, or that of all nodes that share its database. */
export function changeLogLevel(gateway: Gateway, whose: 'node' | 'cluster'): Methods {
  return {
    PUT: async (context) => {
      const { reloader, logLevel, clusterLogLevel } = gateway;
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
      if (whose === 'cluster') {
        const failure = await toldFailure(clusterLogLevel, level, seconds);
        if (failure !== null) return failure;
      }
      if (level === logLevel.level) return json(200, { message: `log level is already ${level}` });
      const result = await logLevel.change(level, seconds);
      return result.ok ? json(200, { message: 'log level changed' }) : jsonText(result.status, result.body);
    },
  };
}

/** Null: they are told, or there are none. */
async function toldFailure(
  others: ClusterLogLevel | null,
  level: LogLevel,
  seconds: number,
): Promise<Response | null> {
  try {
    await others?.tell(level, seconds);
    return null;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return json(503, { message: `the other nodes cannot be told: ${error.message}` });
  }
}

function timeoutOf(context: AdminContext, given: unknown): number {
  const text = given ?? context.req.query('timeout');
  const scalar = typeof text === 'number' || (typeof text === 'string' && text !== '');
  const seconds = scalar ? Number(text) : Number.NaN;
  return Number.isNaN(seconds) ? DEFAULT_TIMEOUT : Math.ceil(seconds);
}

function isLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
