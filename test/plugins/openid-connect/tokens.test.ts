/** openid-connect: what a request shows besides a session: bearer tokens, refresh tokens, passwords, clients. */
import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, createSign } from 'node:crypto';
import { test } from 'node:test';
import { importJWK, type JWK as JoseKey, type JWTPayload, SignJWT } from 'jose';
import { Browser, type Page } from '../../support/browser.ts';
import { type OidcProvider, signingKey } from '../../support/oidc-provider.ts';
import { ANNA, echoOf, robotToken, SECRET, type Stage, startStage } from './support.ts';

type Claims = Readonly<Record<string, unknown>>;

const AUDIENCE = 'urn:api';

function visit(stage: Stage, headers: Readonly<Record<string, string>> = {}, path = '/'): Promise<Page> {
  return new Browser().visit(`${stage.origin}${path}`, { headers, redirects: 0 });
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function token(provider: OidcProvider, claims: Claims = {}, header: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: provider.issuer, sub: 'anna', iat: now, exp: now + 60, ...claims };
  const key = await importJWK(provider.key as JoseKey, 'RS256');
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'RS256', kid: String(provider.key.kid), ...header })
    .sign(key);
}

function handmade(provider: OidcProvider, header: object, mac: (text: string) => string = () => ''): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 60;
  const text = `${part(header)}.${part({ iss: provider.issuer, sub: 'anna', exp })}`;
  return `${text}.${mac(text)}`;
}

const now = (): number => Math.floor(Date.now() / 1000);

const TOKENS: ReadonlyArray<
  readonly [what: string, status: number, make: (provider: OidcProvider) => Promise<string> | string]
> = [
  ['good', 200, (p) => token(p)],
  ['of an issuer that is allowed', 200, (p) => token(p, { iss: 'http://friend.test' })],
  ['expired within the leeway', 200, (p) => token(p, { exp: now() - 5 })],
  ['without a key id', 200, (p) => token(p, {}, { kid: undefined })],
  ['expired', 401, (p) => token(p, { exp: now() - 60 })],
  ['not yet good', 401, (p) => token(p, { nbf: now() + 60 })],
  ['without an end', 401, (p) => token(p, { exp: undefined })],
  ['with an end that is no number', 401, (p) => token(p, { exp: 'soon' })],
  ['of another issuer', 401, (p) => token(p, { iss: 'http://evil.test' })],
  ['without an issuer', 401, (p) => token(p, { iss: undefined })],
  ['not signed', 401, (p) => handmade(p, { alg: 'none' })],
  ['not signed, in another spelling', 401, (p) => handmade(p, { alg: 'NonE' })],
  [
    'signed with the public key as a secret',
    401,
    (p) =>
      handmade(p, { alg: 'HS256', kid: p.key.kid }, (text) =>
        createHmac(
          'sha256',
          createPublicKey({ key: p.key as never, format: 'jwk' }).export({ format: 'pem', type: 'spki' }),
        )
          .update(text)
          .digest('base64url'),
      ),
  ],
  [
    'signed with the client secret',
    401,
    (p) => handmade(p, { alg: 'HS256' }, (t) => createHmac('sha256', SECRET).update(t).digest('base64url')),
  ],
  [
    'with a key of its own',
    401,
    async (p) => {
      const key = signingKey('own');
      const { kty, n, e } = key as unknown as Record<string, string>;
      return new SignJWT({ iss: p.issuer, sub: 'x', exp: now() + 60 })
        .setProtectedHeader({ alg: 'RS256', kid: 'own', jwk: { kty, n, e } as never })
        .sign(await importJWK(key as JoseKey, 'RS256'));
    },
  ],
  [
    'with an extension that is critical',
    401,
    (p) =>
      handmade(p, { alg: 'RS256', kid: p.key.kid, crit: ['x'], x: 1 }, (text) =>
        createSign('RSA-SHA256')
          .update(text)
          .sign(createPrivateKey({ key: p.key as never, format: 'jwk' }), 'base64url'),
      ),
  ],
  ['changed', 401, async (p) => (await token(p)).replace(/\.[^.]{4}/, '.AAAA')],
  ['with another signature', 401, async (p) => `${(await token(p)).slice(0, -8)}AAAAAAAA`],
  ['cut', 401, async (p) => (await token(p)).slice(0, -20)],
  ['opaque', 401, () => 'abc'],
  ['three points', 401, () => '...'],
  ['huge', 401, async (p) => token(p, { iss: 'x'.repeat(5000) })],
];

test('bearer tokens that are good, and those that are not', async () => {
  await using stage = await startStage({
    config: { auth_methods: ['bearer'], leeway: 10, issuers_allowed: ['http://friend.test'] },
  });
  for (const [what, status, make] of TOKENS) {
    const shown = await make(stage.provider);
    for (let round = 0; round < 2; round++) {
      const page = await visit(stage, bearer(shown));
      assert.equal(page.status, status, `${what}: ${page.body}`);
      if (status === 200) continue;
      assert.match(
        String(page.headers['www-authenticate']),
        /^Bearer realm="localhost:\d+", error="invalid_token"$/,
        what,
      );
    }
  }
  const none = await visit(stage);
  assert.equal(none.status, 401);
  assert.match(String(none.headers['www-authenticate']), /^Bearer realm="localhost:\d+"$/);
  for (const value of ['Bearer', 'Bearer ', 'Basic YTpi', 'bearer\t']) {
    assert.equal((await visit(stage, { authorization: value })).status, 401, value);
  }
  const good = await token(stage.provider);
  assert.equal((await visit(stage, bearer(good), `/?access_token=${good}`)).status, 401);
  const byQuery = await visit(stage, {}, `/?a=1&access_token=${good}&b=2`);
  assert.equal(echoOf(byQuery).url, `/?a=1&access_token=${good}&b=2`);
});

test('keys: one fetch for all who wait, rotation, and made-up key ids ask for nothing', async () => {
  await using stage = await startStage({ config: { auth_methods: ['bearer'], rediscovery_lifetime: 0 } });
  const { provider } = stage;
  const many = await Promise.all(
    Array.from({ length: 30 }, async (_, n) => visit(stage, bearer(await token(provider, { jti: `${n}` })))),
  );
  for (const page of many) assert.equal(page.status, 200);
  assert.equal(provider.count('/jwks'), 1);
  const before = await token(provider);
  assert.equal((await visit(stage, bearer(before))).status, 200);
  provider.rotate();
  assert.equal((await visit(stage, bearer(await token(provider)))).status, 200);
  assert.equal(provider.count('/jwks'), 2);
  // What the key that is gone has signed is good no longer, though it was verified before.
  assert.equal((await visit(stage, bearer(before))).status, 401);

  await using limited = await startStage({ config: { auth_methods: ['bearer'], rediscovery_lifetime: 30 } });
  assert.equal((await visit(limited, bearer(await token(limited.provider)))).status, 200);
  for (let n = 0; n < 20; n++) {
    const page = await visit(limited, bearer(await token(limited.provider, {}, { kid: `made-up-${n}` })));
    assert.equal(page.status, 401);
  }
  assert.equal(limited.provider.count('/jwks'), 1);
  // A provider that is gone: what it has signed is good on.
  await limited.provider.down();
  assert.equal((await visit(limited, bearer(await token(limited.provider, { jti: 'new' })))).status, 200);
});

const REQUIRED: ReadonlyArray<readonly [config: object, claims: Claims, status: number]> = [
  [{ scopes_required: ['read'] }, { scope: 'read write' }, 200],
  [{ scopes_required: ['read'] }, { scope: 'reader' }, 403],
  [{ scopes_required: ['read'] }, {}, 403],
  [{ scopes_required: ['read write'] }, { scope: 'write read' }, 200],
  [{ scopes_required: ['read write'] }, { scope: 'read' }, 403],
  [{ scopes_required: ['admin', 'read'] }, { scope: 'read' }, 200],
  [{ scopes_required: ['read'], scopes_claim: ['scp'] }, { scp: ['read'] }, 200],
  [{ audience_required: ['api'] }, { aud: 'api' }, 200],
  [{ audience_required: ['api'] }, { aud: ['x', 'api'] }, 200],
  [{ audience_required: ['api'] }, { aud: 'other' }, 403],
  [{ audience_required: ['api'] }, { aud: { api: true } }, 403],
  [{ groups_required: ['a'], groups_claim: ['realm', 'groups'] }, { realm: { groups: ['a', 'b'] } }, 200],
  [{ groups_required: ['a'], groups_claim: ['realm', 'groups'] }, { realm: 'groups' }, 403],
  [{ groups_required: ['a'], groups_claim: ['__proto__', 'x'] }, {}, 403],
  [{ roles_required: ['root'] }, { roles: [1, 'root'] }, 200],
  [{ roles_required: ['root'] }, { roles: 'user' }, 403],
];

test('claims that are required', async () => {
  for (const [config, claims, status] of REQUIRED) {
    await using stage = await startStage({ config: { auth_methods: ['bearer'], ...config } });
    const page = await visit(stage, bearer(await token(stage.provider, claims)));
    assert.equal(page.status, status, JSON.stringify([config, claims]));
    const challenge = page.headers['www-authenticate'] ?? '';
    assert.equal(challenge.includes('insufficient_scope'), status === 403 && 'scopes_required' in config);
  }
});

const WHO: ReadonlyArray<
  readonly [
    config: object,
    claims: Claims,
    status: number,
    consumer?: string | undefined,
    identifier?: string,
  ]
> = [
  [{ consumer_claim: ['sub'] }, {}, 200, 'anna', 'anna'],
  [{ consumer_claim: ['cid'], consumer_by: ['custom_id'] }, { cid: 'c-1' }, 200, 'anna', 'anna'],
  [{ consumer_claim: ['cid'], consumer_by: ['id'] }, { cid: ANNA }, 200, 'anna', 'anna'],
  [{ consumer_claim: ['a', 'b'] }, { a: { b: 'anna' } }, 200, 'anna', 'anna'],
  [{ consumer_claim: ['sub'], consumer_by: ['custom_id'], consumer_optional: false }, {}, 403],
  [{ consumer_claim: ['sub'], consumer_optional: false }, { sub: 'nobody' }, 403],
  [{ consumer_claim: ['n'], consumer_optional: false }, { n: 7 }, 403],
  [{ consumer_claim: ['sub'] }, { sub: 'nobody' }, 200, undefined, 'nobody'],
  [{ credential_claim: ['email'] }, { email: 'ž@a.test' }, 200, undefined, 'Å¾@a.test'],
  [{}, { sub: 'a\r\nX-Evil: 1' }, 200],
  [{}, { sub: 'x'.repeat(2000) }, 200],
];

test('who it is: a consumer, or a credential of nobody; and nothing in a claim becomes another header', async () => {
  for (const [config, claims, status, consumer, identifier] of WHO) {
    await using stage = await startStage({
      config: {
        auth_methods: ['bearer'],
        upstream_headers_claims: ['sub', 'email'],
        upstream_headers_names: ['X-User', 'X-Mail'],
        ...config,
      },
    });
    const page = await visit(stage, {
      ...bearer(await token(stage.provider, claims)),
      'x-consumer-username': 'forged',
      'x-mail': 'forged',
      x_mail: 'forged',
    });
    assert.equal(page.status, status, JSON.stringify([config, claims]));
    if (status !== 200) continue;
    const { headers } = echoOf(page);
    assert.equal(headers['x-consumer-username'], consumer, JSON.stringify(claims));
    assert.equal(headers['x-credential-identifier'], identifier, JSON.stringify(claims));
    assert.equal(headers['x-evil'], undefined);
    assert.equal(headers['x_mail'], undefined);
    assert.equal(headers['x-mail'], claims['email'] === undefined ? undefined : 'Å¾@a.test');
  }
});

test('groups of a token are groups for acl', async () => {
  const acl = { name: 'acl', config: { allow: ['staff'], always_use_authenticated_groups: true } };
  await using stage = await startStage({
    config: { auth_methods: ['bearer'], authenticated_groups_claim: ['groups'] },
    plugins: [acl],
  });
  const staff = await visit(stage, bearer(await token(stage.provider, { groups: ['x', 'staff'] })));
  assert.equal(staff.status, 200, staff.body);
  assert.equal((await visit(stage, bearer(await token(stage.provider, { groups: ['x'] })))).status, 403);
});

test('hidden credentials, the anonymous consumer, preflights, headers for the client', async () => {
  await using hidden = await startStage({ config: { auth_methods: ['bearer'], hide_credentials: true } });
  const good = await token(hidden.provider);
  assert.equal(echoOf(await visit(hidden, bearer(good))).headers['authorization'], undefined);
  assert.equal(echoOf(await visit(hidden, {}, `/?a=1&access_token=${good}&b`)).url, '/?a=1&b');
  await using open = await startStage({
    config: {
      auth_methods: ['bearer', 'authorization_code', 'session'],
      anonymous: 'anna',
      upstream_headers_claims: ['sub'],
      upstream_headers_names: ['X-User'],
    },
  });
  const nobody = echoOf(await visit(open, { 'x-user': 'forged', cookie: 'session=x; other=1' }));
  assert.equal(nobody.headers['x-anonymous-consumer'], 'true');
  assert.equal(nobody.headers['x-consumer-username'], 'anna');
  assert.equal(nobody.headers['x-user'], undefined);
  assert.equal(nobody.headers['cookie'], 'other=1');
  await using preflight = await startStage({
    config: {
      auth_methods: ['bearer'],
      run_on_preflight: false,
      downstream_headers_claims: ['sub'],
      downstream_headers_names: ['X-Who'],
      downstream_access_token_header: 'X-Token:bearer',
    },
  });
  const options = await new Browser().visit(`${preflight.origin}/`, { method: 'OPTIONS' });
  assert.equal(options.status, 200);
  const shown = await token(preflight.provider);
  const page = await visit(preflight, bearer(shown));
  assert.equal(page.headers['x-who'], 'anna');
  assert.equal(page.headers['x-token'], `Bearer ${shown}`);
});

test('opaque tokens are introspected, once while that is kept, and not any more when they were revoked', async (t) => {
  await using stage = await startStage({
    config: {
      auth_methods: ['introspection'],
      cache_ttl: 30,
      scopes_required: ['read'],
      upstream_introspection_header: 'X-Introspection',
    },
  });
  const { provider } = stage;
  const opaque = await robotToken(provider);
  const pages = await Promise.all(Array.from({ length: 10 }, () => visit(stage, bearer(opaque))));
  for (const page of pages) {
    const { headers } = echoOf(page);
    const told = JSON.parse(
      Buffer.from(String(headers['x-introspection']), 'base64').toString(),
    ) as JWTPayload;
    assert.equal(told['client_id'], 'robot');
  }
  assert.equal(provider.count('/token/introspection'), 1);
  assert.equal((await visit(stage, bearer(await robotToken(provider, 'write')))).status, 403);
  await fetch(`http://127.0.0.1:${provider.port}/token/revocation`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`robot:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token: opaque }).toString(),
  });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
  assert.equal((await visit(stage, bearer(opaque))).status, 401);
  for (const bad of ['made-up', 'x'.repeat(6000)])
    assert.equal((await visit(stage, bearer(bad))).status, 401);
  provider.intercept = (path) => (path === '/token/introspection' ? { status: 500, body: {} } : null);
  assert.equal((await visit(stage, bearer('other'))).status, 500);
  for (const body of [
    { active: 'true' },
    { active: true, iss: 'http://evil.test' },
    { active: true, exp: 1 },
    [],
  ]) {
    provider.intercept = (path) => (path === '/token/introspection' ? { status: 200, body } : null);
    assert.equal(
      (await visit(stage, bearer(`t-${JSON.stringify(body).length}`))).status,
      401,
      JSON.stringify(body),
    );
  }
});

test('clients and users by Basic, refresh tokens by their header, and what is kept of them', async () => {
  await using stage = await startStage({
    config: {
      auth_methods: ['password', 'client_credentials', 'refresh_token'],
      scopes: ['read'],
      cache_ttl: 60,
    },
  });
  const { provider } = stage;
  const basic = (user: string, password: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  // This provider has no grant for passwords: the first try is refused, the second is for the client.
  const echo = echoOf(await visit(stage, basic('robot', SECRET)));
  assert.match(String(echo.headers['authorization']), /^Bearer /);
  const asked = provider.count('/token');
  assert.equal((await visit(stage, basic('robot', 'wrong'))).status, 401);
  for (const bad of ['Basic ***', 'Basic bm9jb2xvbg==', 'Basic OnNlY3JldA==', 'Basic ']) {
    assert.equal((await visit(stage, { authorization: bad })).status, 401, bad);
  }
  assert.ok(provider.count('/token') > asked);
  let grants = 0;
  provider.intercept = (path) => {
    if (path !== '/token') return null;
    grants++;
    return {
      status: 200,
      body: { access_token: `t-${grants}`, token_type: 'Bearer', expires_in: 300, scope: 'read' },
    };
  };
  for (let round = 0; round < 3; round++) {
    assert.equal(echoOf(await visit(stage, basic('anna', 'pw'))).headers['authorization'], 'Bearer t-1');
  }
  assert.equal(echoOf(await visit(stage, basic('anna', 'other'))).headers['authorization'], 'Bearer t-2');
  const refreshed = echoOf(await visit(stage, { 'refresh-token': 'r' }));
  assert.equal(refreshed.headers['authorization'], 'Bearer t-3');
  provider.intercept = (path) =>
    path === '/token' ? { status: 400, body: { error: 'invalid_grant' } } : null;
  assert.equal((await visit(stage, { 'refresh-token': 'other' })).status, 401);
});

test('what the provider says of the user', async () => {
  await using stage = await startStage({
    config: {
      auth_methods: ['userinfo'],
      consumer_claim: ['preferred_username'],
      search_user_info: true,
      upstream_user_info_header: 'X-User-Info',
    },
  });
  const { provider } = stage;
  provider.intercept = (path) =>
    path === '/me' ? { status: 200, body: { sub: '7', preferred_username: 'anna' } } : null;
  const { headers } = echoOf(await visit(stage, { ...bearer('opaque'), 'x-user-info': 'forged' }));
  assert.equal(headers['x-consumer-username'], 'anna');
  assert.deepEqual(JSON.parse(Buffer.from(String(headers['x-user-info']), 'base64').toString()), {
    sub: '7',
    preferred_username: 'anna',
  });
  provider.intercept = (path) => (path === '/me' ? { status: 401, body: { error: 'invalid_token' } } : null);
  assert.equal((await visit(stage, bearer('other'))).status, 401);
});

test('signed access tokens of the provider itself', async () => {
  await using stage = await startStage({
    config: { auth_methods: ['bearer'], audience_required: [AUDIENCE], scopes_required: ['read'] },
    provider: { jwtAudience: AUDIENCE },
  });
  const signed = await robotToken(stage.provider);
  assert.equal((await visit(stage, bearer(signed))).status, 200);
});
