/** Fields that `canary` and `traffic-split` have in common: where a version is, who is drawn by what, the cookie of clients. */
import type { EntityCheck, Values } from '../../entities/schema/field.ts';
import * as t from '../../entities/typedefs.ts';

/** A path as it is sent: with a query or a fragment it would be another part of the request. */
const uri = (text: string): string | null =>
  /^\/[\u0021-\u0022\u0024-\u003e\u0040-\u007e]*$/.test(text)
    ? null
    : 'begins with / and has no ?, # or space';

/** Where a version is. */
export const DESTINATION = {
  service: {
    type: 'string',
    len_min: 1,
    description:
      'Name or id of another service, all of which is taken: host, port, protocol, path, TLS, time-outs, retries.',
  },
  upstream_host: {
    ...t.host,
    description:
      'Host in place of that of the service. The name of an upstream is balanced over its targets; protocol, path, time-outs ' +
      'and retries stay those of the service.',
  },
  upstream_port: {
    type: 'integer',
    between: [1, 65_535],
    description: 'Port in place of that of the service.',
  },
  upstream_uri: {
    type: 'string',
    len_min: 1,
    custom_validator: uri,
    description:
      'Path in place of the whole one that would be sent; the query stays. Escaped, as it is to be sent.',
  },
} as const;

/** A service has a host and a port of its own. */
export const DESTINATION_CHECKS: readonly EntityCheck[] = [
  { mutually_exclusive: ['service', 'upstream_host'] },
  { mutually_exclusive: ['service', 'upstream_port'] },
];

/** What clients keep who are told apart by a cookie. It is a random key and says nothing of versions. */
export function cookieFields(name: string) {
  return {
    cookie_name: {
      ...t.cookieName,
      required: true,
      default: name,
      len_min: 1,
      description: 'Cookie of `hash` `cookie`. Clients without one are given one, with a random value.',
    },
    cookie_path: {
      ...t.cookieAttribute,
      required: true,
      default: '/',
      starts_with: '/',
      description: 'Path below which clients send the cookie.',
    },
    cookie_domain: {
      ...t.cookieAttribute,
      description: 'Domain to whose hosts clients send the cookie; to the host that set it, unless set.',
    },
    cookie_same_site: {
      type: 'string',
      required: true,
      default: 'Lax',
      one_of: ['Strict', 'Lax', 'None'],
      description:
        'Whether browsers send the cookie with requests that other sites cause. `None` needs `cookie_secure`.',
    },
    cookie_secure: {
      type: 'boolean',
      description:
        'Whether browsers send the cookie over TLS only. Unless set: when the client uses TLS as it gets the cookie.',
    },
    cookie_http_only: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether scripts cannot read the cookie.',
    },
    cookie_max_age: {
      type: 'integer',
      required: true,
      default: 2_592_000,
      between: [0, 34_560_000],
      description: 'Seconds for which clients keep the cookie; 0: until the browser is closed.',
    },
  } as const;
}

export const SALT = {
  type: 'string',
  description:
    'Clients are drawn by the hash of this and their key. Plugins with the same one draw the same clients first; with another ' +
    'one they draw others.',
} as const;

export const VERSION_HEADER = {
  ...t.headerName,
  len_min: 1,
  description: 'Header of the response that names the version; none unless set.',
} as const;

/** Why browsers would drop such a cookie. */
export const COOKIE_CHECK: EntityCheck = {
  custom_entity_check: {
    field_sources: ['cookie_name', 'cookie_same_site', 'cookie_secure', 'cookie_path', 'cookie_domain'],
    fn: cookieProblem,
  },
};

function cookieProblem(config: Values): string | null {
  const { cookie_name: name, cookie_secure: secure, cookie_path: path, cookie_domain: domain } = config;
  if (config['cookie_same_site'] === 'None' && secure !== true)
    return 'cookie_same_site None needs cookie_secure';
  if (typeof name !== 'string') return null;
  if (/^__secure-/i.test(name) && secure !== true) return `a cookie named ${name} needs cookie_secure`;
  if (/^__host-/i.test(name) && (secure !== true || path !== '/' || (domain ?? null) !== null)) {
    return `a cookie named ${name} needs cookie_secure, cookie_path / and no cookie_domain`;
  }
  return null;
}
