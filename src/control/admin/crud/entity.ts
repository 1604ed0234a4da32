/** One entity: `/services/{services}`, `/services/{services}/routes/{routes}`. */
import type { Values } from '../../../entities/schema/field.ts';
import type { Selector } from '../../../store/config-store.ts';
import { notFoundAnswer } from '../request-error.ts';
import { parentOf } from './collection.ts';
import type { AdminRequest } from './request.ts';
import { existing, missing, nameOf, nestedNameOf, type Named } from './select.ts';

function named(request: AdminRequest, creates: boolean): Named {
  return nameOf(request.store, request.kind, request.params[0] ?? '', creates);
}

export function read(request: AdminRequest): Response {
  const { kind, store } = request;
  const { select } = named(request, false);
  // Kong reads a certificate with its names, in a way of its own.
  if (kind === 'certificates' && store.get(kind, select) === null) throw missing(kind, select);
  return request.answer(200, request.show(existing(store, kind, select)));
}

export async function replace(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const { select, alias } = named(request, true);
  const given = await request.arguments(() => store.get(kind, select));
  const input = kind === 'certificates' ? withNames(given, alias, true) : given;
  return await request.write(200, { op: 'put', kind, select, input });
}

export async function update(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const { select } = named(request, false);
  const given = await request.arguments(() => store.get(kind, select));
  if (store.get(kind, select) === null) {
    // Kong looks a plugin's name up first, to know its configuration.
    throw kind === 'plugins' && !Object.hasOwn(given, 'name') ? notFoundAnswer() : missing(kind, select);
  }
  const input = kind === 'certificates' ? withNames(given, null, false) : given;
  return await request.write(200, { op: 'patch', kind, select, input });
}

export async function remove(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const { select } = named(request, false);
  if (store.get(kind, select) === null) return request.answer(204, null);
  return await request.delete({ op: 'delete', kind, select });
}

/** Kong's `snis` of a certificate: one name for a list of one; those of a PUT are all that it has, with its own. */
function withNames(input: Values, own: string | null, whole: boolean): Values {
  const given = Object.hasOwn(input, 'snis') ? input['snis'] : undefined;
  if (given === undefined && !whole) return input;
  const list: unknown = typeof given === 'string' ? [given] : (given ?? []);
  if (!Array.isArray(list)) return input;
  const names: readonly unknown[] = list;
  return { ...input, snis: own === null || names.includes(own) ? names : [...names, own] };
}

function namedWithin(request: AdminRequest, creates: boolean): Named {
  const { field, id } = parentOf(request);
  const options = { within: { field, id }, creates };
  return nestedNameOf(request.store, request.kind, request.params[1] ?? '', options);
}

export function readNested(request: AdminRequest): Response {
  return request.answer(
    200,
    request.show(existing(request.store, request.kind, namedWithin(request, false).select)),
  );
}

export async function replaceNested(request: AdminRequest): Promise<Response> {
  const { kind, store, along } = request;
  const input = await request.arguments();
  const { select, alias } = namedWithin(request, true);
  const group = alias !== null && !Object.hasOwn(input, 'group') ? { group: alias } : {};
  const owned = { ...input, ...group, [along.field]: { id: select.within?.id } };
  elsewhere(store.get(kind, withoutParent(select)), select);
  return await request.write(200, { op: 'put', kind, select, input: owned });
}

/** What another parent has is not there. */
function elsewhere(entity: Values | null, { within }: Selector): void {
  if (entity === null || within === undefined || within === null) return;
  if ((entity[within.field] as Selector | null)?.id !== within.id) throw notFoundAnswer();
}

function withoutParent({ id, key }: Selector): Selector {
  return id === undefined ? { key: key ?? '' } : { id };
}

export async function updateNested(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const input = await request.arguments(() => store.get(kind, namedWithin(request, false).select));
  const { select } = namedWithin(request, false);
  existing(store, kind, select);
  return await request.write(200, { op: 'patch', kind, select, input });
}

export async function removeNested(request: AdminRequest): Promise<Response> {
  const { kind, store } = request;
  const { select } = namedWithin(request, false);
  existing(store, kind, select);
  return await request.delete({ op: 'delete', kind, select });
}
