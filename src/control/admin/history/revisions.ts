/** The log: `/revisions`, one of it, what it changed, and back to it. */
import type { Committed, Revision } from '../../../store/config-store.ts';
import { pathOf } from '../crud/collection.ts';
import { carry, offsetOf, offsetToken, pageBody, pageSize } from '../crud/page-options.ts';
import type { AdminRequest } from '../crud/request.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';
import { describeChange } from './diff.ts';

/** A commit as it is shown. */
export function revisionBody({ revision, time, author, changes }: Revision): Record<string, unknown> {
  const { name, source, message } = author;
  return { revision, time: new Date(time).toISOString(), author: { name, source }, message, changes };
}

export function listRevisions(request: AdminRequest): Response {
  const { query, store } = request;
  const size = pageSize(query);
  const before = offsetOf(query, ['number'])?.[0] as number | undefined;
  const revisions = store.revisions({ before: before ?? null, size: size + 1 });
  const shown = revisions.slice(0, size);
  const last = revisions.length > size ? shown.at(-1) : undefined;
  const token = last === undefined ? null : offsetToken([last.revision]);
  return request.answer(200, pageBody(shown.map(revisionBody), token, '/revisions', carry(query, 'size')));
}

/** @throws RequestError 404 */
function numberOf({ params }: AdminRequest): number {
  const text = params[0] ?? '';
  if (!/^\d{1,15}$/.test(text)) throw notFoundAnswer();
  return Number(text);
}

function commitOf(request: AdminRequest): Revision {
  const found = request.store.describe(numberOf(request));
  if (found === null) throw notFoundAnswer();
  return found;
}

export function readRevision(request: AdminRequest): Response {
  return request.answer(200, revisionBody(commitOf(request)));
}

export function readDiff(request: AdminRequest): Response {
  const { query, store } = request;
  const commit = commitOf(request);
  const size = pageSize(query);
  const [kind, id] = (offsetOf(query, ['string', 'string']) ?? []) as string[];
  const after = kind === undefined || id === undefined ? null : { kind, id };
  const changes = store.changes(commit.revision, { size: size + 1, after });
  if (changes === null) throw notFoundAnswer();
  const page = changes.slice(0, size);
  const last = changes.length > size ? page.at(-1) : undefined;
  const token = last === undefined ? null : offsetToken([last.kind, last.id]);
  const data = page.map((change) => describeChange(change, request.principal));
  const body = pageBody(data, token, pathOf(request), carry(query, 'size'));
  return request.answer(200, { ...revisionBody(commit), ...body });
}

export async function restoreRevision(request: AdminRequest): Promise<Response> {
  const revision = numberOf(request);
  const before = request.store.revision;
  let committed: Committed;
  try {
    committed = await request.store.restore(revision, request.commitOptions());
  } catch (error) {
    if (error instanceof RangeError) throw new RequestError(404, error.message);
    throw error;
  }
  return request.answer(200, resultBody(request, committed, before), committed);
}

/** How a commit of many writes is answered. @param before the revision before it. */
export function resultBody(
  request: AdminRequest,
  { revision }: Committed,
  before: number,
): Record<string, unknown> {
  const changes = revision === before ? 0 : (request.store.describe(revision)?.changes ?? 0);
  return request.dryRun ? { revision, dry_run: true } : { revision, changes };
}
