/** oauth2's endpoints through sockets. Facts: Kong 3.9's plugin and its tests, RFC 6749 and RFC 7636. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEcho } from '../support/upstream.ts';
import {
  APP,
  type Fields,
  type Form,
  HTTPS,
  KEY,
  type Oauth2Plane,
  SERVICE,
  startOauth2,
  URI,
} from './support/oauth2.ts';

const CLIENT = { client_id: 'app', client_secret: 'app-secret' };
/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;

const ASK = { provision_key: KEY, authenticated_userid: 'user-1', client_id: 'app', response_type: 'code' };

function redirected(body: { redirect_uri: string }): Record<string, string> {
  assert.ok(body.redirect_uri.startsWith('https://app.test/'), JSON.stringify(body));
  return Object.fromEntries(new URL(body.redirect_uri).searchParams);
}

const mismatch =
  'Invalid redirect_uri that does not match with any redirect_uri created with the application';

type Refused = readonly [what: string, form: Form, error: string, description: string];

/** Refused before it is known where to send the browser. */
const REFUSED: readonly Refused[] = [
  ['nothing', {}, 'invalid_provision_key', 'Invalid provision_key'],
  ['a wrong key', { ...ASK, provision_key: 'x' }, 'invalid_provision_key', 'Invalid provision_key'],
  [
    'two keys',
    [...Object.entries(ASK), ['provision_key', KEY]],
    'invalid_provision_key',
    'Invalid provision_key',
  ],
  [
    'no user',
    { ...ASK, authenticated_userid: '' },
    'invalid_authenticated_userid',
    'Missing authenticated_userid parameter',
  ],
  [
    'a user of spaces',
    { ...ASK, authenticated_userid: '  ' },
    'invalid_authenticated_userid',
    'Missing authenticated_userid parameter',
  ],
  ['no client', { ...ASK, client_id: '' }, 'invalid_client', 'Invalid client authentication'],
  ['an unknown client', { ...ASK, client_id: 'who' }, 'invalid_client', 'Invalid client authentication'],
  [
    'a client without a place to go',
    { ...ASK, client_id: 'bare' },
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'two states',
    [...Object.entries(ASK), ['state', 'a'], ['state', 'b']],
    'invalid_request',
    'state must not be repeated',
  ],
];

/** Told to the client, through the browser. */
const SENT_BACK: readonly Refused[] = [
  ['no type', { ...ASK, response_type: '' }, 'unsupported_response_type', 'Invalid response_type'],
  ['a scope that is none', { ...ASK, scope: 'email wot' }, 'invalid_scope', '"wot" is an invalid scope'],
  [
    'two scopes',
    [...Object.entries(ASK), ['scope', 'email'], ['scope', 'phone']],
    'invalid_scope',
    'scope must be a string',
  ],
  ['another URI', { ...ASK, redirect_uri: 'https://evil.test/' }, 'invalid_request', mismatch],
  ['a longer URI', { ...ASK, redirect_uri: `${URI}&x` }, 'invalid_request', mismatch],
  ['a URI in other case', { ...ASK, redirect_uri: URI.toUpperCase() }, 'invalid_request', mismatch],
  [
    'two URIs',
    [...Object.entries(ASK), ['redirect_uri', URI], ['redirect_uri', URI]],
    'invalid_request',
    mismatch,
  ],
  [
    'a method without a challenge',
    { ...ASK, code_challenge_method: 'S256' },
    'invalid_request',
    'code_challenge is required when code_method is present',
  ],
  [
    'the method plain',
    { ...ASK, code_challenge: VERIFIER, code_challenge_method: 'plain' },
    'invalid_request',
    'code_challenge_method is not supported, must be S256',
  ],
  [
    'a public client without a challenge',
    { ...ASK, client_id: 'public' },
    'invalid_request',
    'code_challenge is required for public clients',
  ],
];

test('what authorize refuses', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  for (const [what, form, error, description] of REFUSED) {
    const { status, body, header } = await oauth2.authorize(form);
    assert.deepEqual(
      { status, body },
      { status: 400, body: { error, error_description: description } },
      what,
    );
    assert.equal(header('cache-control'), 'no-store', what);
    assert.equal(header('pragma'), 'no-cache', what);
  }
  for (const [what, form, error, description] of SENT_BACK) {
    const { status, body } = await oauth2.authorize(form);
    assert.equal(status, 400, what);
    assert.deepEqual(redirected(body), { kept: '1', error, error_description: description }, what);
  }
  assert.equal(oauth2.records.count('oauth2_authorization_codes'), 0);
  assert.equal(upstream.requests, 0);
});

test('a code is for its client, good once, and bound to the URI that it was asked for with', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  const state = 'a b\r\nSet-Cookie: x=1"<';
  const { status, body } = await oauth2.authorize({ ...ASK, scope: ' email  phone ', state });
  assert.equal(status, 200);
  const { code = '', ...rest } = redirected(body);
  assert.deepEqual(rest, { kept: '1', state });
  assert.match(code, /^[A-Za-z0-9]{32}$/);
  assert.equal(oauth2.records.last.get('oauth2_authorization_codes')?.ttlMs, 300_000);
  const redeem = { grant_type: 'authorization_code', code };
  const stolen = await oauth2.token({ ...redeem, client_id: 'other', client_secret: 'other-secret' });
  assert.deepEqual(
    [stolen.status, stolen.body],
    [400, { error: 'invalid_request', error_description: 'Invalid code' }],
  );
  const given = await oauth2.token({ ...CLIENT, ...redeem, state: 'back' });
  assert.equal(given.status, 200);
  assert.equal(given.header('cache-control'), 'no-store');
  const { access_token: access, refresh_token: refresh, ...told } = given.body;
  assert.deepEqual(told, { token_type: 'bearer', expires_in: 7200, state: 'back' });
  assert.match(access, /^[A-Za-z0-9]{32}$/);
  assert.match(refresh, /^[A-Za-z0-9]{32}$/);
  const { value, owners, ttlMs } = oauth2.records.last.get('oauth2_tokens') ?? assert.fail();
  assert.equal(ttlMs, 1_209_600_000);
  assert.equal(value['authenticated_userid'], 'user-1');
  assert.equal(value['scope'], 'email phone');
  assert.deepEqual(owners, [
    { kind: 'oauth2_credentials', id: APP },
    { kind: 'services', id: SERVICE },
  ]);
  const replayed = await oauth2.token({ ...CLIENT, ...redeem });
  assert.equal(replayed.body.error_description, 'Invalid code');
  const bound = await oauth2.code({ redirect_uri: URI });
  const second = { ...CLIENT, ...redeem, code: bound, redirect_uri: 'https://app.test/second' };
  assert.equal((await oauth2.token(second)).body.error_description, 'Invalid code');
  assert.equal((await oauth2.token({ ...second, redirect_uri: URI })).status, 200);
});

test('of many who redeem one code at once, one gets a token', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  const code = await oauth2.code();
  const redeem = { ...CLIENT, grant_type: 'authorization_code', code };
  const answers = await Promise.all(Array.from({ length: 10 }, () => oauth2.token(redeem)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(oauth2.records.count('oauth2_tokens'), 1);
  const { body } = answers.find(({ status }) => status === 200) ?? assert.fail();
  const again = { ...CLIENT, grant_type: 'refresh_token', refresh_token: body.refresh_token };
  const refreshed = await Promise.all(Array.from({ length: 10 }, () => oauth2.token(again)));
  assert.equal(refreshed.filter(({ status }) => status === 200).length, 1);
});

/** Beside what a code is redeemed with. */
const TOKEN_REFUSED: ReadonlyArray<
  readonly [what: string, form: Form, headers: string, status: number, error: string, description: string]
> = [
  ['nothing', {}, '', 400, 'invalid_client', 'Invalid client authentication'],
  ['no grant', CLIENT, '', 400, 'unsupported_grant_type', 'Invalid grant_type'],
  ['another grant', { ...CLIENT, grant_type: 'x' }, '', 400, 'unsupported_grant_type', 'Invalid grant_type'],
  [
    'a wrong secret',
    { client_id: 'app', client_secret: 'x', grant_type: 'client_credentials' },
    '',
    400,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'no secret',
    { client_id: 'app', grant_type: 'client_credentials' },
    '',
    400,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'a wrong secret in a header',
    { grant_type: 'client_credentials' },
    basic('app:x'),
    401,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'an unknown client in a header',
    { grant_type: 'authorization_code', code: 'x' },
    basic('who:x'),
    401,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'an unknown client that wants one for itself',
    { grant_type: 'client_credentials' },
    basic('who:x'),
    400,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'a header that is none',
    { grant_type: 'authorization_code' },
    'Authorization: Basic %%%\r\n',
    401,
    'invalid_client',
    'Invalid client authentication',
  ],
  [
    'a public client with a secret',
    { client_id: 'public', client_secret: 'x', grant_type: 'client_credentials' },
    '',
    400,
    'invalid_request',
    'client_secret is disallowed for public clients',
  ],
  [
    'a public client, of which everybody knows the name',
    { client_id: 'public', grant_type: 'client_credentials' },
    '',
    400,
    'unauthorized_client',
    'Public clients may not use the client_credentials grant',
  ],
  ['no code', { ...CLIENT, grant_type: 'authorization_code' }, '', 400, 'invalid_request', 'Invalid code'],
  [
    'a huge code',
    { ...CLIENT, grant_type: 'authorization_code', code: 'x'.repeat(100_000) },
    '',
    400,
    'invalid_request',
    'Invalid code',
  ],
  [
    'a URI of nobody',
    { ...CLIENT, grant_type: 'authorization_code', redirect_uri: 'https://x.test/' },
    '',
    400,
    'invalid_request',
    mismatch,
  ],
  [
    'a user without the provision key',
    { ...CLIENT, grant_type: 'client_credentials', authenticated_userid: 'u' },
    '',
    400,
    'invalid_provision_key',
    'Invalid provision_key',
  ],
  [
    'a scope that is none',
    { ...CLIENT, grant_type: 'client_credentials', scope: 'wot' },
    '',
    400,
    'invalid_scope',
    '"wot" is an invalid scope',
  ],
  [
    'a password without the provision key',
    { ...CLIENT, grant_type: 'password', authenticated_userid: 'u' },
    '',
    400,
    'invalid_provision_key',
    'Invalid provision_key',
  ],
  [
    'a password of nobody',
    { ...CLIENT, grant_type: 'password', provision_key: KEY },
    '',
    400,
    'invalid_authenticated_userid',
    'Missing authenticated_userid parameter',
  ],
  [
    'a refresh token that is none',
    { ...CLIENT, grant_type: 'refresh_token', refresh_token: 'x' },
    '',
    400,
    'invalid_request',
    'Invalid refresh_token',
  ],
  [
    'a user beyond all measure',
    {
      ...CLIENT,
      grant_type: 'password',
      provision_key: KEY,
      authenticated_userid: 'u'.repeat(70_000),
    },
    '',
    400,
    'invalid_request',
    'A parameter is too long',
  ],
];

test('what the token endpoint refuses', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  for (const [what, form, headers, wanted, error, description] of TOKEN_REFUSED) {
    const { status, body, header } = await oauth2.token(form, headers);
    assert.deepEqual({ status, ...body }, { status: wanted, error, error_description: description }, what);
    assert.equal(header('www-authenticate'), wanted === 401 ? 'Basic realm="OAuth2.0"' : undefined, what);
    assert.equal(header('cache-control'), 'no-store', what);
  }
  assert.equal(oauth2.records.count('oauth2_tokens'), 0);
  assert.equal(upstream.requests, 0);
});

test('clients for themselves, users by password, implicit tokens', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port);
  const own = await oauth2.token(
    { grant_type: 'client_credentials', scope: 'email' },
    basic('bare:bare-secret'),
  );
  assert.deepEqual([own.status, Object.keys(own.body)], [200, ['access_token', 'token_type', 'expires_in']]);
  assert.equal(oauth2.records.last.get('oauth2_tokens')?.ttlMs, 7_200_000);
  const named = { ...CLIENT, authenticated_userid: 'user-2', provision_key: KEY };
  assert.equal((await oauth2.token({ ...named, grant_type: 'client_credentials' })).status, 200);
  assert.equal(oauth2.records.last.get('oauth2_tokens')?.value['authenticated_userid'], 'user-2');
  const user = await oauth2.token({ ...named, grant_type: 'password' });
  assert.equal(typeof user.body.refresh_token, 'string');
  const { body } = await oauth2.authorize({ ...ASK, response_type: 'token', state: 's&x=1' });
  const [uri, fragment = ''] = body.redirect_uri.split('#');
  assert.equal(uri, URI);
  const told = Object.fromEntries(new URLSearchParams(fragment));
  assert.deepEqual(
    { ...told, access_token: null },
    {
      access_token: null,
      expires_in: '7200',
      state: 's&x=1',
      token_type: 'bearer',
    },
  );
});

async function pkce(oauth2: Oauth2Plane, ask: Fields, redeem: Fields): Promise<unknown> {
  const code = await oauth2.code(ask);
  const form = { grant_type: 'authorization_code', code, ...redeem };
  const { status, body } = await oauth2.token(form);
  return status === 200 ? 'token' : `${body.error}: ${body.error_description}`;
}

test('PKCE: who asked for the code redeems it', async () => {
  await using upstream = await startEcho();
  await using lax = await startOauth2(upstream.port);
  const asked = { code_challenge: CHALLENGE, code_challenge_method: 'S256' };
  const length = 'invalid_request: code_verifier must be between 43 and 128 characters';
  const cases: ReadonlyArray<readonly [ask: Fields, redeem: Fields, outcome: string]> = [
    [asked, { code_verifier: VERIFIER }, 'token'],
    [{ ...asked, code_challenge_method: 's256' }, { code_verifier: VERIFIER }, 'token'],
    [{ code_challenge: `${CHALLENGE}=` }, { code_verifier: VERIFIER }, 'token'],
    [asked, {}, 'invalid_request: code_verifier is required for PKCE authorization requests'],
    [asked, { code_verifier: 'x' }, length],
    [asked, { code_verifier: 'x'.repeat(129) }, length],
    [asked, { code_verifier: `${VERIFIER.slice(0, -1)}x` }, 'invalid_grant: Invalid code'],
    [asked, { code_verifier: CHALLENGE }, 'invalid_grant: Invalid code'],
  ];
  for (const [ask, redeem, outcome] of cases) {
    const what = JSON.stringify([ask, redeem]);
    assert.equal(await pkce(lax, ask, { ...CLIENT, ...redeem }), outcome, what);
    const open = { client_id: 'public', ...redeem };
    assert.equal(await pkce(lax, { ...ask, client_id: 'public' }, open), outcome, `${what}, public`);
  }
  assert.equal(await pkce(lax, {}, CLIENT), 'token');
  await using none = await startOauth2(upstream.port, { pkce: 'none' });
  assert.equal(await pkce(none, { client_id: 'public' }, { client_id: 'public' }), 'token');
  assert.match(String(await pkce(none, asked, CLIENT)), /code_verifier is required/);
  await using strict = await startOauth2(upstream.port, { pkce: 'strict' });
  const { body } = await strict.authorize(ASK);
  assert.equal(redirected(body)['error_description'], 'code_challenge is required for confidential clients');
});

test('refresh tokens: once, or again and again', async () => {
  await using upstream = await startEcho();
  for (const reuse of [false, true]) {
    await using oauth2 = await startOauth2(upstream.port, { reuse_refresh_token: reuse });
    const first = await oauth2.token({
      ...CLIENT,
      grant_type: 'authorization_code',
      code: await oauth2.code(),
    });
    const again = { ...CLIENT, grant_type: 'refresh_token', refresh_token: first.body.refresh_token };
    const theft = { ...again, client_id: 'other', client_secret: 'other-secret' };
    assert.equal((await oauth2.token(theft)).body.error, 'invalid_client');
    const next = await oauth2.token(again);
    assert.equal(next.status, 200);
    assert.equal(next.body.refresh_token === first.body.refresh_token, reuse);
    assert.notEqual(next.body.access_token, first.body.access_token);
    assert.equal(oauth2.records.count('oauth2_tokens'), 1);
    const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`;
    assert.equal((await oauth2.get(bearer(first.body.access_token))).status, 401);
    assert.equal((await oauth2.get(bearer(next.body.access_token))).status, 200);
    assert.equal((await oauth2.token(again)).status, reuse ? 200 : 400);
  }
});

test('a refresh token of one service leads to no token for all', async () => {
  await using upstream = await startEcho();
  for (const reuse of [false, true]) {
    const config = { global_credentials: true, reuse_refresh_token: reuse };
    await using oauth2 = await startOauth2(upstream.port, config);
    const named = { ...CLIENT, grant_type: 'password', provision_key: KEY, authenticated_userid: 'user-1' };
    await oauth2.token({ ...named, scope: 'email' });
    const { value } = oauth2.records.last.get('oauth2_tokens') ?? assert.fail();
    const refresh = async (service: string): Promise<number> => {
      const unique = { access_token: service, refresh_token: service };
      const row = { ...value, id: service, service: { id: service }, ...unique };
      await oauth2.records.put('oauth2_tokens', { key: service, value: row, unique });
      const form = { ...CLIENT, grant_type: 'refresh_token', refresh_token: service };
      return (await oauth2.token(form)).status;
    };
    assert.equal(await refresh(APP), 400);
    assert.equal(await refresh(SERVICE), 200);
    assert.deepEqual(oauth2.records.last.get('oauth2_tokens')?.value['service'], { id: SERVICE });
  }
});

test('a scope that must be asked for is not asked for by an empty one', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { mandatory_scope: true });
  for (const scope of ['', ' ']) {
    const { status, body } = await oauth2.token({ ...CLIENT, grant_type: 'client_credentials', scope });
    assert.deepEqual([status, body.error], [400, 'invalid_scope']);
  }
});

test('a token without an end has no refresh token', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { token_expiration: 0 });
  const { body } = await oauth2.token({
    ...CLIENT,
    grant_type: 'authorization_code',
    code: await oauth2.code(),
  });
  assert.deepEqual(Object.keys(body), ['access_token', 'token_type']);
  assert.equal(oauth2.records.last.get('oauth2_tokens')?.ttlMs, undefined);
});

test('HTTPS: of the connection, or of a trusted proxy that says so once', async () => {
  await using upstream = await startEcho();
  const ask = (headers: string): string => `POST /oauth2/token HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
  const must = 'You must use HTTPS';
  await using plain = await startOauth2(upstream.port, { accept_http_if_already_terminated: false });
  await using trusting = await startOauth2(upstream.port);
  await using stranger = await startOauth2(upstream.port, {}, { settings: { trusted_ips: '10.0.0.1' } });
  const cases = [
    [plain, HTTPS, must],
    [trusting, '', must],
    [trusting, 'X-Forwarded-Proto: http\r\n', must],
    [trusting, 'X-Forwarded-Proto: https, http\r\n', 'Only one X-Forwarded-Proto header allowed'],
    [trusting, HTTPS + HTTPS, 'Only one X-Forwarded-Proto header allowed'],
    [stranger, HTTPS, must],
  ] as const;
  for (const [oauth2, headers, description] of cases) {
    const { status, body } = await oauth2.send(ask(headers));
    assert.deepEqual([status, body], [400, { error: 'access_denied', error_description: description }]);
  }
  const { body } = await trusting.send(ask('X-Forwarded-Proto: HTTPS\r\n'));
  assert.equal(body.error, 'invalid_client');
});

test('methods, types of bodies, the query, and a store that is away', async () => {
  await using upstream = await startEcho();
  await using oauth2 = await startOauth2(upstream.port, { realm: 'r' });
  for (const [path, name] of [
    ['/a/oauth2/token', 'token'],
    ['/oauth2/token/', 'token'],
    ['/oauth2/authorize', 'authorization'],
  ] as const) {
    const { status, body, header } = await oauth2.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const description = `The HTTP method GET is invalid for the ${name} endpoint`;
    assert.deepEqual([status, body], [405, { error: 'invalid_method', error_description: description }]);
    assert.equal(
      header('www-authenticate'),
      `Bearer realm="r" error="invalid_method" error_description="${description}"`,
    );
  }
  const send = async (type: string, body: string, query = ''): Promise<string> => {
    const head = `POST /oauth2/token${query} HTTP/1.1\r\nHost: a\r\n${HTTPS}`;
    const length = Buffer.byteLength(body);
    const { status, body: answer } = await oauth2.send(
      `${head}Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
    return `${status} ${answer.error ?? ''}`;
  };
  const asked = { ...CLIENT, grant_type: 'client_credentials' };
  const form = new URLSearchParams(asked).toString();
  const part = ([name, value]: [string, string]): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const multipart = `${Object.entries(asked).map(part).join('')}--b--\r\n`;
  assert.equal(await send('application/json', JSON.stringify(asked)), '200 ');
  assert.equal(await send('multipart/form-data; boundary=b', multipart), '200 ');
  assert.equal(await send('text/plain', '', `?${form}`), '200 ');
  assert.equal(
    await send('application/x-www-form-urlencoded', 'client_id=who', `?${form}`),
    '400 invalid_client',
  );
  assert.equal(await send('text/plain', form), '400 invalid_client');
  assert.equal(await send('application/json', '{"client_id":'), '400 invalid_client');
  assert.equal(await send('application/json', '[]'), '400 invalid_client');
  const numbers = JSON.stringify({ ...asked, client_secret: { a: 1 }, client_id: ['app'] });
  assert.equal(await send('application/json', numbers), '400 invalid_client');
  oauth2.records.away = true;
  assert.equal((await oauth2.token(asked)).status, 503);
  assert.equal((await oauth2.get('Authorization: Bearer x\r\n')).status, 503);
});
