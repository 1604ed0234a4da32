/** Kong's session. */
import { ALL_PROTOCOLS, describePlugin } from '../../entities/plugin-description.ts';
import { redis, redisCheck } from '../../entities/redis-fields.ts';
import * as t from '../../entities/typedefs.ts';

const told = (who: string) =>
  ({
    type: 'set',
    elements: {
      type: 'string',
      one_of: [
        'id',
        'audience',
        'subject',
        'timeout',
        'idling-timeout',
        'rolling-timeout',
        'absolute-timeout',
      ],
    },
    description: `What of the session ${who} is told, each in a header of its own: \`Session-Id\` and so on.`,
  }) as const;

const seconds = (value: number, description: string) =>
  ({ type: 'number', default: value, description }) as const;

const flag = (value: boolean, description: string) =>
  ({ type: 'boolean', default: value, description }) as const;

export const session = describePlugin({
  name: 'session',
  priority: 1900,
  identifies: true,
  description: 'Who was recognized once is recognized again by a cookie.',
  never: ['consumer', 'consumer_group'],
  protocols: ALL_PROTOCOLS,
  needsDatabase: ({ storage }) =>
    storage === 'kong' ? 'session with storage kong needs a database: use storage cookie without one' : null,
  checks: [redisCheck('storage')],
  example: { secret: 'at-least-32-random-characters-of-your-own', cookie_same_site: 'Lax' },
  config: {
    secret: {
      type: 'string',
      auto: true,
      encrypted: true,
      referenceable: true,
      secret: true,
      description:
        'What cookies are encrypted with. Made when not given; in a declarative file it should be given, since one that is made changes with the file.',
    },
    storage: {
      type: 'string',
      one_of: ['cookie', 'kong', 'redis'],
      default: 'cookie',
      description:
        "Where sessions are: in the cookie, or in the gateway's database (`kong`) or a Redis, where a logout ends them everywhere.",
    },
    redis,
    audience: {
      type: 'string',
      default: 'default',
      description: 'What a session is for: configurations with another audience do not take it.',
    },
    idling_timeout: seconds(900, 'Seconds without a request after which a session is over; 0: none.'),
    rolling_timeout: seconds(
      3600,
      'Seconds that a cookie is good for; before they are over the session is renewed. 0: no end.',
    ),
    absolute_timeout: seconds(86_400, 'Seconds that a session lasts in all; 0: no end.'),
    stale_ttl: seconds(
      10,
      'Seconds that a session which has been renewed is still taken (storages `kong` and `redis`).',
    ),
    cookie_name: { ...t.cookieName, default: 'session', description: 'Name of the cookie.' },
    cookie_path: {
      ...t.cookieAttribute,
      default: '/',
      description: 'Path below which browsers send the cookie.',
    },
    cookie_domain: {
      ...t.cookieAttribute,
      description: 'Domain to whose hosts browsers send the cookie; unset: the host alone.',
    },
    cookie_same_site: {
      type: 'string',
      one_of: ['Strict', 'Lax', 'None', 'Default'],
      default: 'Strict',
      description:
        "Whether browsers send the cookie with other sites' requests; `Default` leaves it to them.",
    },
    cookie_http_only: flag(true, 'Whether scripts of a page cannot read the cookie.'),
    cookie_secure: flag(true, 'Whether browsers send the cookie over HTTPS only.'),
    remember: flag(false, 'Whether a second cookie, which outlives the browser, begins new sessions.'),
    remember_cookie_name: {
      ...t.cookieName,
      default: 'remember',
      description: 'Name of the second cookie.',
    },
    remember_rolling_timeout: seconds(604_800, 'Seconds that the second cookie is good for; 0: no end.'),
    remember_absolute_timeout: seconds(
      2_592_000,
      'Seconds since the first session after which the second cookie is not renewed any more; 0: no end.',
    ),
    response_headers: told('the client'),
    request_headers: told('the upstream'),
    read_body_for_logout: flag(false, 'Whether bodies are read for `logout_post_arg`.'),
    logout_methods: {
      type: 'set',
      elements: { type: 'string', one_of: ['GET', 'POST', 'DELETE'] },
      default: ['POST', 'DELETE'],
      description: 'Methods of requests that may end a session.',
    },
    logout_query_arg: {
      type: 'string',
      default: 'session_logout',
      description: 'The query argument that ends a session.',
    },
    logout_post_arg: {
      type: 'string',
      default: 'session_logout',
      description: 'The argument of a body that ends a session.',
    },
    hash_subject: flag(false, 'Whether the subject is stored as a hash (with `store_metadata`).'),
    store_metadata: flag(
      false,
      'Whether audience and subject are stored beside a session (storages `kong` and `redis`).',
    ),
  },
  shorthands: {
    cookie_lifetime: {
      type: 'number',
      description: 'Older name of `rolling_timeout`.',
      expand: (value) => ({ rolling_timeout: value }),
    },
    cookie_idletime: {
      type: 'number',
      description: 'Older name of `idling_timeout`.',
      expand: (value) => ({ idling_timeout: value }),
    },
    cookie_renew: {
      type: 'number',
      description: 'Has no meaning any more: when to renew follows from the timeouts.',
      expand: () => null,
    },
    cookie_discard: {
      type: 'number',
      description: 'Older name of `stale_ttl`.',
      expand: (value) => ({ stale_ttl: value }),
    },
    cookie_samesite: {
      type: 'string',
      description: 'Older name of `cookie_same_site`; `off` is `Lax`.',
      expand: (value) => ({ cookie_same_site: value === 'off' ? 'Lax' : value }),
    },
    cookie_httponly: {
      type: 'boolean',
      description: 'Older name of `cookie_http_only`.',
      expand: (value) => ({ cookie_http_only: value }),
    },
    cookie_persistent: {
      type: 'boolean',
      description: 'Older name of `remember`.',
      expand: (value) => ({ remember: value }),
    },
  },
});
