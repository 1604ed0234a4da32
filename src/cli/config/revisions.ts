/** The log of a Sluice, as its Admin API tells it: commits, and what is between now and one of them. */
import { isDeepStrictEqual } from 'node:util';
import { MASK } from '../../entities/secrets.ts';
import { CommandError, EXIT_USAGE } from '../command.ts';
import { type AdminClient, refusal } from './admin-client.ts';
import { type Difference, differences } from './compare.ts';
import type { FieldSchemas } from './field-schema.ts';
import { configKind, isAside } from './kinds.ts';
import { labelOf, type Lookup } from './labels.ts';
import type { Change, Plan } from './plan.ts';
import { isObject } from './server.ts';
import type { Entity } from './state.ts';

export interface Commit {
  readonly revision: number;
  /** ISO 8601. */
  readonly time: string;
  readonly author: { readonly name: string | null; readonly source: string };
  readonly message: string | null;
  readonly changes: number;
}

interface LogChange {
  readonly kind: string;
  readonly id: string;
  readonly before: Entity | null;
  readonly after: Entity | null;
  /** Paths that differ, also of what is masked. */
  readonly fields: readonly string[];
}

const NO_SCHEMA: FieldSchemas = new Map();

/** Newest first, at most `count`. @throws CommandError for a server that has no log */
export async function listCommits(client: AdminClient, count: number): Promise<Commit[]> {
  const commits: Commit[] = [];
  for await (const commit of pagesOf(client, '/revisions', Math.min(count, 1000))) {
    commits.push(commit as unknown as Commit);
    if (commits.length >= count) break;
  }
  return commits;
}

/** @throws CommandError when there is no such commit, or its changes are not kept any more. */
export async function changesOf(client: AdminClient, revision: number): Promise<LogChange[]> {
  const changes: LogChange[] = [];
  for await (const change of pagesOf(client, `/revisions/${revision}/diff`, 1000)) {
    changes.push(change as unknown as LogChange);
  }
  return changes;
}

async function* pagesOf(client: AdminClient, path: string, size: number): AsyncGenerator<Entity> {
  const query = new URLSearchParams({ size: String(size) });
  for (;;) {
    const answer = await client.call({ path: `${path}?${query.toString()}` });
    if (answer.status === 404) {
      throw new CommandError(
        path === '/revisions'
          ? `${client.place} keeps no history: it is a Kong, or has no database`
          : `${client.place} has no ${path.slice(1).replace('/diff', '').replace('s/', ' ')} in its history`,
      );
    }
    const { body } = answer;
    if (answer.status !== 200 || !isObject(body) || !Array.isArray(body['data'])) {
      throw new CommandError(`${client.place}: GET ${path} answered ${refusal(answer)}`);
    }
    for (const one of body['data']) if (isObject(one)) yield one;
    if (typeof body['offset'] !== 'string') return;
    query.set('offset', body['offset']);
  }
}

/** What leads from the current revision back to an earlier one. @throws CommandError */
export async function wayBack(client: AdminClient, current: number, target: number): Promise<LogChange[]> {
  const folded = new Map<string, LogChange>();
  for (let revision = current; revision > target; revision--) {
    for (const change of await changesOf(client, revision)) {
      if (isAside(change.kind)) continue;
      const key = `${change.kind} ${change.id}`;
      const later = folded.get(key);
      // The later commit's `after` is what is now, the earliest one's `before` is what was then.
      const made = change.before === null || change.after === null;
      const touched = made ? maskedIn(change.before ?? change.after) : change.fields;
      const fields = [...new Set([...(later?.fields ?? []), ...touched])];
      folded.set(key, {
        ...change,
        before: later === undefined ? change.after : later.before,
        after: change.before,
        fields,
      });
    }
  }
  return [...folded.values()].filter(isChange);
}

/** What went and came back the same is none; of what is not shown nobody knows. */
function isChange({ before, after, fields }: LogChange): boolean {
  if (before === null || after === null) return before !== after;
  return !isDeepStrictEqual(untimed(before), untimed(after)) || hiddenIn(before, after, fields).length > 0;
}

function untimed(entity: Entity): Entity {
  return { ...entity, created_at: null, updated_at: null };
}

/** Changes of the log as those of a plan, for people. */
export function asPlan(changes: readonly LogChange[]): Plan {
  const known = new Map(changes.map(({ kind, id, before, after }) => [`${kind} ${id}`, after ?? before]));
  const lookup: Lookup = (kind, id) => known.get(`${kind.name} ${id}`) ?? null;
  return { changes: changes.map((change) => asChange(change, lookup)), unchanged: 0 };
}

function asChange({ kind: name, id, before, after, fields }: LogChange, lookup: Lookup): Change {
  const kind = configKind(name);
  const op = before === null ? 'create' : after === null ? 'delete' : 'update';
  const label = labelOf(kind, after ?? before ?? { id }, lookup);
  const shown = before === null || after === null ? [] : fieldDifferences(name, before, after, fields);
  return { op, kind, id, label, before, input: after, merge: false, differences: shown, stored: false };
}

function fieldDifferences(
  kind: string,
  before: Entity,
  after: Entity,
  fields: readonly string[],
): Difference[] {
  const found = differences(configKind(kind), before, after, NO_SCHEMA);
  const hidden = hiddenIn(before, after, fields);
  return [...found, ...hidden.map((path) => ({ path, before: null, after: null, secret: true }))];
}

/** Of the fields those that look the same because they are masked. */
function hiddenIn(before: Entity, after: Entity, fields: readonly string[]): string[] {
  const masked = new Set(maskedIn(after));
  return maskedIn(before).filter((path) => masked.has(path) && fields.includes(path));
}

/** Paths of what is not shown. */
function maskedIn(entity: unknown, prefix = ''): string[] {
  if (!isObject(entity)) return [];
  return Object.entries(entity).flatMap(([name, value]) =>
    value === MASK ? [prefix + name] : maskedIn(value, `${prefix}${name}.`),
  );
}

/** @throws CommandError */
export function revisionNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CommandError(`'${text}' is no number of a revision`, EXIT_USAGE);
}

/** Answers the new revision. @throws CommandError: nothing has changed. */
export async function restore(
  client: AdminClient,
  target: number,
  { ifRevision, message }: { readonly ifRevision: number; readonly message: string },
): Promise<number> {
  const answer = await client.call({
    method: 'POST',
    path: `/revisions/${target}/restore`,
    timeout: 0,
    headers: {
      'if-match': `"${ifRevision}"`,
      // Fields are bytes; these are UTF-8.
      'x-sluice-message': Buffer.from(message).toString('latin1'),
    },
  });
  const { status, body } = answer;
  if (status === 200 && isObject(body) && typeof body['revision'] === 'number') return body['revision'];
  throw new CommandError(`nothing was changed: ${refusal(answer)}`);
}
