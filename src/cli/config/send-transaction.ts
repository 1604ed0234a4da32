/**
 * All changes as one commit of Sluice: `POST /transactions`, one JSON object a line, made while they are sent. It is
 * refused when the revision that was compared is not the current one any more.
 */
import { Readable } from 'node:stream';
import { CommandError } from '../command.ts';
import { type AdminClient, refusal } from './admin-client.ts';
import { idOf } from './kinds.ts';
import type { Change } from './plan.ts';
import { isObject, revisionOf } from './server.ts';

/** Bytes of lines that are sent together. */
const CHUNK = 64 * 1024;

export interface TransactionOptions {
  readonly message: string | null;
  /** Null: whatever the current one is. */
  readonly ifRevision: number | null;
  /** Validate all, keep nothing. */
  readonly dryRun?: boolean;
  readonly onProgress: (sent: number) => void;
}

/** Answers the new revision. @throws CommandError: nothing has changed. */
export async function sendTransaction(
  client: AdminClient,
  changes: readonly Change[],
  options: TransactionOptions,
): Promise<number | null> {
  const source = Readable.from(chunks(changes, options), { objectMode: false, highWaterMark: CHUNK });
  const answer = await client.call({
    method: 'POST',
    path: options.dryRun === true ? '/transactions?dry_run=1' : '/transactions',
    stream: { type: 'application/x-ndjson', source },
    // The server answers when all of it is validated and written.
    timeout: 0,
    headers: {
      ...(options.ifRevision !== null && { 'if-match': `"${options.ifRevision}"` }),
    },
  });
  if (answer.status >= 200 && answer.status < 300) {
    const { body } = answer;
    const told = isObject(body) && typeof body['revision'] === 'number' ? body['revision'] : null;
    return told ?? revisionOf(answer);
  }
  if (answer.status === 412) {
    throw new CommandError(
      `somebody else changed the configuration meanwhile (${refusal(answer)}): nothing was changed; compare again`,
    );
  }
  throw new CommandError(`nothing was changed: ${whichFailed(answer.body, changes)}${refusal(answer)}`);
}

/** The server names the line, counted from 0 without the first. */
function whichFailed(body: unknown, changes: readonly Change[]): string {
  const index = isObject(body) ? body['index'] : undefined;
  const change = typeof index === 'number' ? changes[index] : undefined;
  return change === undefined ? '' : `${change.op} ${change.label}: `;
}

function* chunks(changes: readonly Change[], options: TransactionOptions): Generator<Buffer> {
  let text = options.message === null ? '' : `${JSON.stringify({ message: options.message })}\n`;
  for (const [index, change] of changes.entries()) {
    text += `${JSON.stringify(lineOf(change))}\n`;
    if (text.length < CHUNK) continue;
    options.onProgress(index + 1);
    yield Buffer.from(text);
    text = '';
  }
  options.onProgress(changes.length);
  if (text !== '') yield Buffer.from(text);
}

/** `stored`: secrets in the entity have the form in which they are kept, and are not hashed again. */
function lineOf(change: Change): Readonly<Record<string, unknown>> {
  const { op, kind, id, input, merge, stored } = change;
  if (kind.name === 'consumer_group_consumers') return memberLine(change);
  const write = { kind: kind.name, ...(stored && { stored: true }) };
  switch (op) {
    case 'create':
      return { op: 'create', ...write, entity: input };
    case 'delete':
      return { op: 'delete', ...write, id };
    default:
      return { op: merge ? 'patch' : 'put', ...write, id, entity: input };
  }
}

/** A membership is named by its two ends. */
function memberLine({ op, input, before }: Change): Readonly<Record<string, unknown>> {
  const member = input ?? before;
  const path = `/consumer_groups/${idOf(member?.['consumer_group']) ?? ''}/consumers/${idOf(member?.['consumer']) ?? ''}`;
  return op === 'delete' ? { op, path } : { op: 'put', path, entity: {} };
}
