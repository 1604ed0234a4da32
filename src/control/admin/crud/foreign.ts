/** The entity that a field of another refers to: `/routes/{routes}/service`. */
import { randomUUID } from 'node:crypto';
import type { Values } from '../../../entities/schema/field.ts';
import type { Selector, Write } from '../../../store/config-store.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';
import type { AdminRequest } from './request.ts';
import { existing, nameOf } from './select.ts';

interface Followed {
  readonly holder: Values;
  /** Null: the field is not set. */
  readonly id: string | null;
}

function follow(request: AdminRequest): Followed {
  const { holder: kind, field } = request.along;
  const { select } = nameOf(request.store, kind, request.params[0] ?? '', false);
  const holder = existing(request.store, kind, select);
  return { holder, id: (holder[field] as Selector | null)?.id ?? null };
}

/** @throws RequestError 404 when the field is not set. */
function referred(request: AdminRequest): string {
  const { id } = follow(request);
  if (id === null) throw notFoundAnswer();
  return id;
}

export function readForeign(request: AdminRequest): Response {
  return request.answer(200, request.show(existing(request.store, request.kind, { id: referred(request) })));
}

/** Makes the entity and refers to it, in one commit, when the field is not set. */
export async function replaceForeign(request: AdminRequest): Promise<Response> {
  const { kind, along } = request;
  const input = await request.arguments();
  const { holder, id } = follow(request);
  if (id !== null) return await request.write(200, { op: 'put', kind, select: { id }, input });
  const made = randomUUID();
  const writes: readonly Write[] = [
    { op: 'put', kind, select: { id: made }, input },
    {
      op: 'patch',
      kind: along.holder,
      select: { id: String(holder['id']) },
      input: { [along.field]: { id: made } },
    },
  ];
  return await request.writeAll(200, writes, 0);
}

export async function updateForeign(request: AdminRequest): Promise<Response> {
  const { kind } = request;
  const input = await request.arguments(() => request.store.get(kind, { id: referred(request) }));
  return await request.write(200, { op: 'patch', kind, select: { id: referred(request) }, input });
}

/** Never: others may refer to it. */
export function removeForeign(request: AdminRequest): never {
  referred(request);
  throw new RequestError(405, 'Method not allowed');
}
