/** Kong's oauth2. */
import { describePlugin } from '../../entities/plugin-description.ts';
import { redis, redisCheck } from '../../entities/redis-fields.ts';

const GRANTS = [
  'enable_authorization_code',
  'enable_implicit_grant',
  'enable_client_credentials',
  'enable_password_grant',
] as const;

const off = (description: string) =>
  ({ type: 'boolean', required: true, default: false, description }) as const;

export const oauth2 = describePlugin({
  name: 'oauth2',
  priority: 1400,
  identifies: true,
  description: 'Gives out OAuth 2.0 tokens (RFC 6749) and lets in who shows one.',
  never: ['consumer', 'consumer_group'],
  needsDatabase: ({ storage }) =>
    storage === 'redis'
      ? null
      : 'oauth2 keeps codes and tokens in the database: it cannot be used without one, but with storage redis',
  configValidator: (config) =>
    GRANTS.some((grant) => config[grant] === true)
      ? null
      : `at least one of these fields must be true: ${GRANTS.join(', ')}`,
  checks: [
    {
      conditional: {
        if_field: 'mandatory_scope',
        if_match: { eq: true },
        then_field: 'scopes',
        then_match: { required: true },
      },
    },
    redisCheck('storage'),
  ],
  example: {
    scopes: ['email', 'phone'],
    mandatory_scope: true,
    enable_authorization_code: true,
    enable_client_credentials: true,
  },
  config: {
    scopes: {
      type: 'array',
      elements: { type: 'string' },
      description: 'Names of the scopes that a client may ask for.',
    },
    mandatory_scope: off('Whether a client must ask for a scope; `scopes` must then be set.'),
    provision_key: {
      type: 'string',
      required: true,
      auto: true,
      unique: true,
      encrypted: true,
      secret: true,
      description:
        'What the application that asks users for their consent shows when it asks for codes and tokens in their name. Made when not given.',
    },
    token_expiration: {
      type: 'number',
      required: true,
      default: 7200,
      description: 'Seconds that an access token is good for; 0: it does not expire.',
    },
    enable_authorization_code: off('Whether codes are given out (RFC 6749 §4.1).'),
    enable_implicit_grant: off('Whether tokens are given out without a code (RFC 6749 §4.2).'),
    enable_client_credentials: off('Whether clients get tokens for themselves (RFC 6749 §4.4).'),
    enable_password_grant: off(
      'Whether clients get tokens with the password of a user, which the application has checked (RFC 6749 §4.3).',
    ),
    hide_credentials: off('Whether the upstream is not shown the token.'),
    accept_http_if_already_terminated: off(
      'Whether a proxy of `trusted_ips` may say with X-Forwarded-Proto that the client used HTTPS.',
    ),
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no token lets it in.',
    },
    global_credentials: off('Whether tokens are good for all services whose configuration has this, too.'),
    auth_header_name: {
      type: 'string',
      default: 'authorization',
      description: 'The header that holds the token.',
    },
    refresh_token_ttl: {
      type: 'number',
      between: [0, 1e8],
      required: true,
      default: 1_209_600,
      description: 'Seconds that a refresh token is good for; 0: it does not expire.',
    },
    reuse_refresh_token: off('Whether a refresh token stays the same when an access token is refreshed.'),
    pkce: {
      type: 'string',
      one_of: ['none', 'lax', 'strict'],
      default: 'lax',
      description:
        'Who must prove that a code is theirs with PKCE (RFC 7636): nobody, public clients (`lax`), or all clients.',
    },
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
    storage: {
      type: 'string',
      required: true,
      one_of: ['kong', 'redis'],
      default: 'kong',
      description:
        "Where codes and tokens are: in the gateway's database (`kong`), or in a Redis, where gateways that share nothing else share them. Not in Kong.",
    },
    redis,
  },
});
