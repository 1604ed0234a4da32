/** Kong's view of tags: rows of tag, kind and id. */
import { tags as tagsField } from '../../../entities/typedefs.ts';
import type { TagRow } from '../../../store/config-store.ts';
import { pathOf } from './collection.ts';
import { carry, offsetOf, offsetToken, pageBody, pageSize } from './page-options.ts';
import type { AdminRequest } from './request.ts';
import { checkUnique } from './select.ts';

const DEFINITION = { name: 'tags', fields: { tag: tagsField.elements } };

export function listTags(request: AdminRequest): Response {
  return page(request, {}, carry(request.query, 'size'));
}

export function listTag(request: AdminRequest): Response {
  const tag = request.params[0] ?? '';
  checkUnique(DEFINITION, 'tag', tag);
  return page(request, { tag }, '');
}

function page(request: AdminRequest, filter: { readonly tag?: string }, carried: string): Response {
  const size = pageSize(request.query);
  const token = offsetOf(request.query, ['string', 'string', 'string']);
  const [tag, kind, id] = (token ?? []) as string[];
  const after: TagRow | null =
    token === null ? null : { tag: tag ?? '', entity_name: kind ?? '', entity_id: id ?? '' };
  const rows = request.store.tags({ ...filter, size: size + 1, after });
  const shown = rows.slice(0, size);
  const last = rows.length > size ? shown.at(-1) : undefined;
  const next = last === undefined ? null : offsetToken([last.tag, last.entity_name, last.entity_id]);
  return request.answer(200, pageBody(shown, next, pathOf(request), carried));
}
