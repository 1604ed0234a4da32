/** balancing: Sluice's own, over what Kong's upstreams say. */
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Entity } from '../../entities/schema/field.ts';
import { HASH_CHECKS, HASH_FIELDS } from '../../entities/upstream.ts';

const hashed = 'with `algorithm` `consistent-hashing`';

export const balancing = describePlugin({
  name: 'balancing',
  priority: 48,
  description:
    'Chooses targets of upstreams in another way than the upstream says, and starts new ones slowly.',
  never: ['consumer', 'consumer_group'],
  example: { algorithm: 'power-of-two', slow_start: 30 },
  config: {
    algorithm: {
      type: 'string',
      one_of: ['round-robin', 'consistent-hashing', 'least-connections', 'latency', 'power-of-two'],
      description:
        'How targets are chosen; as the upstream says, unless set. `power-of-two`: of two at random, the one with less requests in flight for its weight, on the whole node.',
    },
    slow_start: {
      type: 'number',
      required: true,
      default: 0,
      between: [0, 3600],
      description:
        'Seconds in which a target that is new, or back from being unhealthy, gets from a tenth of its share to all of it. Hashed requests have their targets at once. 0: at once.',
    },
    hash_on: {
      ...HASH_FIELDS.hash_on,
      description: `What requests are hashed on, ${hashed}.`,
    },
    hash_fallback: {
      ...HASH_FIELDS.hash_fallback,
      description: 'What they are hashed on when the request has no such value.',
    },
    hash_on_header: { ...HASH_FIELDS.hash_on_header, description: 'Name of the header for `hash_on`.' },
    hash_fallback_header: {
      ...HASH_FIELDS.hash_fallback_header,
      description: 'Name of the header for `hash_fallback`.',
    },
    hash_on_cookie: {
      ...HASH_FIELDS.hash_on_cookie,
      description: 'Name of the cookie, which clients are given that have none.',
    },
    hash_on_cookie_path: {
      ...HASH_FIELDS.hash_on_cookie_path,
      description: 'Path below which browsers send the cookie.',
    },
    hash_on_query_arg: {
      ...HASH_FIELDS.hash_on_query_arg,
      description: 'Name of the query argument for `hash_on`.',
    },
    hash_fallback_query_arg: {
      ...HASH_FIELDS.hash_fallback_query_arg,
      description: 'Name of the query argument for `hash_fallback`.',
    },
    hash_on_uri_capture: {
      ...HASH_FIELDS.hash_on_uri_capture,
      description: "Capture of the route's path, by name or number, for `hash_on`.",
    },
    hash_fallback_uri_capture: {
      ...HASH_FIELDS.hash_fallback_uri_capture,
      description: "Capture of the route's path for `hash_fallback`.",
    },
  },
  checks: [
    ...HASH_CHECKS,
    {
      custom_entity_check: {
        field_sources: ['algorithm', 'hash_on', 'slow_start'],
        fn: ({ algorithm, hash_on: on, slow_start: slow }) => {
          const hashes = algorithm === 'consistent-hashing';
          const starts = Number(slow) > 0;
          const unknown = on === null || on === undefined || on === 'none';
          if (hashes && unknown) return "'consistent-hashing' needs 'hash_on'";
          if (!hashes && !unknown) return "'hash_on' needs the algorithm 'consistent-hashing'";
          if (hashes && starts) return "'slow_start' has no meaning for 'consistent-hashing'";
          const none = algorithm === null || algorithm === undefined;
          return none && !starts ? "'algorithm' or 'slow_start' is needed" : null;
        },
      },
    },
  ],
});

export type BalancingConfig = Entity<typeof balancing.config>;
