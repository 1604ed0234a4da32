/** A request's target as logs may have it: Kong's paths name a key by itself, `/consumers/{c}/key-auth/{key}`. */
import { fromKinds } from '../../entities/plugin-entities.ts';
import { allDefinitions } from '../../entities/registry.ts';
import { isUuid } from '../../entities/schema/string-check.ts';
import { MASK } from '../../entities/secrets.ts';
import { apiName } from './endpoints.ts';

/** Segments behind which a secret may stand. */
const names = fromKinds(
  (): ReadonlySet<string> =>
    new Set([
      // Kong's keys of its cache hold those of entities.
      'cache',
      ...allDefinitions()
        .filter(({ endpoint_key: key = '', fields }) => {
          const field = fields[key];
          return field?.type === 'string' && field.secret === true;
        })
        .flatMap((definition) => [
          apiName(definition),
          definition.admin_api_nested_name ?? apiName(definition),
        ]),
    ]),
);
/** What may stand there besides. */
const words = fromKinds((): ReadonlySet<string> => new Set(['', '.', '..', 'consumer', ...names()]));

export function shownTarget(target: string): string {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  const segments = path.split('/');
  const start = segments.findIndex((segment) => names().has(decoded(segment)));
  if (start < 0) return target;
  const shown = segments.map((segment, index) => {
    const name = decoded(segment);
    return index < start || words().has(name) || isUuid(name) ? segment : MASK;
  });
  return shown.join('/') + (end < 0 ? '' : target.slice(end));
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
