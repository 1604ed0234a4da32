/**
 * Who is in which group: Kong Enterprise's endpoints. A membership is looked at from either side, so there is one
 * implementation with two ends. Groups themselves and their plugins are ordinary entities; only the answer about one
 * group is not.
 */
import type { Values } from '../../entities/schema/field.ts';
import { isUuid } from '../../entities/schema/string-check.ts';
import type { Author, ConfigStore, Selector, Write } from '../../store/config-store.ts';
import { StoreError } from '../../store/errors.ts';
import type { Gateway } from '../main.ts';
import { readInput } from './json-input.ts';
import { pageBody, pageQuery } from './page-query.ts';
import { type AdminContext, type Handler, type Methods, empty, json } from './resource.ts';

const MEMBERS = 'consumer_group_consumers';
/** Memberships that are removed in one step. */
const BATCH = 1000;

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

/** By path; in front of the general endpoints. */
export function groupHandlers(gateway: Gateway): Readonly<Record<string, Methods>> {
  const list = (here: End, there: End): Methods => ({
    GET: withEntity(gateway, here, (call) => listMembers(call, there)),
    POST: withEntity(gateway, here, (call) => addMember(gateway, call, there)),
    DELETE: withEntity(gateway, here, (call) => removeAll(call)),
  });
  const one = (here: End, there: End): Methods => ({
    GET: withEntity(gateway, here, (call) => showMember(call, there)),
    DELETE: withEntity(gateway, here, (call) => removeMember(call, there)),
  });
  return {
    '/consumer_groups/{consumer_groups}/consumers': list(GROUP, CONSUMER),
    '/consumer_groups/{consumer_groups}/consumers/{consumers}': one(GROUP, CONSUMER),
    '/consumers/{consumers}/consumer_groups': list(CONSUMER, GROUP),
    '/consumers/{consumers}/consumer_groups/{consumer_groups}': one(CONSUMER, GROUP),
  };
}

/** `GET /consumer_groups/{g}`; `list_consumers=false` leaves the consumers out, of which there may be many. */
export function showGroup(gateway: Gateway): Handler {
  return withEntity(gateway, GROUP, ({ context, store, entity, here }) => {
    const within = { field: here.field, id: idOf(entity) };
    const plugins = store.page('plugins', { size: BATCH, within }).entities;
    const body: Record<string, unknown> = { consumer_group: entity, plugins };
    if (context.req.query('list_consumers') !== 'false') {
      const members = store.page(MEMBERS, { size: BATCH, within }).entities;
      body['consumers'] = members.map((member) => otherEnd(store, member, CONSUMER));
    }
    return json(200, body);
  });
}

/** A request below an entity that exists. */
interface Call {
  readonly context: AdminContext;
  readonly store: ConfigStore;
  readonly here: End;
  readonly entity: Values;
}

function withEntity(
  gateway: Gateway,
  here: End,
  handle: (call: Call) => Response | Promise<Response>,
): Handler {
  return async (context) => {
    const { store } = gateway;
    await store?.refresh();
    const found = store?.get(here.kind, selector(context.req.param(here.kind) ?? '')) ?? null;
    if (store === null || found === null) return json(404, { message: 'Not found' });
    try {
      return await handle({ context, store, here, entity: found });
    } catch (error) {
      if (error instanceof StoreError) return json(error.status, error.toBody());
      throw error;
    }
  };
}

function listMembers({ context, store, here, entity }: Call, there: End): Response {
  const query = pageQuery(context);
  const page = store.page(MEMBERS, { ...query, within: { field: here.field, id: idOf(entity) } });
  const data = page.entities.map((member) => otherEnd(store, member, there));
  return json(200, pageBody(context, data, page.next));
}

async function addMember(gateway: Gateway, call: Call, there: End): Promise<Response> {
  const { context, store, here, entity } = call;
  const { nginx_admin_client_max_body_size: limit } = gateway.reloader.settings;
  const input = await readInput(context, limit);
  if (input instanceof Response) return input;
  const wanted = input[there.name];
  if (typeof wanted !== 'string' || wanted === '') {
    return json(400, { message: `the body must name a ${there.name}` });
  }
  const other = store.get(there.kind, selector(wanted));
  if (other === null) return json(404, { message: `${there.name} '${wanted}' not found` });
  const references = { [here.field]: { id: idOf(entity) }, [there.field]: { id: idOf(other) } };
  await commit(call, [{ op: 'create', kind: MEMBERS, input: references }]);
  // Kong Enterprise answers the holder, and a list of what was added.
  return json(201, { [here.field]: entity, [there.kind]: [other] });
}

function showMember(call: Call, there: End): Response {
  const found = findMember(call, there);
  return found === null ? json(404, { message: 'Not found' }) : json(200, found.other);
}

async function removeMember(call: Call, there: End): Promise<Response> {
  const found = findMember(call, there);
  if (found === null) return json(404, { message: 'Not found' });
  await commit(call, [{ op: 'delete', kind: MEMBERS, select: { id: idOf(found.member) } }]);
  return empty(204);
}

async function removeAll(call: Call): Promise<Response> {
  const within = { field: call.here.field, id: idOf(call.entity) };
  for (;;) {
    const { entities, next } = call.store.page(MEMBERS, { size: BATCH, within });
    const writes = entities.map((member): Write => {
      return { op: 'delete', kind: MEMBERS, select: { id: idOf(member) } };
    });
    if (writes.length > 0) await commit(call, writes);
    if (next === null) return empty(204);
  }
}

/** The membership that joins the entity of the path with the one that its end names. */
function findMember(
  { context, store, here, entity }: Call,
  there: End,
): { member: Values; other: Values } | null {
  const other = store.get(there.kind, selector(context.req.param(there.kind) ?? ''));
  if (other === null) return null;
  // A consumer is in few groups, a group may have very many consumers.
  const [id, field] = here === CONSUMER ? [idOf(entity), here.field] : [idOf(other), there.field];
  const wanted = here === CONSUMER ? { end: there, id: idOf(other) } : { end: here, id: idOf(entity) };
  let after: string | null = null;
  do {
    const page = store.page(MEMBERS, { size: BATCH, after, within: { field, id } });
    const member = page.entities.find((one) => referred(one, wanted.end) === wanted.id);
    if (member !== undefined) return { member, other };
    after = page.next;
  } while (after !== null);
  return null;
}

async function commit({ context, store }: Call, writes: readonly Write[]): Promise<void> {
  await store.commit(writes, { author: authorOf(context) });
}

function authorOf(context: AdminContext): Author {
  const incoming = (context.env as AdminContext['env'] | undefined)?.incoming;
  const source = incoming !== undefined && 'socket' in incoming ? incoming.socket.remoteAddress : undefined;
  return { name: null, source: source ?? '', message: null };
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

/** Kong's reading of a path segment: a UUID is an id. */
function selector(text: string): Selector {
  return isUuid(text) ? { id: text } : { key: text };
}
