/**
 * Changes as single requests, for a Kong: those of one kind at once, kind after kind. When one fails, what is under way
 * ends, nothing more is begun, and what was done is told: a Kong cannot take it back.
 */
import { CommandError } from '../command.ts';
import { type AdminCall, type AdminClient, refusal } from './admin-client.ts';
import { idOf } from './kinds.ts';
import { forEachParallel } from './parallel.ts';
import type { Change } from './plan.ts';

export interface RequestOptions {
  readonly onProgress: (done: number) => void;
}

/** How many done changes are named when a later one fails. */
const MAX_NAMED = 50;

/** @throws CommandError that says what was done and what was not. */
export async function sendRequests(
  client: AdminClient,
  changes: readonly Change[],
  { onProgress }: RequestOptions,
): Promise<void> {
  const done: Change[] = [];
  try {
    for (const group of groupsOf(changes)) {
      await forEachParallel(group, client.options.parallel, async (change) => {
        await sendOne(client, change);
        done.push(change);
        onProgress(done.length);
      });
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError([error.message, ...toldDone(done, changes.length)].join('\n'));
  }
}

function toldDone(done: readonly Change[], all: number): string[] {
  if (done.length === 0) return ['nothing was changed'];
  const named = done.slice(0, MAX_NAMED).map(({ op, label }) => `  ${op} ${label}`);
  const more = done.length - named.length;
  return [
    `${done.length} of ${all} changes were made before:`,
    ...named,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** Neighbours of one kind and one direction do not depend on each other. */
function* groupsOf(changes: readonly Change[]): Generator<Change[]> {
  let group: Change[] = [];
  for (const change of changes) {
    const [first] = group;
    if (first !== undefined && (first.kind !== change.kind || phase(first) !== phase(change))) {
      yield group;
      group = [];
    }
    group.push(change);
  }
  if (group.length > 0) yield group;
}

function phase({ op }: Change): string {
  return op === 'create' || op === 'update' ? 'write' : op;
}

async function sendOne(client: AdminClient, change: Change): Promise<void> {
  const answer = await client.call(callOf(change));
  if (answer.status >= 200 && answer.status < 300) return;
  // It went with its parent.
  if (change.op === 'delete' && answer.status === 404) return;
  throw new CommandError(`${change.op} ${change.label}: ${client.place} answered ${refusal(answer)}`);
}

function callOf(change: Change): AdminCall {
  const { op, kind, id, input, merge, before } = change;
  if (kind.name === 'consumer_group_consumers') return memberCall(change);
  const upstream = idOf(input?.['upstream'] ?? before?.['upstream']);
  const collection =
    kind.name === 'targets' ? `/upstreams/${String(upstream)}/targets` : `/${String(kind.path)}`;
  const path = `${collection}/${id}`;
  if (op === 'delete') return { method: 'DELETE', path };
  // Kong's targets have no PUT that creates.
  if (op === 'create' && kind.name === 'targets') return { method: 'POST', path: collection, body: input };
  return {
    method: merge || (kind.name === 'targets' && op === 'update') ? 'PATCH' : 'PUT',
    path,
    body: input,
  };
}

function memberCall({ op, input, before }: Change): AdminCall {
  const member = input ?? before;
  const consumer = idOf(member?.['consumer']) ?? '';
  const path = `/consumer_groups/${idOf(member?.['consumer_group']) ?? ''}/consumers`;
  if (op === 'delete') return { method: 'DELETE', path: `${path}/${consumer}` };
  return { method: 'POST', path, body: { consumer } };
}
