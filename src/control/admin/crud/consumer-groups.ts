/**
 * Who is in which group: Kong Enterprise's endpoints. A membership is looked at from either side, so there is one
 * implementation with two ends: the one that the path begins with (`along.field` of the membership refers to it), and
 * the other. Groups themselves and their plugins are ordinary entities; only the answer about one group is not.
 */
import type { Values } from '../../../entities/schema/field.ts';
import type { ConfigStore, Write } from '../../../store/config-store.ts';
import { Slices } from '../../../store/slices.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';
import { pathOf } from './collection.ts';
import { offsetOf, offsetToken, pageBody, pageSize } from './page-options.ts';
import type { AdminRequest } from './request.ts';
import { existing, selectorOf } from './select.ts';

const MEMBERS = 'consumer_group_consumers';
/** Memberships that are looked at in one step. */
const BATCH = 100;
/** Memberships, and plugins, that the answer about a group shows. */
const SHOWN = 1000;

/** One end of a membership. */
interface End {
  readonly kind: 'consumers' | 'consumer_groups';
  /** The membership's field that refers to it. */
  readonly field: 'consumer' | 'consumer_group';
  /** What a body calls it. */
  readonly name: 'consumer' | 'group';
}

const CONSUMER: End = { kind: 'consumers', field: 'consumer', name: 'consumer' };
const GROUP: End = { kind: 'consumer_groups', field: 'consumer_group', name: 'group' };

interface Ends {
  readonly here: End;
  readonly there: End;
  /** What the path begins with. */
  readonly entity: Values;
}

/** @throws RequestError 404 */
function endsOf(request: AdminRequest): Ends {
  const here = request.along.field === GROUP.field ? GROUP : CONSUMER;
  const there = here === GROUP ? CONSUMER : GROUP;
  const entity = existing(request.store, here.kind, selectorOf(here.kind, request.params[0] ?? ''));
  return { here, there, entity };
}

/** `GET /consumer_groups/{g}`; `list_consumers=false` leaves the consumers out, of which there may be many. */
export function readGroup(request: AdminRequest): Response {
  const { store, params, query } = request;
  const group = existing(store, GROUP.kind, selectorOf(GROUP.kind, params[0] ?? ''));
  const within = { field: GROUP.field, id: idOf(group) };
  const { entities } = store.page('plugins', { size: SHOWN, within });
  const plugins = entities.map((plugin) => request.show(plugin, 'plugins'));
  const body: Record<string, unknown> = { consumer_group: group, plugins };
  if (query.get('list_consumers')?.[0] !== 'false') {
    const members = store.page(MEMBERS, { size: SHOWN, within }).entities;
    body['consumers'] = members.map((member) => otherEnd(store, member, CONSUMER));
  }
  return request.answer(200, body);
}

export function listMembers(request: AdminRequest): Response {
  const { store, query } = request;
  const { here, there, entity } = endsOf(request);
  const size = pageSize(query);
  const after = offsetOf(query, ['string'])?.[0] as string | undefined;
  const within = { field: here.field, id: idOf(entity) };
  const { entities, next } = store.page(MEMBERS, { size, after: after ?? null, within });
  const data = entities.map((member) => otherEnd(store, member, there));
  return request.answer(200, pageBody(data, next === null ? null : offsetToken([next]), pathOf(request)));
}

export async function addMember(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  const { here, there, entity } = endsOf(request);
  const wanted = input[there.name];
  if (typeof wanted !== 'string' || wanted === '') {
    throw new RequestError(400, `the body must name a ${there.name}`);
  }
  const other = request.store.get(there.kind, selectorOf(there.kind, wanted));
  if (other === null) throw new RequestError(404, `${there.name} '${wanted}' not found`);
  const references = { [here.field]: { id: idOf(entity) }, [there.field]: { id: idOf(other) } };
  // Kong Enterprise answers the holder, and a list of what was added.
  const body = { [here.field]: entity, [there.kind]: [other] };
  return await request.writeFor(201, body, [{ op: 'create', kind: MEMBERS, input: references }]);
}

export async function removeMembers(request: AdminRequest): Promise<Response> {
  const { here, entity } = endsOf(request);
  const writes: Write[] = [];
  const slices = new Slices();
  for (const member of membersOf(request.store, here, idOf(entity))) {
    writes.push(removal(member));
    if (slices.over) await slices.pause();
  }
  return await request.writeFor(204, null, writes);
}

export function readMember(request: AdminRequest): Response {
  return request.answer(200, findMember(request).other);
}

export async function removeMember(request: AdminRequest): Promise<Response> {
  return await request.writeFor(204, null, [removal(findMember(request).member)]);
}

/** The membership that joins the two that the path names. @throws RequestError 404 */
function findMember(request: AdminRequest): { readonly member: Values; readonly other: Values } {
  const { store, params } = request;
  const { here, there, entity } = endsOf(request);
  const other = existing(store, there.kind, selectorOf(there.kind, params[1] ?? ''));
  // A consumer is in few groups, a group may have very many consumers.
  const [consumer, group] = here === CONSUMER ? [entity, other] : [other, entity];
  for (const member of membersOf(store, CONSUMER, idOf(consumer))) {
    if (referred(member, GROUP) === idOf(group)) return { member, other };
  }
  throw notFoundAnswer();
}

function* membersOf(store: ConfigStore, { field }: End, id: string): Generator<Values> {
  let after: string | null = null;
  do {
    const { entities, next } = store.page(MEMBERS, { size: BATCH, after, within: { field, id } });
    yield* entities;
    after = next;
  } while (after !== null);
}

function removal(member: Values): Write {
  return { op: 'delete', kind: MEMBERS, select: { id: idOf(member) } };
}

function otherEnd(store: ConfigStore, member: Values, there: End): Values | null {
  return store.get(there.kind, { id: referred(member, there) });
}

function referred(member: Values, end: End): string {
  return (member[end.field] as { readonly id: string }).id;
}

function idOf(entity: Values): string {
  return String(entity['id']);
}
