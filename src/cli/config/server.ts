/** What answers at an Admin API: Sluice with its log, or a Kong; with a database or without; with which plugins. */
import { CommandError } from '../command.ts';
import type { AdminAnswer, AdminClient } from './admin-client.ts';
import { learnKind } from './kinds.ts';

export interface Server {
  readonly product: 'sluice' | 'kong';
  readonly version: string;
  /** Of its entities, now; null where there is no log. */
  readonly revision: number | null;
  readonly database: string;
  /** Null: it does not say. */
  readonly plugins: ReadonlySet<string> | null;
}

type Json = Readonly<Record<string, unknown>>;

/** @throws CommandError when no Admin API answers there. */
export async function identify(client: AdminClient): Promise<Server> {
  const root = await client.need({ path: '/' });
  const body = isObject(root.body) ? root.body : {};
  if (typeof body['version'] !== 'string') {
    throw new CommandError(`${client.place} is no Admin API: its / says no version`);
  }
  learnKinds(body['plugin_entities']);
  const configuration = isObject(body['configuration']) ? body['configuration'] : {};
  const plugins = isObject(body['plugins']) ? body['plugins']['available_on_server'] : undefined;
  const revision = 'sluice_version' in body ? await currentRevision(client) : null;
  return {
    product: revision === null ? 'kong' : 'sluice',
    version: body['version'],
    revision,
    database: typeof configuration['database'] === 'string' ? configuration['database'] : 'postgres',
    plugins: isObject(plugins) ? new Set(Object.keys(plugins)) : null,
  };
}

/** Kinds that plugins of a Sluice bring: files have them, and they are read and written like the others. */
function learnKinds(given: unknown): void {
  for (const one of Array.isArray(given) ? (given as unknown[]) : []) {
    if (!isObject(one) || typeof one['name'] !== 'string' || typeof one['path'] !== 'string') continue;
    const { name, path, key } = one;
    const lists = (value: unknown): string[][] =>
      Array.isArray(value)
        ? value.filter((list) => Array.isArray(list)).map((list: unknown[]) => list.map(String))
        : [];
    learnKind(name, {
      path,
      key: typeof key === 'string' ? key : null,
      references: isObject(one['references'])
        ? Object.fromEntries(Object.entries(one['references']).map(([field, kind]) => [field, String(kind)]))
        : {},
      identities: lists(one['identities']),
      secrets: lists([one['secrets']])[0] ?? [],
      ttl: one['ttl'] === true,
    });
  }
}

/** Null: there is no log. */
async function currentRevision(client: AdminClient): Promise<number | null> {
  const answer = await client.call({ path: '/revisions?size=1' });
  return answer.status === 200 ? (revisionOf(answer) ?? 0) : null;
}

/** Which revision an answer is of. */
export function revisionOf({ headers }: AdminAnswer): number | null {
  const text = headers['x-sluice-revision'];
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
