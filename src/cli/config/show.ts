/** Changes for people: a line for each entity, a line for each field, a line of counts. Secrets are never shown. */
import type { Difference } from './compare.ts';
import { printable } from './labels.ts';
import type { Change, Plan } from './plan.ts';
import type { Paint } from './terminal.ts';

/** Characters of a value; more says nothing on one line. */
const MAX_VALUE = 200;

export function* planLines(plan: Plan, paint: Paint): Generator<string> {
  for (const change of plan.changes) yield* changeLines(change, paint);
  if (plan.changes.length > 0) yield '';
  yield summary(plan);
}

export function* changeLines(change: Change, paint: Paint): Generator<string> {
  switch (change.op) {
    case 'create':
      yield paint.added(`+ ${change.label}`);
      break;
    case 'delete':
      yield paint.removed(`- ${change.label}`);
      break;
    case 'rename':
      yield paint.changed(`~ ${change.label}: gives up its name to its replacement`);
      break;
    default:
      yield paint.changed(`~ ${change.label}`);
      for (const difference of change.differences) yield* differenceLines(difference, paint);
  }
}

export function* differenceLines(difference: Difference, paint: Paint): Generator<string> {
  const { path, before, after, secret } = difference;
  if (secret) {
    yield `    ${path}: ${paint.faint('changed, not shown')}`;
    return;
  }
  yield `    ${printable(path)}: ${paint.removed(valueText(before))} -> ${paint.added(valueText(after))}`;
}

function valueText(value: unknown): string {
  const text = printable(JSON.stringify(value ?? null));
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}… (${text.length} characters)`;
}

export function summary({ changes, unchanged }: Plan): string {
  if (changes.length === 0) return `no difference (${unchanged} the same)`;
  const count = (op: Change['op']): number => changes.filter((change) => change.op === op).length;
  return `create ${count('create')}, update ${count('update')}, delete ${count('delete')}, unchanged ${unchanged}`;
}
