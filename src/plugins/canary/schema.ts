/** Kong Enterprise's canary; `service`, `hash` `cookie` and what belongs to it, `salt` and `version_header` are ours. */
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

export const canary = describePlugin({
  name: 'canary',
  priority: 20,
  description:
    'Sends some of the clients of a service to another version of it: a fixed share, a growing one, or chosen groups.',
  never: ['consumer', 'consumer_group'],
  example: {
    percentage: 10,
    upstream_host: 'orders-v2.internal.example',
    upstream_port: 8080,
    upstream_fallback: true,
    canary_by_header_name: 'X-Canary',
    version_header: 'X-Version',
  },
  needsDatabase: (config) =>
    ramps(config) && (config['start'] ?? null) === null
      ? 'canary without percentage and start needs a database, which remembers when it began: set start'
      : null,
  config: {
    percentage: {
      type: 'number',
      between: [0, 100],
      description: 'Share of the clients that is sent to the canary. When it is set, nothing grows.',
    },
    start: {
      type: 'number',
      between: [0, 2 ** 40],
      description:
        'When a growing release begins, in seconds since 1970; when the plugin was created, unless set. May be in the past.',
    },
    duration: {
      type: 'number',
      default: 3600,
      between: [0, 2 ** 31],
      description: 'Seconds in which a release without `percentage` grows from nobody to everybody.',
    },
    steps: {
      type: 'number',
      default: 1000,
      between: [1, 1_000_000],
      description: 'In how many equal steps it grows.',
    },
    hash: {
      type: 'string',
      default: 'consumer',
      one_of: ['consumer', 'ip', 'none', 'allow', 'deny', 'header', 'cookie'],
      description:
        'What decides who is drawn: `consumer` (the credential, then the address stand in), `ip`, the header `hash_header`, the ' +
        'cookie `cookie_name`; `none` draws each request for itself. `allow` sends exactly the members of `groups` to the canary, ' +
        '`deny` everybody else.',
    },
    hash_header: { ...t.headerName, description: 'Header of `hash` `header`.' },
    groups: {
      type: 'array',
      elements: { type: 'string' },
      description:
        'Groups of `hash` `allow` and `deny`: of `acl`, names of consumer groups, or what the plugin found that authenticated.',
    },
    canary_by_header_name: {
      ...t.headerName,
      description:
        'Header by which clients choose: `always` is sent to the canary, healthy or not, `never` is not; anything else is drawn.',
    },
    upstream_fallback: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether requests go where they went before when too little of the upstream of the canary is healthy, or its service is gone.',
    },
    ...DESTINATION,
    salt: SALT,
    version_header: VERSION_HEADER,
    ...cookieFields('sluice_canary'),
  },
  checks: [
    { at_least_one_of: ['upstream_host', 'upstream_port', 'upstream_uri', 'service'] },
    ...DESTINATION_CHECKS,
    {
      conditional: {
        if_field: 'hash',
        if_match: { one_of: ['header'] },
        then_field: 'hash_header',
        then_match: { required: true },
      },
    },
    {
      conditional: {
        if_field: 'hash',
        if_match: { one_of: ['allow', 'deny'] },
        then_field: 'groups',
        then_match: { required: true, len_min: 1 },
      },
    },
    {
      custom_entity_check: {
        field_sources: ['upstream_fallback', 'upstream_host', 'service'],
        fn: ({ upstream_fallback: fallback, upstream_host: host, service }) =>
          fallback === true && (host ?? service ?? null) === null
            ? 'upstream_fallback needs upstream_host or service: nothing else has a health'
            : null,
      },
    },
    COOKIE_CHECK,
  ],
});

function ramps({ percentage, hash }: Values): boolean {
  return (percentage ?? null) === null && hash !== 'allow' && hash !== 'deny';
}
