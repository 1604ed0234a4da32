/** What a write says beside its entity: `If-Match: "REVISION"`, and `X-Sluice-Message`, the reason that the log keeps. */
import { isUtf8 } from 'node:buffer';
import type { Author } from '../../../store/config-store.ts';
import { peerOf } from '../../access/peer.ts';
import { RequestError } from '../request-error.ts';
import type { AdminContext } from '../resource.ts';

const MAX_MESSAGE = 500;
/** More entity tags are no condition, but an attack. */
const MAX_TAGS = 16;

/**
 * The revision that the request expects; of a list the one that is current, if it is there. Weak and unquoted tags
 * count as well, and `*` is no condition.
 * @throws RequestError
 */
export function expectedRevision(context: AdminContext, current: number): { readonly ifRevision?: number } {
  const field = context.req.header('if-match')?.trim();
  if (field === undefined || field === '*') return {};
  const tags = field
    .split(',', MAX_TAGS)
    .map((tag) => /^\s*(?:(?:W\/)?"(\d{1,15})"|(\d{1,15}))\s*$/.exec(tag));
  const revisions = tags.map((found) => (found === null ? null : Number(found[1] ?? found[2])));
  const [first] = revisions;
  if (first === undefined || first === null || revisions.includes(null)) {
    throw new RequestError(400, 'If-Match must be the number of a revision');
  }
  return { ifRevision: revisions.includes(current) ? current : first };
}

export function authorOf(context: AdminContext): Author {
  const principal = context.get('principal');
  const { incoming } = context.env;
  const source = incoming === undefined ? '' : peerOf(incoming).address;
  return { name: principal?.name ?? null, source, message: messageOf(context) };
}

function messageOf(context: AdminContext): string | null {
  const field = context.req.header('x-sluice-message');
  if (field === undefined || field === '') return null;
  // Fields come as latin-1.
  const bytes = Buffer.from(field, 'latin1');
  return checkMessage(isUtf8(bytes) ? bytes.toString('utf8') : field, 'X-Sluice-Message');
}

/** @throws RequestError */
export function checkMessage(text: string, what: string): string {
  if (text.length > MAX_MESSAGE)
    throw new RequestError(400, `${what} must not be longer than ${MAX_MESSAGE} characters`);
  if (/\p{Cc}|\p{Cs}/u.test(text)) throw new RequestError(400, `${what} must be printable`);
  return text;
}
