/**
 * The target of a request as an access log may have it. Kong names credentials of key-auth by their key, also in paths
 * (`/key-auths/THE-KEY`); such a segment is masked. Ids are shown.
 */
import { DEFINITIONS } from '../entities/registry.ts';
import { MASK, secretFields } from '../entities/secrets.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Path segments behind which a secret may stand. */
const KEYED: ReadonlySet<string> = new Set(
  DEFINITIONS.flatMap((definition) => {
    const { name, admin_api_name, admin_api_nested_name, endpoint_key: key } = definition;
    const secret = secretFields(definition).some((path) => path.length === 1 && path[0] === key);
    return secret ? [admin_api_name ?? name, admin_api_nested_name ?? admin_api_name ?? name] : [];
  }),
);

export function loggedTarget(target: string): string {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  const segments = path.split('/');
  if (!segments.some((segment) => KEYED.has(decoded(segment)))) return target;
  const shown = segments.map((segment, index) => {
    const named = index > 0 && KEYED.has(decoded(segments[index - 1] ?? ''));
    return named && segment !== '' && !UUID.test(segment) ? MASK : segment;
  });
  return shown.join('/') + target.slice(path.length);
}

/** A router reads `key%2dauths` as it does `key-auths`. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment).toLowerCase();
  } catch {
    return segment;
  }
}
