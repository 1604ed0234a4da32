/** openid-connect with sessions in a Redis: gateways share them, and a logout ends every copy of a cookie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, type Page } from '../../support/browser.ts';
import { startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait.ts';
import { echoOf, logIn, type Stage, startStage } from './support.ts';

const NO_TIMEOUTS = { session_rolling_timeout: 0, session_idling_timeout: 0, session_absolute_timeout: 0 };

function inRedis(port: number, more: object = {}): object {
  return {
    session_storage: 'redis',
    redis: { host: '127.0.0.1', port, timeout: 5000 },
    session_secret: 's',
    logout_query_arg: 'logout',
    ...more,
  };
}

/** With a copy of a cookie, as a thief has it. */
function copy({ origin }: Stage, cookie: string, path = '/', method = 'GET'): Promise<Page> {
  const options = { method, redirects: 0, headers: { cookie: `session=${cookie}` } };
  return new Browser().visit(`${origin}${path}`, options);
}

test('one gateway begins a session, another takes it, and a logout ends it for all copies', async () => {
  await using redis = await startRedis();
  const config = inRedis(redis.port);
  await using one = await startStage({ config });
  await using two = await startStage({ config: { ...config, issuer: one.provider.issuer } });
  const browser = new Browser();
  const first = echoOf(await logIn(browser, `${one.origin}/`));
  const token = String(first.headers['authorization']).replace('Bearer ', '');
  const cookie = browser.cookie('session')?.value ?? '';
  assert.ok(cookie.length < 300, 'the tokens are not in the cookie');
  const echo = echoOf(await copy(two, cookie));
  assert.equal(echo.headers['authorization'], `Bearer ${token}`);

  const [key = ''] = /sluice:openid-connect:session:\S+/.exec(await redis.ask('KEYS', '*')) ?? [];
  const kept = await redis.ask('GET', key);
  assert.ok(kept.length > 100 && !kept.includes(token));
  assert.match(await redis.ask('PTTL', key), /^:[89]\d{5}\r\n$/, 'the time without a request');
  // What lies under another name is not taken.
  const [, stolen = ''] = kept.split('\r\n');
  await redis.ask('SET', `${key}x`, stolen);

  assert.equal((await copy(two, cookie, '/?logout', 'POST')).status, 302);
  for (const stage of [one, two]) assert.equal((await copy(stage, cookie)).status, 302, 'to a login');
  assert.equal(await redis.ask('EXISTS', key), ':0\r\n');
  await redis.ask('SET', key, stolen);
  assert.equal(echoOf(await copy(two, cookie)).headers['authorization'], `Bearer ${token}`);
  await redis.ask('SET', key, `${stolen.slice(0, -4)}AAAA`);
  assert.equal((await copy(two, cookie)).status, 302);
});

test('a refreshed session has its new tokens for all, and one that has ended stays so', async (t) => {
  await using redis = await startRedis();
  const config = inRedis(redis.port, NO_TIMEOUTS);
  await using stage = await startStage({ config, provider: { accessTokenTtl: 600 } });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  const first = echoOf(await logIn(browser, `${stage.origin}/`));
  const cookie = browser.cookie('session')?.value ?? '';
  t.mock.timers.tick(601_000);
  const second = echoOf(await copy(stage, cookie));
  assert.notEqual(second.headers['authorization'], first.headers['authorization']);
  const third = echoOf(await copy(stage, cookie));
  assert.equal(third.headers['authorization'], second.headers['authorization'], 'also with the older cookie');
  assert.equal(stage.provider.count('/token'), 2);
  t.mock.timers.tick(601_000);
  await Promise.all([
    copy(stage, cookie, '/?logout', 'POST'),
    ...Array.from({ length: 5 }, () => copy(stage, cookie)),
  ]);
  assert.equal((await copy(stage, cookie)).status, 302, 'a refresh brings nothing back');
  assert.equal(await redis.ask('DBSIZE'), ':0\r\n');
});

test('two gateways that refresh one session at once use its refresh token once', async (t) => {
  await using redis = await startRedis();
  const config = inRedis(redis.port, NO_TIMEOUTS);
  await using one = await startStage({ config, provider: { accessTokenTtl: 600 } });
  await using two = await startStage({ config: { ...config, issuer: one.provider.issuer } });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  await logIn(browser, `${one.origin}/`);
  const cookie = browser.cookie('session')?.value ?? '';
  await copy(two, cookie);
  for (let used = 2; used < 5; used++) {
    t.mock.timers.tick(601_000);
    const pages = await Promise.all([one, two, one, two].map((stage) => copy(stage, cookie)));
    const tokens = pages.map((page) => echoOf(page).headers['authorization']);
    assert.equal(new Set(tokens).size, 1);
    // The provider takes a second use for theft, and would end all of its tokens.
    assert.equal(one.provider.count('/token'), used);
  }
});

test('use of a session makes it last longer, and does not write its tokens again over newer ones', async (t) => {
  await using redis = await startRedis();
  await using stage = await startStage({ config: inRedis(redis.port) });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  const [key = ''] = /sluice:openid-connect:session:\S+/.exec(await redis.ask('KEYS', '*')) ?? [];
  const kept = await redis.ask('GET', key);
  await redis.ask('PEXPIRE', key, '60000');
  t.mock.timers.tick(200_000);
  echoOf(await copy(stage, browser.cookie('session')?.value ?? ''));
  await waitFor(async () => /^:[89]\d{5}\r\n$/.test(await redis.ask('PTTL', key)), { what: 'its time' });
  assert.equal(await redis.ask('GET', key), kept);
});

test('while the server is away a session is a fault and no refusal, and a logout is not said to be one', async () => {
  await using redis = await startRedis();
  await using stage = await startStage({ config: inRedis(redis.port) });
  const browser = new Browser();
  await logIn(browser, `${stage.origin}/`);
  const cookie = browser.cookie('session')?.value ?? '';
  await redis.kill();
  await waitFor(async () => (await copy(stage, cookie)).status === 500);
  assert.equal((await copy(stage, cookie, '/?logout', 'POST')).status, 503);
  const other = await logIn(new Browser(), `${stage.origin}/`);
  assert.equal(other.status, 500, 'no session can be begun');
  await redis.start();
  await waitFor(async () => (await logIn(new Browser(), `${stage.origin}/`)).status === 200);
});
