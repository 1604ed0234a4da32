/**
 * openid-connect (Kong Enterprise's): the fields of Kong's that are here work as there, the others are refused as unknown.
 * Defaults are Kong's but for `ssl_verify` (here true), `cache_ttl` (here 60: what is cached outlives a revocation by that)
 * and `auth_methods` (here without those that are not).
 */
import { checkHttpUrl } from '../../entities/formats/http-url.ts';
import { describePlugin } from '../../entities/plugin-description.ts';
import { redis, redisCheck } from '../../entities/redis-fields.ts';
import type { Values } from '../../entities/schema/field.ts';
import * as t from '../../entities/typedefs.ts';

const METHODS = [
  'authorization_code',
  'bearer',
  'client_credentials',
  'introspection',
  'password',
  'refresh_token',
  'session',
  'userinfo',
] as const;
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const CLIENT_AUTH = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const;

const on = (description: string) =>
  ({ type: 'boolean', required: true, default: true, description }) as const;
const off = (description: string) =>
  ({ type: 'boolean', required: true, default: false, description }) as const;
/** Kong has it as a switch; what it would switch off is never off here. */
const always = (description: string) =>
  ({ type: 'boolean', required: true, default: true, ne: false, description }) as const;
const text = (description: string) => ({ type: 'string', description }) as const;
const texts = (description: string) =>
  ({ type: 'array', elements: { type: 'string' }, description }) as const;
const urls = (description: string) =>
  ({ type: 'array', elements: { type: 'string', custom_validator: checkHttpUrl }, description }) as const;
const endpoint = (description: string) =>
  ({ type: 'string', custom_validator: checkHttpUrl, description }) as const;
/** A claim by its path: several names lead into objects. */
const claim = <const D extends readonly string[]>(value: D, description: string) =>
  ({ type: 'array', required: true, default: value, elements: { type: 'string' }, description }) as const;
const seconds = <const D extends number>(value: D, description: string) =>
  ({ type: 'number', required: true, default: value, between: [0, 31_536_000], description }) as const;
const named = <const D extends string>(value: D, description: string) =>
  ({ type: 'string', required: true, default: value, description }) as const;
const cookie = <const D extends string>(value: D, description: string) =>
  ({ ...t.cookieName, required: true, default: value, description }) as const;
const sameSite = <const D extends string>(value: D) =>
  ({
    type: 'string',
    required: true,
    default: value,
    one_of: ['Strict', 'Lax', 'None', 'Default'],
    description: 'SameSite of the cookie; `Default` sends none, which browsers read as Lax.',
  }) as const;
/** `NAME` or `NAME:bearer`. */
const tokenHeader = (description: string) =>
  ({
    type: 'string',
    match: t.pattern('^[%w_-]+:?b?e?a?r?e?r?$', /^[A-Za-z0-9_-]+(?::bearer)?$/),
    description: `${description}; with \`:bearer\` behind its name it is sent as a bearer token.`,
  }) as const;

const privatePart = (description: string) =>
  ({ type: 'string', referenceable: true, secret: true, encrypted: true, description }) as const;

/** RFC 7518 §6.2 and §6.3, RFC 8037. */
const clientKey = {
  kty: { type: 'string', required: true, one_of: ['RSA', 'EC', 'OKP'], description: 'Kind of the key.' },
  kid: text('Its id, by which the provider finds the public part.'),
  alg: {
    type: 'string',
    one_of: ALGORITHMS,
    description: 'What it signs with; unless said RS256, what the curve wants, or EdDSA.',
  },
  use: text('Its use; the gateway signs with it.'),
  crv: text('The curve.'),
  x: text('A coordinate.'),
  y: text('A coordinate.'),
  n: text('The modulus.'),
  e: text('The exponent.'),
  d: privatePart('The private part.'),
  p: privatePart('A prime.'),
  q: privatePart('A prime.'),
  dp: privatePart('An exponent.'),
  dq: privatePart('An exponent.'),
  qi: privatePart('A coefficient.'),
} as const;

export const openidConnect = describePlugin({
  name: 'openid-connect',
  priority: 1050,
  identifies: true,
  description: 'Lets in who an OpenID Connect provider knows: by its tokens, or by logging in there.',
  never: ['consumer', 'consumer_group'],
  config: {
    issuer: {
      type: 'string',
      required: true,
      custom_validator: checkHttpUrl,
      description: 'The issuer, or the URL of its discovery document.',
    },
    client_id: {
      type: 'array',
      elements: { type: 'string', referenceable: true },
      description: 'Client ids at the provider. A request may choose one of several with `client_arg`.',
    },
    client_secret: {
      type: 'array',
      elements: { type: 'string', referenceable: true, secret: true, encrypted: true },
      description: 'Secrets of the clients, in the same order.',
    },
    client_auth: {
      type: 'array',
      elements: {
        type: 'string',
        one_of: CLIENT_AUTH,
      },
      description:
        'How each client proves itself; unless said `client_secret_basic` with a secret, `private_key_jwt` with a key, else `none`.',
    },
    client_jwk: {
      type: 'array',
      elements: { type: 'record', fields: clientKey },
      description: 'Private keys of the clients, in the same order, for `private_key_jwt`.',
    },
    tls_client_auth_cert_id: {
      type: 'string',
      uuid: true,
      description:
        'Id of the certificate that is shown to the provider, for `tls_client_auth` and `self_signed_tls_client_auth`.',
    },
    client_arg: named('client_id', 'Header or query argument by which a request names its client.'),
    auth_methods: {
      type: 'array',
      required: true,
      default: METHODS,
      elements: { type: 'string', one_of: METHODS },
      description: 'What is accepted.',
    },
    redirect_uri: urls(
      'Where the provider sends browsers back to, for each client; the URL of the request unless said.',
    ),
    login_action: {
      type: 'string',
      required: true,
      default: 'upstream',
      one_of: ['upstream', 'redirect', 'response'],
      description:
        'What follows a login: the request that led to it, a redirect to `login_redirect_uri`, or a response with tokens.',
    },
    login_tokens: {
      type: 'array',
      required: true,
      default: ['id_token'],
      elements: { type: 'string', one_of: ['id_token', 'access_token', 'refresh_token'] },
      description: 'Tokens that the response or the fragment of the redirect holds.',
    },
    login_redirect_uri: urls('Where browsers go after a login, for each client, with the action `redirect`.'),
    logout_redirect_uri: urls(
      'Where browsers go after a logout, for each client (`post_logout_redirect_uri`).',
    ),
    unauthorized_redirect_uri: urls('Where browsers go instead of a 401, for each client.'),
    forbidden_redirect_uri: urls('Where browsers go instead of a 403, for each client.'),
    unexpected_redirect_uri: urls('Where browsers go instead of a 500, for each client.'),
    unauthorized_error_message: named('Unauthorized', 'What a 401 says.'),
    forbidden_error_message: named('Forbidden', 'What a 403 says.'),
    unauthorized_destroy_session: on('Whether a session that is no longer good is ended with a 401.'),
    forbidden_destroy_session: on('Whether a 403 ends the session.'),
    display_errors: off('Whether clients are told what the provider said was wrong.'),
    response_mode: {
      type: 'string',
      required: true,
      default: 'query',
      one_of: ['query', 'form_post'],
      description: 'How the provider hands over its answer; `form_post` needs a cookie with SameSite `None`.',
    },
    response_type: {
      type: 'array',
      required: true,
      default: ['code'],
      elements: { type: 'string', one_of: ['code'] },
      description: 'What the provider is asked for: a code.',
    },
    scopes: {
      type: 'array',
      default: ['openid'],
      elements: { type: 'string', referenceable: true },
      description: 'Scopes that are asked for.',
    },
    audience: texts('Audiences that are asked for.'),
    authorization_query_args_names: texts('Names of further arguments of the request for authorization.'),
    authorization_query_args_values: texts('Their values.'),
    max_age: {
      type: 'number',
      between: [0, 31_536_000],
      description: 'Seconds since the user proved themselves, at most.',
    },
    scopes_required: texts(
      'Scopes of which an access token must have one; all of those that stand in one text.',
    ),
    scopes_claim: claim(['scope'], 'Claim with the scopes.'),
    audience_required: texts(
      'Audiences of which an access token must have one; all of those that stand in one text. Unless said, bearer tokens that name audiences must have one of `audience`, where that is set.',
    ),
    audience_claim: claim(['aud'], 'Claim with the audiences.'),
    groups_required: texts(
      'Groups of which an access token must have one; all of those that stand in one text.',
    ),
    groups_claim: claim(['groups'], 'Claim with the groups.'),
    roles_required: texts(
      'Roles of which an access token must have one; all of those that stand in one text.',
    ),
    roles_claim: claim(['roles'], 'Claim with the roles.'),
    issuers_allowed: texts('Issuers that tokens may name besides the provider.'),
    consumer_claim: texts('Claim that names the consumer.'),
    consumer_by: {
      type: 'array',
      required: true,
      default: ['username', 'custom_id'],
      elements: { type: 'string', one_of: ['id', 'username', 'custom_id'] },
      description: 'Fields of the consumer that the claim is compared with.',
    },
    consumer_optional: off(
      'Whether a request goes on without a consumer when the claim names none that exists.',
    ),
    credential_claim: claim(['sub'], 'Claim that stands for a credential where there is no consumer.'),
    authenticated_groups_claim: texts('Claim with the groups that acl looks at.'),
    anonymous: text('Id or username of the consumer that a request counts as when nothing lets it in.'),
    run_on_preflight: on('Whether OPTIONS requests are looked at, too.'),
    hide_credentials: off('Whether the upstream is not shown what the client proved itself with.'),
    leeway: {
      type: 'number',
      required: true,
      default: 0,
      between: [0, 3600],
      description: 'Seconds that clocks may differ.',
    },
    verify_claims: always('Times and issuers of tokens are verified.'),
    verify_nonce: always('The nonce of a login is verified.'),
    verify_signature: always('Signatures of tokens are verified.'),
    allowed_algorithms: {
      type: 'array',
      required: true,
      default: ALGORITHMS,
      len_min: 1,
      elements: { type: 'string', one_of: ALGORITHMS },
      description: 'Algorithms that tokens may be signed with. Not in Kong.',
    },
    ssl_verify: on("Whether the provider's certificate is verified."),
    timeout: {
      type: 'number',
      required: true,
      default: 10_000,
      between: [1, 60_000],
      description: 'Milliseconds that the provider may take.',
    },
    rediscovery_lifetime: seconds(
      30,
      'Seconds between two looks at the provider for a key that is not known.',
    ),
    extra_jwks_uris: {
      type: 'set',
      elements: { type: 'string', custom_validator: checkHttpUrl },
      description: 'Where there are further keys that are trusted.',
    },
    authorization_endpoint: endpoint('In place of what discovery says.'),
    token_endpoint: endpoint('In place of what discovery says.'),
    introspection_endpoint: endpoint('In place of what discovery says.'),
    userinfo_endpoint: endpoint('In place of what discovery says.'),
    revocation_endpoint: endpoint('In place of what discovery says.'),
    end_session_endpoint: endpoint('In place of what discovery says.'),
    introspect_jwt_tokens: off(
      'Whether the provider is asked about tokens that could be verified here, too.',
    ),
    introspection_hint: named('access_token', '`token_type_hint` of an introspection.'),
    bearer_token_param_type: {
      type: 'array',
      required: true,
      default: ['header', 'query'],
      elements: { type: 'string', one_of: ['header', 'query', 'cookie'] },
      description:
        'Where a bearer token is looked for: `Authorization`, the argument `access_token`, a cookie.',
    },
    bearer_token_cookie_name: text('Cookie with a bearer token.'),
    refresh_token_param_name: {
      ...t.headerName,
      required: true,
      default: 'refresh-token',
      description: 'Header with a refresh token.',
    },
    refresh_tokens: on('Whether expired access tokens of sessions are refreshed.'),
    cache_ttl: seconds(60, 'Seconds that answers of the provider are kept, unless it says when they end.'),
    cache_ttl_max: {
      type: 'number',
      between: [0, 31_536_000],
      description: 'Seconds that answers are kept at most.',
    },
    cache_ttl_min: {
      type: 'number',
      between: [0, 31_536_000],
      description: 'Seconds that answers are kept at least, but never beyond the end of a token.',
    },
    cache_introspection: on('Whether introspections are kept.'),
    cache_tokens: on('Whether tokens of the password and client credentials grants are kept.'),
    cache_user_info: on('Whether what the provider says of a user is kept.'),
    search_user_info: off('Whether claims are also looked for in what the provider says of the user.'),
    authorization_cookie_name: cookie('authorization', 'Cookie of a login that is under way.'),
    authorization_cookie_path: { ...t.path, required: true, default: '/', description: 'Its path.' },
    authorization_cookie_domain: { ...t.cookieAttribute, description: 'Its domain.' },
    authorization_cookie_same_site: sameSite('Default'),
    authorization_cookie_http_only: on('Whether scripts do not see it.'),
    authorization_cookie_secure: {
      type: 'boolean',
      description: 'Whether it is sent over TLS only; as the request came, unless said.',
    },
    authorization_rolling_timeout: seconds(600, 'Seconds that a login may take.'),
    session_secret: {
      type: 'string',
      referenceable: true,
      secret: true,
      encrypted: true,
      description: 'What cookies are sealed with; a secret made of the client secrets unless said.',
    },
    session_audience: named('default', 'Sessions hold only for configurations with the same audience.'),
    session_storage: {
      type: 'string',
      required: true,
      default: 'cookie',
      one_of: ['cookie', 'redis'],
      description:
        'Where the tokens of sessions are: in the cookie, sealed; or in a Redis, where a logout ends them for every copy of the cookie.',
    },
    redis,
    session_cookie_name: cookie('session', 'Cookie of a session.'),
    session_cookie_path: { ...t.path, required: true, default: '/', description: 'Its path.' },
    session_cookie_domain: { ...t.cookieAttribute, description: 'Its domain.' },
    session_cookie_same_site: sameSite('Lax'),
    session_cookie_http_only: on('Whether scripts do not see it.'),
    session_cookie_secure: {
      type: 'boolean',
      description: 'Whether it is sent over TLS only; as the request came, unless said.',
    },
    session_rolling_timeout: seconds(
      3600,
      'Seconds after which a session that is used is renewed or over; 0: no end.',
    ),
    session_idling_timeout: seconds(
      900,
      'Seconds without a request after which a session is over; 0: no end.',
    ),
    session_absolute_timeout: seconds(
      86_400,
      'Seconds after which a session is over whatever happens; 0: no end.',
    ),
    logout_uri_suffix: text('Requests whose path ends so end the session.'),
    logout_query_arg: text('Requests with this query argument end the session.'),
    logout_methods: {
      type: 'array',
      required: true,
      default: ['POST', 'DELETE'],
      elements: { type: 'string', one_of: ['GET', 'POST', 'DELETE'] },
      description: 'Methods of requests that may end a session.',
    },
    logout_revoke: off('Whether tokens are revoked with a logout.'),
    logout_revoke_access_token: on('Whether the access token is one of them.'),
    logout_revoke_refresh_token: on('Whether the refresh token is one of them.'),
    upstream_headers_claims: texts('Claims that the upstream is told.'),
    upstream_headers_names: texts('Headers for them, in the same order.'),
    upstream_access_token_header: {
      ...tokenHeader('Header with the access token for the upstream'),
      default: 'authorization:bearer',
    },
    upstream_id_token_header: tokenHeader('Header with the ID token for the upstream'),
    upstream_refresh_token_header: tokenHeader('Header with the refresh token for the upstream'),
    upstream_user_info_header: tokenHeader(
      'Header with what the provider says of the user, as JSON in base64, for the upstream',
    ),
    upstream_introspection_header: tokenHeader(
      'Header with the introspection, as JSON in base64, for the upstream',
    ),
    downstream_headers_claims: texts('Claims that the client is told.'),
    downstream_headers_names: texts('Headers for them, in the same order.'),
    downstream_access_token_header: tokenHeader('Header with the access token for the client'),
    downstream_id_token_header: tokenHeader('Header with the ID token for the client'),
    downstream_refresh_token_header: tokenHeader('Header with the refresh token for the client'),
    downstream_user_info_header: tokenHeader(
      'Header with what the provider says of the user, as JSON in base64, for the client',
    ),
    downstream_introspection_header: tokenHeader(
      'Header with the introspection, as JSON in base64, for the client',
    ),
  },
  checks: [
    redisCheck('session_storage'),
    { mutually_required: ['upstream_headers_claims', 'upstream_headers_names'] },
    { mutually_required: ['downstream_headers_claims', 'downstream_headers_names'] },
    {
      custom_entity_check: {
        field_sources: ['auth_methods', 'client_id', 'client_secret', 'session_secret'],
        fn: clientProblem,
      },
    },
    {
      custom_entity_check: {
        field_sources: ['client_auth', 'client_jwk', 'client_secret', 'tls_client_auth_cert_id'],
        fn: proofProblem,
      },
    },
    {
      custom_entity_check: {
        field_sources: [
          'response_mode',
          'authorization_cookie_same_site',
          'login_action',
          'login_redirect_uri',
        ],
        fn: loginProblem,
      },
    },
  ],
  example: {
    issuer: 'https://id.example.com',
    client_id: ['gateway'],
    client_secret: ['a-secret-of-the-client'],
    auth_methods: ['authorization_code', 'session', 'bearer'],
    scopes: ['openid', 'profile'],
    consumer_claim: ['sub'],
    consumer_optional: true,
    upstream_headers_claims: ['sub'],
    upstream_headers_names: ['x-user'],
  },
});

const isEmpty = (list: unknown): boolean => !Array.isArray(list) || list.length === 0;

function clientProblem({
  auth_methods: methods,
  client_id: id,
  client_secret: secret,
  session_secret: own,
}: Values): string | null {
  const uses = (...names: readonly string[]): boolean =>
    Array.isArray(methods) && names.some((name) => methods.includes(name));
  if (uses('authorization_code', 'introspection', 'password', 'refresh_token') && isEmpty(id)) {
    return "'client_id' is needed for authorization_code, introspection, password and refresh_token";
  }
  if (uses('authorization_code') && isEmpty(secret) && typeof own !== 'string') {
    return "'session_secret' is needed where there is no 'client_secret'";
  }
  return null;
}

/** What a way to prove itself needs. */
function proofProblem(values: Values): string | null {
  const ways = Array.isArray(values['client_auth']) ? (values['client_auth'] as readonly unknown[]) : [];
  const has = (field: string, at: number): boolean =>
    Array.isArray(values[field]) && (values[field] as readonly unknown[])[at] !== undefined;
  for (const [at, way] of ways.entries()) {
    if (way === 'private_key_jwt' && !has('client_jwk', at)) return "'private_key_jwt' needs 'client_jwk'";
    if (String(way).startsWith('client_secret') && !has('client_secret', at))
      return `'${String(way)}' needs 'client_secret'`;
    if (String(way).endsWith('tls_client_auth') && typeof values['tls_client_auth_cert_id'] !== 'string')
      return `'${String(way)}' needs 'tls_client_auth_cert_id'`;
  }
  return null;
}

function loginProblem(values: Values): string | null {
  if (values['response_mode'] === 'form_post' && values['authorization_cookie_same_site'] !== 'None') {
    return "'response_mode' form_post needs 'authorization_cookie_same_site' None: browsers send no other cookie with it";
  }
  return values['login_action'] === 'redirect' && isEmpty(values['login_redirect_uri'])
    ? "'login_action' redirect needs 'login_redirect_uri'"
    : null;
}
