/** openid-connect: logging in, sessions and logging out, with a real provider and a browser's rules of cookies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeZone } from '../../../src/zone/shared/layout.ts';
import { Browser } from '../../support/browser.ts';
import { waitFor } from '../../support/wait.ts';
import { echoOf, logIn, SECRET, startStage } from './support.ts';

test('a browser logs in at the provider, comes back to where it wanted to go, and stays logged in', async () => {
  await using stage = await startStage({
    config: {
      consumer_claim: ['sub'],
      upstream_headers_claims: ['sub', 'name'],
      upstream_headers_names: ['X-User', 'X-Name'],
      scopes: ['openid', 'profile'],
    },
    provider: { claims: () => ({ name: 'Žofie\r\nX-Evil: 1' }) },
  });
  const browser = new Browser();
  const page = await logIn(browser, `${stage.origin}/orders?a=1&b=%20`);
  assert.equal(page.url.href, `${stage.origin}/orders?a=1&b=%20`);
  const echo = echoOf(page);
  assert.equal(echo.url, '/orders?a=1&b=%20');
  assert.equal(echo.headers['x-user'], 'anna');
  assert.equal(echo.headers['x-consumer-username'], 'anna');
  assert.match(String(echo.headers['authorization']), /^Bearer \S+$/);
  assert.equal(echo.headers['x-evil'], undefined);
  // The gateway's cookies are not for the upstream.
  assert.equal(echo.headers['cookie'], undefined);
  const session = browser.cookie('session');
  assert.ok(session !== undefined);
  assert.match(session.attributes, /HttpOnly/i);
  assert.equal(session.sameSite, 'lax');
  assert.equal(browser.cookie('authorization'), undefined);
  const asked = stage.provider.asked.length;
  assert.equal(echoOf(await browser.visit(`${stage.origin}/next`)).headers['x-user'], 'anna');
  assert.equal(stage.provider.asked.length, asked);
  // Nothing that goes to the provider with a code challenge goes without.
  const sent = stage.provider.asked.find((path) => path.startsWith('/auth?')) ?? '';
  assert.match(sent, /code_challenge_method=S256/);
});

const NO_TIMEOUTS = { session_rolling_timeout: 0, session_idling_timeout: 0, session_absolute_timeout: 0 };

test('an expired access token is refreshed once for all requests of a session', async (t) => {
  await using stage = await startStage({
    config: { ...NO_TIMEOUTS, upstream_refresh_token_header: 'x-refresh' },
    provider: { accessTokenTtl: 600 },
  });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  const first = echoOf(await logIn(browser, `${stage.origin}/`));
  const before = browser.cookie('session')?.value ?? '';
  assert.equal(stage.provider.count('/token'), 1);
  t.mock.timers.tick(601_000);
  const pages = await Promise.all(Array.from({ length: 10 }, () => browser.visit(`${stage.origin}/`)));
  for (const page of pages) {
    const echo = echoOf(page);
    assert.notEqual(echo.headers['authorization'], first.headers['authorization']);
    assert.notEqual(echo.headers['x-refresh'], first.headers['x-refresh']);
  }
  assert.equal(stage.provider.count('/token'), 2);
  // A request that was on its way with the older cookie: no second use of a refresh token, which would look like theft.
  const late = new Browser();
  await late.visit(`${stage.origin}/`, { redirects: 0, headers: { cookie: `session=${before}` } });
  assert.equal(late.history[0]?.status, 200);
  assert.equal(stage.provider.count('/token'), 2);
  t.mock.timers.tick(601_000);
  echoOf(await browser.visit(`${stage.origin}/`));
  assert.equal(stage.provider.count('/token'), 3);
});

test('workers of a node refresh a session once between them', async (t) => {
  const shared = makeZone(1 << 20);
  const timeless = { ...NO_TIMEOUTS, session_secret: 's' };
  await using one = await startStage({ shared, config: timeless, provider: { accessTokenTtl: 600 } });
  await using two = await startStage({ shared, config: { ...timeless, issuer: one.provider.issuer } });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  await logIn(browser, `${one.origin}/`);
  t.mock.timers.tick(601_000);
  const cookie = `session=${browser.cookie('session')?.value ?? ''}`;
  const pages = await Promise.all(
    [one, two, one, two, two].map(({ origin }) =>
      new Browser().visit(`${origin}/`, { redirects: 0, headers: { cookie } }),
    ),
  );
  assert.equal(new Set(pages.map((page) => echoOf(page).headers['authorization'])).size, 1);
  assert.equal(one.provider.count('/token'), 2);
});

test('a session whose refresh token was revoked is over: a login for pages, 401 for what changes something', async (t) => {
  await using stage = await startStage({
    config: { ...NO_TIMEOUTS, upstream_refresh_token_header: 'x-refresh' },
    provider: { accessTokenTtl: 600 },
  });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  const echo = echoOf(await logIn(browser, `${stage.origin}/`));
  const revoked = await fetch(`http://127.0.0.1:${stage.provider.port}/token/revocation`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`gateway:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token: String(echo.headers['x-refresh']) }).toString(),
  });
  assert.equal(revoked.status, 200);
  t.mock.timers.tick(601_000);
  const posted = await browser.visit(`${stage.origin}/`, { method: 'POST', redirects: 0 });
  assert.equal(posted.status, 401);
  assert.equal(browser.cookie('session'), undefined);
  const page = await browser.visit(`${stage.origin}/`, { redirects: 0 });
  assert.equal(page.status, 302);
  assert.ok(page.headers.location?.startsWith(`${stage.provider.issuer}/auth?`));
});

test('a session ends without use, and at the latest after its time', async (t) => {
  await using stage = await startStage({
    config: { session_idling_timeout: 100, session_rolling_timeout: 300, session_absolute_timeout: 1000 },
  });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  const visit = async (): Promise<number> =>
    (await browser.visit(`${stage.origin}/`, { redirects: 0 })).status;
  // Used all the time, it goes on beyond the idle and rolling times.
  for (let used = 0; used < 990; used += 90) {
    assert.equal(await visit(), 200, `after ${used} s`);
    t.mock.timers.tick(90_000);
  }
  assert.equal(await visit(), 200);
  t.mock.timers.tick(20_000);
  assert.equal(await visit(), 302);
  await logIn(browser, `${stage.origin}/`);
  assert.equal(await visit(), 200);
  t.mock.timers.tick(101_000);
  assert.equal(await visit(), 302);
});

test('a logout ends the session here and at the provider', async () => {
  let home = '';
  await using stage = await startStage({
    config: {
      logout_uri_suffix: '/logout',
      logout_query_arg: 'bye',
      logout_revoke: true,
      upstream_refresh_token_header: 'x-refresh',
    },
  });
  home = `${stage.origin}/`;
  await using other = await startStage({ config: { logout_uri_suffix: '/logout' } });
  const browser = new Browser();
  await logIn(browser, home);
  // A link or an image elsewhere must not do it.
  assert.equal(echoOf(await browser.visit(`${stage.origin}/logout`)).url, '/logout');
  assert.ok(browser.cookie('session') !== undefined);
  const asked = await browser.visit(`${stage.origin}/x/logout`, { method: 'POST', redirects: 0 });
  assert.equal(asked.status, 302);
  const end = new URL(asked.headers.location ?? '');
  assert.equal(end.origin + end.pathname, `${stage.provider.issuer}/session/end`);
  assert.match(end.searchParams.get('id_token_hint') ?? '', /^\S+\.\S+\.\S+$/);
  assert.equal(browser.cookie('session'), undefined);
  assert.equal(stage.provider.count('/token/revocation'), 2);
  const confirm = await browser.visit(end);
  await browser.submit(confirm, { logout: 'yes' });
  // The provider has forgotten the user, too: it asks again.
  const again = await browser.visit(home);
  assert.equal(again.url.hostname, 'localhost');
  assert.match(again.body, /<form/);
  // By query, and without a session: nothing to end.
  const nothing = await browser.visit(`${stage.origin}/?bye`, { method: 'DELETE', redirects: 0 });
  assert.equal(nothing.status, 200);
  // Another gateway's session is none here.
  const stranger = new Browser();
  await logIn(stranger, `${other.origin}/`);
  const page = await stranger.visit(home, { redirects: 0 });
  assert.equal(page.status, 302);
});

test('a logout leads on to where the configuration says, by the provider', async () => {
  const stage = await startStage({
    config: { logout_uri_suffix: '/logout', logout_redirect_uri: ['http://127.0.0.1:1/bye'] },
    client: { post_logout_redirect_uris: ['http://127.0.0.1:1/bye'] },
  });
  await using _ = stage;
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  const asked = await browser.visit(`${stage.origin}/logout`, { method: 'POST', redirects: 0 });
  const confirm = await browser.visit(asked.headers.location ?? '');
  await assert.rejects(browser.submit(confirm, { logout: 'yes' }), /ECONNREFUSED/);
  assert.equal(browser.history.at(-1)?.headers.location, 'http://127.0.0.1:1/bye');
});

test('a provider that is down: sessions go on, logins fail and work again when it is back', async () => {
  await using stage = await startStage();
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  await stage.provider.down();
  assert.equal((await browser.visit(`${stage.origin}/`)).status, 200);
  await using cold = await startStage();
  await cold.provider.down();
  const page = await new Browser().visit(`${cold.origin}/`);
  assert.equal(page.status, 500);
  await cold.provider.up();
  await waitFor(async () => (await new Browser().visit(`${cold.origin}/`, { redirects: 0 })).status === 302, {
    what: 'the provider to be found again',
  });
  assert.equal((await logIn(new Browser(), `${cold.origin}/`)).status, 200);
});

test('cookies: over TLS they are secure, with a form of the provider they cross sites, and long ones are taken apart', async () => {
  await using stage = await startStage({
    tls: true,
    config: {
      response_mode: 'form_post',
      authorization_cookie_same_site: 'None',
      session_cookie_same_site: 'Strict',
      scopes: ['openid', 'profile'],
    },
    provider: {
      claims: () => ({ name: Array.from({ length: 400 }, (_, n) => (n * 7919 + 104_729) ** 3).join('') }),
    },
  });
  const browser = new Browser();
  // The provider's page sends the form by script; here it is sent by hand.
  const page = await logIn(browser, `${stage.origin}/deep?x=1`);
  const line = String(browser.history[0]?.headers['set-cookie']);
  assert.match(line, /^authorization=\S+; Path=\/; Max-Age=600; SameSite=None; HttpOnly; Secure$/);
  assert.equal(page.url.href, `${stage.origin}/deep?x=1`);
  assert.ok(browser.cookie('session2') !== undefined, 'more than one cookie');
  for (const cookie of browser.cookies) if (cookie.host === '127.0.0.1') assert.equal(cookie.secure, true);
  // A strict cookie does not come with a navigation from elsewhere; typed in, it does.
  const home = `${stage.origin}/`;
  assert.equal((await browser.visit(home, { redirects: 0, from: new URL('http://evil.test/') })).status, 302);
  echoOf(await browser.visit(home, { redirects: 0 }));
  // One of several that is missing, or another's: no session.
  const second = browser.cookie('session2')?.value ?? '';
  browser.setCookie('session2', `${second.startsWith('A') ? 'B' : 'A'}${second.slice(1)}`);
  assert.equal((await browser.visit(home, { redirects: 0 })).status, 302);
  browser.setCookie('session2', null);
  assert.equal((await browser.visit(home, { redirects: 0 })).status, 302);
});

test('what a login leads to: tokens as a response or in a fragment, or the request itself without a session', async () => {
  await using response = await startStage({
    config: { login_action: 'response', login_tokens: ['id_token', 'access_token'] },
  });
  const page = await logIn(new Browser(), `${response.origin}/`);
  assert.deepEqual(Object.keys(JSON.parse(page.body) as object).toSorted(), ['access_token', 'id_token']);
  assert.equal(page.headers['cache-control'], 'no-store');
  await using redirect = await startStage({
    config: { login_action: 'redirect', login_redirect_uri: ['http://127.0.0.1:1/app'] },
  });
  const browser = new Browser();
  await assert.rejects(logIn(browser, `${redirect.origin}/`), /ECONNREFUSED/);
  assert.match(browser.history.at(-1)?.headers.location ?? '', /^http:\/\/127.0.0.1:1\/app#id_token=\S+$/);
  await using once = await startStage({ config: { auth_methods: ['authorization_code'] } });
  const echo = echoOf(await logIn(new Browser(), `${once.origin}/a?b=1`));
  assert.equal(echo.url, '/callback?b=1');
});
