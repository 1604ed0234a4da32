/** The entity that a field of another refers to: `/routes/{routes}/service`. */
import { randomUUID } from 'node:crypto';
import { isRecordKind } from '../../../entities/registry.ts';
import type { Values } from '../../../entities/schema/field.ts';
import type { Selector } from '../../../store/config-store.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';
import { checkRecord, findRecord, patchRecord } from './records.ts';
import type { AdminRequest } from './request.ts';
import { existing, nameOf } from './select.ts';

interface Followed {
  readonly holder: Values;
  /** Null: the field is not set. */
  readonly id: string | null;
}

/** @throws RequestError 404 when there is no holder. */
async function follow(request: AdminRequest): Promise<Followed> {
  const { holder: kind, field } = request.along;
  const { select } = nameOf(request.store, kind, request.params[0] ?? '', false);
  const holder = isRecordKind(kind)
    ? await findRecord(request, kind, select)
    : request.store.get(kind, select);
  if (holder === null) throw notFoundAnswer();
  return { holder, id: (holder[field] as Selector | null)?.id ?? null };
}

/** @throws RequestError 404 when the field is not set. */
async function referred(request: AdminRequest): Promise<string> {
  const { id } = await follow(request);
  if (id === null) throw notFoundAnswer();
  return id;
}

export async function readForeign(request: AdminRequest): Promise<Response> {
  const id = await referred(request);
  return request.answer(200, request.show(existing(request.store, request.kind, { id })));
}

/** Makes the entity and refers to it, in one commit, when the field is not set. */
export async function replaceForeign(request: AdminRequest): Promise<Response> {
  const { kind, along } = request;
  const input = await request.arguments();
  const { holder, id } = await follow(request);
  if (id !== null) return await request.write(200, { op: 'put', kind, select: { id }, input });
  const made = randomUUID();
  const put = { op: 'put', kind, select: { id: made }, input } as const;
  const patch = {
    op: 'patch',
    kind: along.holder,
    select: { id: String(holder['id']) },
    input: { [along.field]: { id: made } },
  } as const;
  if (!isRecordKind(along.holder)) return await request.writeAll(200, [put, patch], 0);
  // A record is in no commit: it refers to the entity as soon as that is there.
  checkRecord(request, patch, holder);
  const answer = await request.write(200, put);
  if (!request.dryRun) await patchRecord(request, patch);
  return answer;
}

export async function updateForeign(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const input = await request.arguments(async () => store.get(kind, { id: await referred(request) }));
  return await request.write(200, { op: 'patch', kind, select: { id: await referred(request) }, input });
}

/** Never: others may refer to it. */
export async function removeForeign(request: AdminRequest): Promise<never> {
  await referred(request);
  throw new RequestError(405, 'Method not allowed');
}
