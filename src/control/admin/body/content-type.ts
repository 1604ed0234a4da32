/** What kind of body a request has, by Kong's rules. */
import { mediaType } from '../../config-body.ts';
import { RequestError } from '../request-error.ts';
import type { AdminContext } from '../resource.ts';

/** How many Content-Type lines came; `node:http` shows only the first. */
export function contentTypes(context: AdminContext): number {
  const { incoming } = context.env;
  if (incoming === undefined || !('rawHeaders' in incoming)) return 0;
  return incoming.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type')
    .length;
}

function hasBody(context: AdminContext): boolean {
  const length = context.req.header('content-length');
  return length === undefined ? context.req.header('transfer-encoding') !== undefined : length !== '0';
}

const UTF8 = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

/**
 * The media type, one of `accepted`, or null when there is neither a type nor a body.
 * @throws RequestError 400 for more than one type, 415 for another one or for text that is not UTF-8.
 */
export function bodyType(context: AdminContext, accepted: ReadonlySet<string>): string | null {
  if (contentTypes(context) > 1) throw new RequestError(400, 'Multiple Content-Type headers not allowed');
  const field = context.req.header('content-type');
  if (field === undefined || field === '') {
    if (hasBody(context)) throw new RequestError(415, null);
    return null;
  }
  const type = mediaType(field);
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(field)?.[1]?.toLowerCase();
  if (!accepted.has(type) || (charset !== undefined && !UTF8.has(charset))) throw new RequestError(415, null);
  return type;
}
