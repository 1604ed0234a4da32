/** Targets of an upstream: newest first, and by `host:port` as well as by id. */
import type { Values } from '../../../entities/schema/field.ts';
import type { Parent, Selector } from '../../../store/config-store.ts';
import { isUuid } from '../../../entities/schema/string-check.ts';
import { parentOf, pathOf } from './collection.ts';
import { invalidOffset, pageBody, pageSize, pageTags } from './page-options.ts';
import type { AdminRequest } from './request.ts';
import { existing } from './select.ts';

export function listTargets(request: AdminRequest): Response {
  const { targets, page } = targetPage(request);
  return request.answer(200, page(targets));
}

interface TargetPage {
  readonly targets: readonly Values[];
  /** The answer's body around what is shown of them. */
  readonly page: (shown: readonly Values[]) => Record<string, unknown>;
}

/** Kong's offset here is a plain number: how many come before. */
export function targetPage(request: AdminRequest): TargetPage {
  const { query } = request;
  const within = parentOf(request);
  const size = pageSize(query);
  pageTags(query);
  const from = firstOf(query.get('offset')?.[0]);
  const { entities, next } = request.store.newest('targets', { within, from, size });
  return {
    targets: entities,
    page: (shown) => pageBody(shown, next === null ? null : String(next), pathOf(request)),
  };
}

function firstOf(offset: string | true | undefined): number {
  if (offset === undefined) return 0;
  if (offset === true || !/^\d{1,9}$/.test(offset)) throw invalidOffset(String(offset), 'expected a number');
  return Number(offset);
}

export function newestFirst(request: AdminRequest, { field, id }: Parent): Values[] {
  const all: Values[] = [];
  let after: string | null = null;
  do {
    const page = request.store.page('targets', { size: 1000, after, within: { field, id } });
    all.push(...page.entities);
    after = page.next;
  } while (after !== null);
  const time = (target: Values): number => Number(target['created_at']);
  return all.toReversed().sort((a, b) => time(b) - time(a));
}

export function selectTarget(request: AdminRequest): Selector {
  const { field, id } = parentOf(request);
  const name = request.params[1] ?? '';
  const select = { ...(isUuid(name) ? { id: name } : { key: name }), within: { field, id } };
  return { id: String(existing(request.store, 'targets', select)['id']), within: select.within };
}

export function readTarget(request: AdminRequest): Response {
  return request.answer(200, existing(request.store, 'targets', selectTarget(request)));
}

/** PUT and PATCH alike, as Kong. */
export async function updateTarget(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  return await request.write(200, { op: 'patch', kind: 'targets', select: selectTarget(request), input });
}

export async function removeTarget(request: AdminRequest): Promise<Response> {
  return await request.delete({ op: 'delete', kind: 'targets', select: selectTarget(request) });
}
