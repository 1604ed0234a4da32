/** forward-auth: Sluice's own, for what Traefik's ForwardAuth and nginx's `auth_request` are used for. */
import { checkHttpUrl } from '../../entities/formats/http-url.ts';
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Entity } from '../../entities/schema/field.ts';
import * as t from '../../entities/typedefs.ts';

const headerNames = { type: 'array', elements: t.headerName } as const;

export const forwardAuth = describePlugin({
  name: 'forward-auth',
  priority: 955,
  description: 'Asks an outside service whether a request may go on.',
  config: {
    url: {
      type: 'string',
      required: true,
      referenceable: true,
      custom_validator: checkHttpUrl,
      description: 'URL of the service that decides.',
    },
    method: {
      type: 'string',
      required: true,
      default: 'GET',
      one_of: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'same'],
      description: 'Method of the question; `same`: that of the request.',
    },
    request_headers: {
      ...headerNames,
      description:
        'Headers of the request that the service is shown; all but those of the connection, unless said.',
    },
    upstream_headers: {
      ...headerNames,
      required: true,
      default: [],
      description:
        'Headers of a permission that the upstream is sent. What the client sent under these names never reaches it.',
    },
    downstream_headers: {
      ...headerNames,
      required: true,
      default: [],
      description: 'Headers of a permission that the client is sent with the response, such as Set-Cookie.',
    },
    client_headers: {
      ...headerNames,
      description:
        'Headers of a refusal that the client is sent; all but those of the connection, unless said.',
    },
    send_body: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the service is sent the body of the request.',
    },
    max_body_size: {
      type: 'integer',
      required: true,
      default: 65_536,
      between: [1, 8_388_608],
      description: 'Octets of a body that is sent to the service; a larger one is refused with 413.',
    },
    timeout: {
      type: 'integer',
      required: true,
      default: 5000,
      between: [1, 60_000],
      description: 'Milliseconds that the whole question may take.',
    },
    ssl_verify: {
      type: 'boolean',
      required: true,
      default: true,
      description: "Whether the service's certificate is verified.",
    },
    failure_mode: {
      type: 'string',
      required: true,
      default: 'deny',
      one_of: ['deny', 'allow'],
      description: 'What happens when the service does not answer in time, or answers with 5xx.',
    },
    failure_status: {
      type: 'integer',
      required: true,
      default: 503,
      between: [400, 599],
      description: 'Status of the refusal when the service fails.',
    },
    cache_headers: {
      ...headerNames,
      required: true,
      default: [],
      description:
        'Permissions are kept by these headers of the request; one without any of them is always asked about.',
    },
    cache_ttl: {
      type: 'number',
      required: true,
      default: 0,
      between: [0, 3600],
      description: 'Seconds that a permission is kept; 0: every request is asked about.',
    },
    cache_by_url: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether a permission holds for its method and URL only.',
    },
    cache_size: {
      type: 'integer',
      required: true,
      default: 1000,
      between: [1, 100_000],
      description: 'Permissions that each worker keeps.',
    },
  },
  checks: [
    {
      custom_entity_check: {
        field_sources: ['cache_ttl', 'cache_headers', 'send_body'],
        fn: ({ cache_ttl: ttl, cache_headers: by, send_body: sendsBody }) => {
          if (!(typeof ttl === 'number' && ttl > 0)) return null;
          if (Array.isArray(by) && by.length === 0) return "'cache_ttl' needs 'cache_headers'";
          return sendsBody === true
            ? "'cache_ttl' and 'send_body' cannot be used together: a permission would hold for other bodies"
            : null;
        },
      },
    },
  ],
  example: {
    url: 'http://auth.internal:9000/verify',
    request_headers: ['authorization', 'cookie'],
    upstream_headers: ['x-user'],
    cache_headers: ['authorization'],
    cache_ttl: 30,
  },
});

export type ForwardAuthConfig = Entity<typeof forwardAuth.config>;
