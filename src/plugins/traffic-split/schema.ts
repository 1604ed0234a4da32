/** Versions of a service side by side, each with a share of the clients. Sluice's own. */
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Values } from '../../entities/schema/field.ts';
import * as t from '../../entities/typedefs.ts';
import {
  COOKIE_CHECK,
  cookieFields,
  DESTINATION,
  DESTINATION_CHECKS,
  SALT,
  VERSION_HEADER,
} from '../versions/schema.ts';

const MAX_VERSIONS = 50;

export const trafficSplit = describePlugin({
  name: 'traffic-split',
  priority: 21,
  description: 'Spreads the clients of a service over several versions of it, by weights.',
  never: ['consumer', 'consumer_group'],
  example: {
    hash: 'cookie',
    version_header: 'X-Version',
    versions: [
      { name: 'current', weight: 80 },
      { name: 'checkout-a', weight: 10, upstream_host: 'checkout-a.internal.example' },
      { name: 'checkout-b', weight: 10, upstream_host: 'checkout-b.internal.example' },
    ],
  },
  config: {
    versions: {
      type: 'array',
      required: true,
      len_min: 1,
      limit: (list) => (list.length > MAX_VERSIONS ? `has more than ${MAX_VERSIONS} versions` : null),
      elements: {
        type: 'record',
        fields: {
          name: {
            type: 'string',
            required: true,
            len_min: 1,
            match: t.pattern('^[%w._-]+$', /^[\w.-]{1,64}$/),
            description: 'How log entries, metrics and headers call it; clients are drawn by it, too.',
          },
          weight: {
            type: 'number',
            required: true,
            default: 1,
            between: [0, 65_535],
            description: 'Its share of the clients is its part of the sum; 0 takes none.',
          },
          ...DESTINATION,
        },
        entity_checks: DESTINATION_CHECKS,
        description: 'Without service, host, port and path it is what the route has.',
      },
      description: 'The versions. Where one weight changes, no client moves between the others.',
    },
    hash: {
      type: 'string',
      required: true,
      default: 'consumer',
      one_of: ['consumer', 'ip', 'none', 'header', 'cookie'],
      description:
        'What decides which version a client gets: `consumer` (the credential, then the address stand in), `ip`, the header ' +
        '`hash_header`, the cookie `cookie_name`; `none` draws each request for itself.',
    },
    hash_header: { ...t.headerName, description: 'Header of `hash` `header`.' },
    version_by_header_name: {
      ...t.headerName,
      len_min: 1,
      description:
        'Header by which clients choose a version by its name, also one of weight 0; none unless set.',
    },
    upstream_fallback: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether clients of a version of whose upstream too little is healthy, or whose service is gone, are spread over the others.',
    },
    salt: SALT,
    version_header: VERSION_HEADER,
    ...cookieFields('sluice_split'),
  },
  checks: [
    {
      conditional: {
        if_field: 'hash',
        if_match: { one_of: ['header'] },
        then_field: 'hash_header',
        then_match: { required: true },
      },
    },
    { custom_entity_check: { field_sources: ['versions'], fn: versionsProblem } },
    COOKIE_CHECK,
  ],
});

function versionsProblem({ versions }: Values): string | null {
  if (!Array.isArray(versions)) return null;
  const all = versions as ReadonlyArray<{ readonly name: string; readonly weight: number }>;
  if (!all.some(({ weight }) => weight > 0)) return 'versions: at least one needs a weight above 0';
  const names = new Set(all.map(({ name }) => name));
  return names.size < all.length ? 'versions: each needs a name of its own' : null;
}
