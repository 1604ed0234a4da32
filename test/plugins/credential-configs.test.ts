/** Configurations of oauth2, session, ldap-auth and oauth2-introspection: Kong's defaults, and Kong's words for what is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plugins } from '../../src/entities/plugin.ts';
import { EntityValidator } from '../../src/entities/schema/validate.ts';
import { compileDeclarative } from '../../src/store/file/compile.ts';

const validator = new EntityValidator(plugins);

function validate(name: string, config: object, more: object = {}): unknown {
  const context = { flavor: 'traditional_compatible', now: 1 } as const;
  const { entity, issues } = validator.validate({ input: { name, config, ...more } }, context);
  if (issues === null) return entity['config'];
  return Object.fromEntries(issues.map(({ at, message }) => [at.map(String).join('.'), message]));
}

const ONE = 'at least one of these fields must be true: ';
const GRANTS =
  'enable_authorization_code, enable_implicit_grant, enable_client_credentials, enable_password_grant';
const CONDITION = "failed conditional validation given value of field 'mandatory_scope'";
const INTROSPECT = { introspection_url: 'https://a.test/x', authorization_value: 'x' };
const LDAP = { ldap_host: 'a.test', base_dn: 'dc=a', attribute: 'uid' };
const required = 'required field missing';

test('what is wrong with a configuration', () => {
  for (const [name, config, wrong] of [
    ['oauth2', {}, { config: ONE + GRANTS }],
    [
      'oauth2',
      { enable_password_grant: true, mandatory_scope: true },
      { 'config.scopes': required, 'config.@entity': CONDITION },
    ],
    [
      'oauth2',
      { enable_password_grant: true, pkce: 'always' },
      { 'config.pkce': 'expected one of: none, lax, strict' },
    ],
    [
      'oauth2',
      { enable_password_grant: true, refresh_token_ttl: -1 },
      { 'config.refresh_token_ttl': 'value should be between 0 and 100000000' },
    ],
    [
      'ldap-auth',
      {},
      { 'config.ldap_host': required, 'config.base_dn': required, 'config.attribute': required },
    ],
    [
      'ldap-auth',
      { ...LDAP, ldaps: true, start_tls: true },
      {
        'config.start_tls': 'value must be false',
        'config.@entity': "'ldaps' and 'start_tls' cannot be enabled simultaneously",
      },
    ],
    [
      'oauth2-introspection',
      {},
      { 'config.introspection_url': required, 'config.authorization_value': required },
    ],
    [
      'oauth2-introspection',
      { ...INTROSPECT, introspection_url: '/x' },
      { 'config.introspection_url': 'missing host in url' },
    ],
    [
      'oauth2-introspection',
      { ...INTROSPECT, introspection_url: 'ftp://a.test' },
      { 'config.introspection_url': 'must be an http or https URL' },
    ],
    [
      'oauth2-introspection',
      { ...INTROSPECT, custom_claims_forward: ['https://a.test/claim'] },
      { 'config.custom_claims_forward.0': "'https://a.test/claim' cannot be part of a header's name" },
    ],
    ['session', { storage: 'file' }, { 'config.storage': 'expected one of: cookie, kong, redis' }],
    ['session', { storage: 'redis' }, { 'config.@entity': "'storage' redis needs 'redis'" }],
    ['session', { redis: {} }, { 'config.redis.host': 'required field missing' }],
    [
      'oauth2',
      { enable_password_grant: true, storage: 'redis' },
      { 'config.@entity': "'storage' redis needs 'redis'" },
    ],
    [
      'session',
      { cookie_path: '/; Domain=evil.test' },
      { 'config.cookie_path': 'has characters that no cookie attribute may have' },
    ],
    [
      'openid-connect',
      { issuer: 'https://a.test/', auth_methods: ['bearer'], session_cookie_domain: 'a.test; Path=/x' },
      { 'config.session_cookie_domain': 'has characters that no cookie attribute may have' },
    ],
    ['session', { cookie_lifetime: 'x' }, { 'config.cookie_lifetime': 'expected a number' }],
    [
      'session',
      { logout_methods: ['PUT'] },
      { 'config.logout_methods.0': 'expected one of: GET, POST, DELETE' },
    ],
  ] as const) {
    const found = validate(name, config) as Record<string, string>;
    assert.deepEqual(found, wrong, `${name} ${JSON.stringify(config)}`);
  }
  const consumer = { consumer: { id: '00000000-0000-4000-8000-00000000000a' } };
  for (const [name, config] of [
    ['oauth2', { enable_password_grant: true }],
    ['session', {}],
    ['ldap-auth', LDAP],
    ['oauth2-introspection', INTROSPECT],
  ] as const) {
    assert.deepEqual(Object.keys(validate(name, config, consumer) as object), ['consumer'], name);
  }
});

test("Kong's defaults; keys and secrets are made; older names", () => {
  const oauth2 = validate('oauth2', { enable_password_grant: true }) as Record<string, unknown>;
  assert.match(String(oauth2['provision_key']), /^[A-Za-z0-9]{32}$/);
  assert.deepEqual(
    [oauth2['token_expiration'], oauth2['refresh_token_ttl'], oauth2['pkce'], oauth2['auth_header_name']],
    [7200, 1_209_600, 'lax', 'authorization'],
  );
  const old = {
    cookie_lifetime: 1,
    cookie_idletime: 2,
    cookie_renew: 3,
    cookie_discard: 4,
    cookie_samesite: 'off',
    cookie_httponly: false,
    cookie_persistent: true,
  };
  const session = validate('session', old) as Record<string, unknown>;
  assert.match(String(session['secret']), /^[A-Za-z0-9]{32}$/);
  const { secret: _, ...rest } = session;
  assert.deepEqual(rest, {
    storage: 'cookie',
    redis: null,
    audience: 'default',
    idling_timeout: 2,
    rolling_timeout: 1,
    absolute_timeout: 86_400,
    stale_ttl: 4,
    cookie_name: 'session',
    cookie_path: '/',
    cookie_domain: null,
    cookie_same_site: 'Lax',
    cookie_http_only: false,
    cookie_secure: true,
    remember: true,
    remember_cookie_name: 'remember',
    remember_rolling_timeout: 604_800,
    remember_absolute_timeout: 2_592_000,
    response_headers: null,
    request_headers: null,
    read_body_for_logout: false,
    logout_methods: ['POST', 'DELETE'],
    logout_query_arg: 'session_logout',
    logout_post_arg: 'session_logout',
    hash_subject: false,
    store_metadata: false,
  });
});

test('what needs a database is refused in a file that stands for itself, and taken as the beginning of a store', () => {
  const file = (plugin: object): string => JSON.stringify({ _format_version: '3.0', plugins: [plugin] });
  const kong = { name: 'session', config: { storage: 'kong' } };
  const oauth2 = { name: 'oauth2', config: { enable_client_credentials: true } };
  const options = { filename: 'kong.json', flavor: 'traditional_compatible', now: 1 } as const;
  for (const [plugin, message] of [
    [kong, /session with storage kong needs a database/],
    [oauth2, /oauth2 keeps codes and tokens in the database/],
  ] as const) {
    const alone = compileDeclarative(file(plugin), { ...options, withoutDatabase: true });
    assert.match(JSON.stringify(alone), message);
    assert.equal(compileDeclarative(file(plugin), options).ok, true);
  }
  const cookie = { name: 'session', config: { storage: 'cookie' } };
  assert.equal(compileDeclarative(file(cookie), { ...options, withoutDatabase: true }).ok, true);
});
