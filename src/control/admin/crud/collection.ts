/** Lists and creation: `/services`, `/services/{services}/routes`. */
import type { Values } from '../../../entities/schema/field.ts';
import type { Parent } from '../../../store/config-store.ts';
import { apiName } from '../endpoints.ts';
import { definitionOf } from '../kinds.ts';
import { RequestError } from '../request-error.ts';
import { carry, offsetOf, offsetToken, pageBody, pageSize, pageTags } from './page-options.ts';
import type { AdminRequest } from './request.ts';
import { checkUnique, existing, nameOf } from './select.ts';

export function list(request: AdminRequest): Response {
  const { store, kind, query } = request;
  if (kind === 'consumers' && query.has('custom_id')) return byCustomId(request);
  const size = pageSize(query);
  const tags = pageTags(query) ?? null;
  const after = offsetOf(query, ['string'])?.[0] as string | undefined;
  const { entities, next } = store.page(kind, { size, after: after ?? null, tags });
  const token = next === null ? null : offsetToken([next]);
  const path = `/${apiName(definitionOf(kind))}`;
  return request.answer(
    200,
    pageBody(
      entities.map((one) => request.show(one)),
      token,
      path,
      carry(query, 'tags', 'size'),
    ),
  );
}

function byCustomId(request: AdminRequest): Response {
  const values = request.query.get('custom_id') ?? [];
  const [value] = values;
  if (values.length !== 1 || typeof value !== 'string' || value === '') {
    throw new RequestError(400, 'custom_id must be an unempty string');
  }
  checkUnique(definitionOf('consumers'), 'custom_id', value);
  const found = request.store.get('consumers', { key: value, by: 'custom_id' });
  return request.answer(200, { data: found === null ? [] : [request.show(found)], next: null });
}

export async function create(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  return await request.write(201, { op: 'create', kind: request.kind, input });
}

/** The entity that a nested path begins with. @throws RequestError 404 */
export function parentOf(request: AdminRequest): Parent & { readonly entity: Values } {
  const { field, target } = request.along;
  const { select } = nameOf(request.store, target, request.params[0] ?? '', false);
  const entity = existing(request.store, target, select);
  return { field, id: String(entity['id']), entity };
}

/** Kong checks the filter by tags here and does not apply it; its next page carries only the offset. */
export function listNested(request: AdminRequest): Response {
  const { store, kind, query } = request;
  const { field, id } = parentOf(request);
  const size = pageSize(query);
  pageTags(query);
  const after = offsetOf(query, ['string'])?.[0] as string | undefined;
  const { entities, next } = store.page(kind, { size, after: after ?? null, within: { field, id } });
  return request.answer(
    200,
    pageBody(
      entities.map((one) => request.show(one)),
      next === null ? null : offsetToken([next]),
      pathOf(request),
    ),
  );
}

export async function createNested(request: AdminRequest): Promise<Response> {
  const input = await request.arguments();
  const { field, id } = parentOf(request);
  const owned = { ...input, [field]: { id } };
  return await request.write(201, { op: 'create', kind: request.kind, input: owned });
}

/** The request's own path, with its names as they came. */
export function pathOf({ endpoint, raw }: AdminRequest): string {
  let index = 0;
  return endpoint.path.replaceAll(/\{[^}]*\}/g, () => raw[index++] ?? '');
}
