/** sticky-session: Sluice's own. */
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Entity } from '../../entities/schema/field.ts';
import * as t from '../../entities/typedefs.ts';

type Said = Readonly<Record<string, unknown>>;

/** What browsers refuse, so that no client would ever stay anywhere. */
function refused({ cookie_name: name, cookie_secure: secure, ...said }: Said): string | null {
  const safe = secure === true;
  if (said['cookie_same_site'] === 'None' && !safe)
    return "'cookie_same_site' 'None' needs 'cookie_secure': browsers refuse the cookie otherwise";
  if (typeof name !== 'string') return null;
  if (/^__(?:Secure|Host)-/i.test(name) && !safe)
    return "a cookie of that name needs 'cookie_secure': browsers refuse it otherwise";
  const domain = said['cookie_domain'];
  const own = (domain === null || domain === undefined) && said['cookie_path'] === '/';
  return /^__Host-/i.test(name) && !own
    ? "a cookie of that name needs the path '/' and no domain: browsers refuse it otherwise"
    : null;
}

export const stickySession = describePlugin({
  name: 'sticky-session',
  priority: 47,
  description: 'Keeps a client at the target of the upstream that served it first.',
  never: ['consumer', 'consumer_group'],
  example: {
    secret: 'at-least-32-random-characters-of-your-own',
    cookie_name: 'shop_node',
    cookie_secure: true,
  },
  config: {
    secret: {
      type: 'string',
      auto: true,
      len_min: 16,
      encrypted: true,
      referenceable: true,
      secret: true,
      description:
        'What the names of targets are made of that clients get; nodes with the same secret know the same names. Made when not given; in a declarative file it should be given, since one that is made changes with the file.',
    },
    source: {
      type: 'string',
      required: true,
      default: 'cookie',
      one_of: ['cookie', 'header'],
      description:
        'Where clients bring the name of their target: in a cookie, or, where they keep none, in a header that they have from a response.',
    },
    header_name: {
      ...t.headerName,
      required: true,
      default: 'X-Sticky-Session',
      description: 'Name of the header, in requests and responses, for `source` `header`.',
    },
    cookie_name: {
      ...t.cookieName,
      required: true,
      default: 'sluice_target',
      description: 'Name of the cookie.',
    },
    cookie_path: {
      ...t.cookieAttribute,
      required: true,
      default: '/',
      description: 'Path below which browsers send the cookie.',
    },
    cookie_domain: {
      ...t.cookieAttribute,
      description: 'Domain to whose hosts browsers send the cookie; unset: the host alone.',
    },
    cookie_same_site: {
      type: 'string',
      required: true,
      one_of: ['Strict', 'Lax', 'None', 'Default'],
      default: 'Lax',
      description:
        "Whether browsers send the cookie with other sites' requests; `Default` leaves it to them.",
    },
    cookie_http_only: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether scripts of a page cannot read the cookie.',
    },
    cookie_secure: {
      type: 'boolean',
      description:
        'Whether browsers send the cookie over HTTPS only; unset: when the request that it answers came over HTTPS.',
    },
    cookie_max_age: {
      type: 'integer',
      between: [1, 34_560_000],
      description:
        'Seconds that browsers keep the cookie, from the response that brings it on; unset: until they are closed.',
    },
    on_unavailable: {
      type: 'string',
      required: true,
      default: 'rebalance',
      one_of: ['rebalance', 'fail'],
      description:
        'What happens when the target is unhealthy or a try on it fails: another one and a new name (`rebalance`), or an error for as long as that lasts (`fail`). A target that is gone, or has weight 0, is replaced in any case.',
    },
  },
  checks: [
    {
      custom_entity_check: {
        field_sources: ['cookie_name', 'cookie_same_site', 'cookie_secure', 'cookie_domain', 'cookie_path'],
        fn: refused,
      },
    },
  ],
});

export type StickyConfig = Entity<typeof stickySession.config>;
