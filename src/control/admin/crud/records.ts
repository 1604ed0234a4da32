/**
 * Entities that are records and no configuration (`/oauth2_tokens`): the same endpoints with the same answers, on the
 * store's records. No revision has them, so a write makes no commit, and `If-Match` has nothing to compare.
 */
import type { Values } from '../../../entities/schema/field.ts';
import type { Page, PageOptions, Parent, Selector, Write } from '../../../store/config-store.ts';
import { Forbidden } from '../../../store/errors.ts';
import { EntityRecords, type EntityWriteOptions } from '../../../store/records/entity-records.ts';
import { apiName } from '../endpoints.ts';
import { definitionOf } from '../kinds.ts';
import { notFoundAnswer, RequestError } from '../request-error.ts';
import { parentOf, pathOf } from './collection.ts';
import { carry, offsetOf, offsetToken, pageBody, pageSize } from './page-options.ts';
import { judgeOf } from './permission.ts';
import type { AdminRequest } from './request.ts';
import { missing, selectorOf } from './select.ts';

/** Null without a database: then there are none. */
function recordsOf(request: AdminRequest, kind: string): EntityRecords | null {
  const records = request.admin.records();
  return records === null ? null : new EntityRecords(kind, records, request.store);
}

/** @throws RequestError, StoreError: who asks may not write, there is no database. */
function writable(request: AdminRequest, write: Write): [EntityRecords, EntityWriteOptions] {
  request.checkWrite(write);
  const found = recordsOf(request, write.kind);
  if (found === null) throw request.unsupported(write);
  return [found, { judge: judgeOf(request.principal), dryRun: request.dryRun }];
}

/** @throws RequestError */
function refuseCondition({ context, kind }: AdminRequest): void {
  const condition = context.req.header('if-match')?.trim() ?? '*';
  if (condition === '*') return;
  throw new RequestError(400, `If-Match is for the configuration, and no revision has ${kind}`);
}

/** One of a record kind, for those who come to it by another way. */
export async function findRecord(
  request: AdminRequest,
  kind: string,
  select: Selector,
): Promise<Values | null> {
  return (await recordsOf(request, kind)?.get(select)) ?? null;
}

/** Before something else is written for it: may this record be written? @throws RequestError, StoreError, Forbidden */
export function checkRecord(request: AdminRequest, write: Write, record: Values): void {
  const [, { judge }] = writable(request, write);
  const refused = judge?.({ kind: write.kind, before: record, after: record }) ?? null;
  if (refused !== null) throw new Forbidden(refused);
}

export async function patchRecord(
  request: AdminRequest,
  write: Write & { readonly op: 'patch' },
): Promise<Values> {
  const [records, options] = writable(request, write);
  return await records.patch(write.select, write.input, options);
}

async function pageOf(request: AdminRequest, options: PageOptions): Promise<Page> {
  const records = recordsOf(request, request.kind);
  return records === null ? { entities: [], next: null } : await records.page(options);
}

async function answerPage(
  request: AdminRequest,
  within: Parent | null,
  path: string,
  carried: string,
): Promise<Response> {
  const size = pageSize(request.query);
  const after = (offsetOf(request.query, ['string'])?.[0] as string | undefined) ?? null;
  const { entities, next } = await pageOf(request, { size, after, within });
  const data = entities.map((one) => request.show(one));
  const token = next === null ? null : offsetToken([next]);
  return request.answer(200, pageBody(data, token, path, carried));
}

export async function list(request: AdminRequest): Promise<Response> {
  const path = `/${apiName(definitionOf(request.kind))}`;
  return await answerPage(request, null, path, carry(request.query, 'size'));
}

export async function listNested(request: AdminRequest): Promise<Response> {
  return await answerPage(request, parentOf(request), pathOf(request), '');
}

export async function create(request: AdminRequest): Promise<Response> {
  return await store(request, { op: 'create', kind: request.kind, input: await request.arguments() });
}

export async function createNested(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  const { field, id } = parentOf(request);
  return await store(request, { op: 'create', kind: request.kind, input: { ...input, [field]: { id } } });
}

async function store(
  request: AdminRequest,
  write: Write & { readonly op: 'create' | 'put' | 'patch' },
): Promise<Response> {
  const [records, options] = writable(request, write);
  refuseCondition(request);
  const { op, input } = write;
  const entity =
    op === 'create' ? await records.create(input, options) : await records[op](write.select, input, options);
  return request.answer(op === 'create' ? 201 : 200, request.show(entity));
}

/** The last segment of the path names it. */
function selected({ kind, params }: AdminRequest, within: Parent | null): Selector {
  return { ...selectorOf(kind, params.at(-1) ?? ''), within };
}

/** @throws RequestError 404 */
async function existing(request: AdminRequest, select: Selector): Promise<Values> {
  const found = await findRecord(request, request.kind, select);
  if (found === null) throw notFoundAnswer();
  return found;
}

export async function read(request: AdminRequest): Promise<Response> {
  return request.answer(200, request.show(await existing(request, selected(request, null))));
}

export async function replace(request: AdminRequest): Promise<Response> {
  const select = selected(request, null);
  return await store(request, { op: 'put', kind: request.kind, select, input: await request.arguments() });
}

export async function update(request: AdminRequest): Promise<Response> {
  const { kind } = request;
  const select = selected(request, null);
  const input = await request.arguments();
  if ((await findRecord(request, kind, select)) === null) throw missing(kind, select);
  return await store(request, { op: 'patch', kind, select, input });
}

export async function remove(request: AdminRequest): Promise<Response> {
  const select = selected(request, null);
  if ((await findRecord(request, request.kind, select)) === null) return request.answer(204, null);
  return await destroy(request, select);
}

async function destroy(request: AdminRequest, select: Selector): Promise<Response> {
  const [records, options] = writable(request, { op: 'delete', kind: request.kind, select });
  refuseCondition(request);
  await records.delete(select, options);
  return request.answer(204, null);
}

export async function readNested(request: AdminRequest): Promise<Response> {
  return request.answer(200, request.show(await existing(request, selected(request, parentOf(request)))));
}

export async function replaceNested(request: AdminRequest): Promise<Response> {
  const { kind } = request;
  const input = await request.arguments();
  const within = parentOf(request);
  const select = selected(request, within);
  // What another parent has is not there.
  const found = await findRecord(request, kind, { ...select, within: null });
  if (found !== null) await existing(request, select);
  const owned = { ...input, [within.field]: { id: within.id } };
  return await store(request, { op: 'put', kind, select, input: owned });
}

export async function updateNested(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  const select = selected(request, parentOf(request));
  await existing(request, select);
  return await store(request, { op: 'patch', kind: request.kind, select, input });
}

export async function removeNested(request: AdminRequest): Promise<Response> {
  const select = selected(request, parentOf(request));
  await existing(request, select);
  return await destroy(request, select);
}
