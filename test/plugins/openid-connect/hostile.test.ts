/** openid-connect: answers of a provider that are not good, and browsers that are led astray. */
import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { importJWK, type JWK as JoseKey, type JWTPayload, SignJWT } from 'jose';
import { Browser } from '../../support/browser.ts';
import { type OidcProvider, signingKey } from '../../support/oidc-provider.ts';
import { echoOf, logIn, SECRET, type Stage, startStage } from './support.ts';

/** Goes through the login up to the URL that the provider sends the browser to, and not further. */
async function upToCallback(browser: Browser, stage: Stage, path = '/'): Promise<URL> {
  const before = browser.history.length;
  browser.stopAt = (url) => url.origin === stage.origin;
  await logIn(browser, `${stage.origin}${path}`);
  browser.stopAt = null;
  const found = browser.history
    .slice(before)
    .find(({ headers }) => headers.location?.startsWith(`${stage.origin}/callback`) === true);
  assert.ok(found?.headers.location !== undefined);
  return new URL(found.headers.location);
}

test('an answer belongs to the browser that asked, and once', async () => {
  await using stage = await startStage();
  const anna = new Browser();
  const url = await upToCallback(anna, stage, '/orders');
  const state = url.searchParams.get('state') ?? '';
  const code = url.searchParams.get('code') ?? '';
  const at = (parameters: Record<string, string>): string =>
    `${stage.origin}/callback?${new URLSearchParams(parameters).toString()}`;
  // Somebody else is led to Anna's answer (login CSRF), and has a login of their own under way.
  const victim = new Browser();
  assert.equal((await victim.visit(url)).status, 401);
  await victim.visit(`${stage.origin}/`, { redirects: 0 });
  assert.equal((await victim.visit(url)).status, 401);
  assert.equal(victim.cookie('session'), undefined);
  const wrong: ReadonlyArray<readonly [what: string, target: string]> = [
    ['another state', at({ code, state: `${state.slice(0, -1)}${state.endsWith('A') ? 'B' : 'A'}` })],
    ['no state that is known', at({ code, state: '' })],
    ['two states', `${at({ code, state })}&state=x`],
    ['a made-up issuer', at({ code, state: 'x', iss: 'http://evil.test' })],
  ];
  for (const [what, target] of wrong) {
    const page = await anna.visit(target);
    assert.equal(page.status, 401, what);
    assert.equal(anna.cookie('session'), undefined, what);
  }
  // Mix-up (RFC 9207): the answer says that another issuer gave it.
  const mixed = new Browser();
  const theirs = await upToCallback(mixed, stage);
  theirs.searchParams.set('iss', 'http://evil.test');
  assert.equal((await mixed.visit(theirs)).status, 401);
  assert.equal(mixed.cookie('session'), undefined);
  // Only now the right one, and then again.
  assert.equal((await anna.visit(url)).url.pathname, '/orders');
  anna.setCookie('session', null);
  assert.equal((await anna.visit(url)).status, 401);
  assert.equal(anna.cookie('session'), undefined);
});

test('several logins at once, one for each tab, all come to their ends', async () => {
  await using stage = await startStage();
  const browser = new Browser();
  const first = await upToCallback(browser, stage, '/first');
  const second = await upToCallback(browser, stage, '/second');
  assert.equal((await browser.visit(first)).url.pathname, '/first');
  assert.equal((await browser.visit(second)).url.pathname, '/second');
});

test('what a provider refuses is a 401 that leads nowhere, or to where the configuration says', async () => {
  await using stage = await startStage({ config: { display_errors: true } });
  const browser = new Browser();
  const start = await browser.visit(`${stage.origin}/`, { redirects: 0 });
  const state = new URL(start.headers.location ?? '').searchParams.get('state') ?? '';
  const iss = encodeURIComponent(stage.provider.issuer);
  const target = `/callback?error=access_denied&error_description=%3Cscript%3E&state=${state}&iss=${iss}`;
  const page = await browser.visit(`${stage.origin}${target}`);
  assert.equal(page.status, 401);
  assert.equal(page.headers.location, undefined);
  await using led = await startStage({ config: { unauthorized_redirect_uri: ['http://127.0.0.1:1/sorry'] } });
  const posted = await new Browser().visit(`${led.origin}/`, { method: 'POST', redirects: 0 });
  assert.equal(posted.headers.location, 'http://127.0.0.1:1/sorry');
});

test('a login leads back to the gateway, whatever the URL that began it looks like', async () => {
  await using stage = await startStage();
  for (const path of [
    '//evil.test/x',
    '/\\evil.test',
    '/%2f%2fevil.test',
    '/@evil.test',
    `/${'x'.repeat(3000)}`,
  ]) {
    const browser = new Browser();
    const page = await logIn(browser, `${stage.origin}${path}`);
    assert.equal(page.url.origin, stage.origin, path);
    assert.equal(page.status, 200, path);
    for (const { url, headers } of browser.history) {
      const next = headers.location === undefined ? url : new URL(headers.location, url);
      assert.ok(['127.0.0.1', 'localhost'].includes(next.hostname), `${path} led to ${next.href}`);
    }
  }
});

test('cookies that were changed, or come from elsewhere, are no session', async () => {
  await using stage = await startStage();
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  const value = browser.cookie('session')?.value ?? '';
  const flipped = (at: number): string => {
    const bytes = Buffer.from(value, 'base64url');
    bytes[at < 0 ? bytes.length + at : at] = (bytes[at < 0 ? bytes.length + at : at] ?? 0) ^ 1;
    return bytes.toString('base64url');
  };
  const login = await new Browser().visit(`${stage.origin}/`, { redirects: 0 });
  const authorization = /authorization=([^;]*)/.exec(String(login.headers['set-cookie']))?.[1] ?? '';
  const bad = [
    flipped(0),
    flipped(20),
    flipped(-1),
    value.slice(0, 40),
    '',
    '3.x',
    'x'.repeat(4000),
    authorization,
    'é',
  ];
  for (const cookie of bad) {
    const page = await new Browser().visit(`${stage.origin}/`, {
      redirects: 0,
      headers: { cookie: `session=${Buffer.from(cookie, 'utf8').toString('latin1')}` },
    });
    assert.equal(page.status, 302, cookie.slice(0, 50));
  }
  // The right one, for the other purposes and secrets.
  for (const config of [{ session_audience: 'other' }, { session_secret: 'another' }]) {
    await using other = await startStage({ config: { ...config, issuer: stage.provider.issuer } });
    const page = await new Browser().visit(`${other.origin}/`, {
      redirects: 0,
      headers: { cookie: `session=${value}` },
    });
    assert.equal(page.status, 302);
  }
  echoOf(await browser.visit(`${stage.origin}/`));
});

type Forge = (claims: JWTPayload, provider: OidcProvider) => Promise<string> | string;

async function signed(claims: JWTPayload, provider: OidcProvider, header: object = {}): Promise<string> {
  const key = await importJWK(provider.key as JoseKey, 'RS256');
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: String(provider.key.kid), ...header })
    .sign(key);
}

function without(claims: JWTPayload, name: string): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}

function unsigned(claims: JWTPayload, header: object, mac: (text: string) => string = () => ''): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${mac(text)}`;
}

const FORGERIES: ReadonlyArray<readonly [what: string, status: number, forge: Forge]> = [
  ['as it should be', 303, signed],
  ['of another issuer', 401, (claims, p) => signed({ ...claims, iss: 'http://evil.test' }, p)],
  ['for another client', 401, (claims, p) => signed({ ...claims, aud: 'other' }, p)],
  [
    'for several clients, authorized for another',
    401,
    (c, p) => signed({ ...c, aud: ['gateway', 'x'], azp: 'x' }, p),
  ],
  ['of another login', 401, (claims, p) => signed({ ...claims, nonce: 'other' }, p)],
  ['without a nonce', 401, (claims, p) => signed(without(claims, 'nonce'), p)],
  ['expired', 401, (claims, p) => signed({ ...claims, exp: 1 }, p)],
  ['without an end', 401, (claims, p) => signed(without(claims, 'exp'), p)],
  ['without a subject', 401, (claims, p) => signed(without(claims, 'sub'), p)],
  ['not signed', 401, (claims) => unsigned(claims, { alg: 'none' })],
  [
    'signed with the public key as a secret',
    401,
    (claims, { key }) =>
      unsigned(claims, { alg: 'HS256', kid: key.kid }, (text) =>
        createHmac(
          'sha256',
          createPublicKey({ key: key as never, format: 'jwk' }).export({ format: 'pem', type: 'spki' }),
        )
          .update(text)
          .digest('base64url'),
      ),
  ],
  [
    'signed with the client secret',
    401,
    (claims) =>
      unsigned(claims, { alg: 'HS256' }, (t) => createHmac('sha256', SECRET).update(t).digest('base64url')),
  ],
  [
    'signed with another key of the same id',
    401,
    async (claims, { key }) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: String(key.kid) })
        .sign(await importJWK(signingKey(String(key.kid)) as JoseKey, 'RS256')),
  ],
  [
    'signed with a key that it brings along',
    401,
    async (claims) => {
      const own = signingKey('own');
      const { kty, n, e } = own as unknown as Record<string, string>;
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', jwk: { kty, n, e } as never, kid: 'own' })
        .sign(await importJWK(own as JoseKey, 'RS256'));
    },
  ],
  ['no token at all', 401, () => 'x.y.z'],
  ['empty', 401, () => ''],
];

test('an ID token that is not good is no login', async () => {
  await using stage = await startStage({ config: { rediscovery_lifetime: 30 } });
  for (const [what, status, forge] of FORGERIES) {
    const browser = new Browser();
    const start = await browser.visit(`${stage.origin}/`, { redirects: 0 });
    const asked = new URL(start.headers.location ?? '').searchParams;
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: stage.provider.issuer, sub: 'anna', aud: 'gateway', iat: now, exp: now + 60 };
    const token = await forge({ ...claims, nonce: asked.get('nonce') ?? '' }, stage.provider);
    stage.provider.intercept = (path) =>
      path === '/token'
        ? { status: 200, body: { access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: token } }
        : null;
    const answer = new URLSearchParams({
      code: 'c',
      state: asked.get('state') ?? '',
      iss: stage.provider.issuer,
    });
    const page = await browser.visit(`${stage.origin}/callback?${answer.toString()}`, { redirects: 0 });
    assert.equal(page.status, status, what);
    assert.equal(browser.cookie('session') !== undefined, status === 303, what);
  }
});

const BROKEN: ReadonlyArray<
  readonly [what: string, answer: { status: number; body: unknown }, status: number]
> = [
  ['an error', { status: 400, body: { error: 'invalid_grant' } }, 401],
  ['a fault', { status: 500, body: { error: 'server_error' } }, 500],
  ['no token', { status: 200, body: { token_type: 'Bearer' } }, 401],
  ['no object', { status: 200, body: [] }, 401],
  ['too much', { status: 200, body: { access_token: 'x'.repeat(300_000), token_type: 'Bearer' } }, 500],
  [
    'a token that no cookie holds',
    { status: 200, body: { access_token: noise(30_000), token_type: 'Bearer' } },
    500,
  ],
];

function noise(length: number): string {
  let state = 7;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef'[state >> 26];
  }).join('');
}

test('what a provider answers for a code, and is no answer', async () => {
  await using stage = await startStage({ config: { scopes: ['profile'] } });
  for (const [what, answer, status] of BROKEN) {
    const browser = new Browser();
    const start = await browser.visit(`${stage.origin}/`, { redirects: 0 });
    const state = new URL(start.headers.location ?? '').searchParams.get('state') ?? '';
    stage.provider.intercept = (path) => (path === '/token' ? answer : null);
    const parameters = new URLSearchParams({ code: 'c', state, iss: stage.provider.issuer });
    const page = await browser.visit(`${stage.origin}/callback?${parameters.toString()}`, { redirects: 0 });
    assert.equal(page.status, status, what);
    assert.equal(browser.cookie('session'), undefined, what);
  }
});
