/** jwt through sockets. Facts: Kong 3.9's plugin and its tests. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { hmac, rsa, token } from '../support/tokens.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const GUEST = '00000000-0000-4000-8000-00000000000b';
const row = (number: number): string =>
  `00000000-0000-4000-8000-0000000001${String(number).padStart(2, '0')}`;

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: { export: (options: object) => string | Buffer }): string =>
  String(key.export({ type: 'spki', format: 'pem' }));
const RSA_PEM = pem(pair.publicKey);

const consumer = (id: string, username: string): object => ({
  id,
  username,
  custom_id: null,
  tags: null,
  created_at: 1,
  updated_at: 1,
});
const secret = (number: number, fields: object): NonNullable<PlaneOptions['entities']>[number] => ({
  kind: 'jwt_secrets',
  entity: {
    id: row(number),
    consumer: { id: ANNA },
    created_at: 1,
    tags: null,
    secret: null,
    rsa_public_key: null,
    algorithm: 'HS256',
    ...fields,
  },
});

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  { kind: 'consumers', entity: consumer(ANNA, 'anna') as never },
  { kind: 'consumers', entity: consumer(GUEST, 'guest') as never },
  secret(1, { key: 'hs', secret: 's3cret' }),
  secret(2, { key: 'rs', rsa_public_key: RSA_PEM, algorithm: 'RS256' }),
  secret(3, { key: 'es', rsa_public_key: pem(ec.publicKey), algorithm: 'ES256' }),
  secret(4, { key: 'wrong-kind', rsa_public_key: pem(ec.publicKey), algorithm: 'RS256' }),
  secret(5, { key: 'no-key', algorithm: 'ES384' }),
  secret(6, { key: 'lost', secret: 's3cret', consumer: { id: '00000000-0000-4000-8000-0000000000ff' } }),
  secret(7, {
    key: 'private',
    rsa_public_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    algorithm: 'RS256',
  }),
  secret(8, { key: 'grün', secret: 's3cret' }),
];

const HS = hmac('sha256', 's3cret');
const signed = (claims: unknown, header: object = {}): string =>
  token({ typ: 'JWT', alg: 'HS256', ...header }, claims, HS);
const GOOD = signed({ iss: 'hs' });
const now = Math.floor(Date.now() / 1000);

/** An error's message, or the upstream's echo. */
type Body = { readonly message?: string } & Echo;

async function ask(
  plane: TestPlane,
  { target = '/', headers = '', method = 'GET' }: { target?: string; headers?: string; method?: string },
): Promise<{ status: number; body: Body; challenge: string | undefined }> {
  const { responses } = await rawRequest(
    plane.port,
    `${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${headers}\r\n`,
  );
  const [response] = responses;
  const text = response?.text() ?? '';
  return {
    status: response?.status ?? 0,
    body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body,
    challenge: response?.headers.find(([name]) => name.toLowerCase() === 'www-authenticate')?.[1],
  };
}

const bearer = (text: string): { headers: string } => ({ headers: `Authorization: Bearer ${text}\r\n` });
type Case = readonly [what: string, asked: Parameters<typeof ask>[1], message: string | object | null];

async function play(config: object, cases: readonly Case[]): Promise<void> {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'jwt', config }],
  });
  // Twice: what was verified is remembered, and must not change the answer.
  for (const [what, asked, message] of [...cases, ...cases]) {
    const answer = await ask(plane, asked);
    assert.equal(answer.status, message === null ? 200 : 401, what);
    if (message === null) continue;
    assert.deepEqual(answer.body, typeof message === 'string' ? { message } : message, what);
  }
}

test('where a token may be, and how many', async () => {
  await play(
    {
      uri_param_names: ['jwt', 'token'],
      cookie_names: ['crumble'],
      header_names: ['authorization', 'x-token'],
    },
    [
      ['nowhere', {}, 'Unauthorized'],
      ['another scheme', { headers: 'Authorization: Basic abc\r\n' }, 'Unauthorized'],
      ['a scheme alone', { headers: 'Authorization: Bearer\r\n' }, 'Unauthorized'],
      ['a scheme and spaces', { headers: 'Authorization: Bearer   \r\n' }, 'Unauthorized'],
      ['an empty argument', { target: '/?jwt=' }, 'Unauthorized'],
      ['an empty cookie', { headers: 'Cookie: crumble=\r\n' }, 'Unauthorized'],
      ['a header', bearer(GOOD), null],
      ['a scheme in lower case', { headers: `Authorization: bearer ${GOOD}\r\n` }, null],
      ['more spaces', { headers: `Authorization: Bearer   ${GOOD}\r\n` }, null],
      ['another header', { headers: `X-Token: Bearer ${GOOD}\r\n` }, null],
      ['an argument', { target: `/?jwt=${GOOD}` }, null],
      ['another argument', { target: `/?token=${GOOD}` }, null],
      ['a cookie', { headers: `Cookie: a=b; crumble=${GOOD}; c=d\r\n` }, null],
      ['two cookies', { headers: `Cookie: crumble=${GOOD}; crumble=x\r\n` }, 'Multiple tokens provided'],
      [
        'cookies of two lines',
        { headers: `Cookie: crumble=${GOOD}\r\nCookie: crumble=x\r\n` },
        'Multiple tokens provided',
      ],
      ['the same in three places', { target: `/?jwt=${GOOD}&jwt=${GOOD}`, ...bearer(GOOD) }, null],
      [
        'two of them',
        { target: `/?jwt=${signed({ iss: 'hs', a: 1 })}`, ...bearer(GOOD) },
        'Multiple tokens provided',
      ],
      ['two in the query', { target: `/?jwt=a&jwt=b` }, 'Multiple tokens provided'],
      [
        'two header lines, of which the upstream may believe the second',
        { headers: `${bearer(GOOD).headers}${bearer('x').headers}` },
        'Multiple tokens provided',
      ],
      ['a line of another scheme', { headers: `Authorization: Basic eA==\r\n${bearer(GOOD).headers}` }, null],
    ],
  );
});

const hsWithRsaKey = token({ alg: 'HS256' }, { iss: 'rs' }, hmac('sha256', RSA_PEM));

test('whose token it is, and whether it is', async () => {
  await play({}, [
    ['no dots', bearer('abc'), 'Bad token; invalid JSON'],
    ['huge and no token', bearer('x'.repeat(6000)), 'Bad token; invalid JSON'],
    ['alg none', bearer(`${GOOD.split('.').slice(0, 2).join('.')}.`), 'Invalid signature'],
    [
      'alg: none',
      bearer(token({ alg: 'none' }, { iss: 'hs' }, () => Buffer.alloc(0))),
      'Bad token; invalid alg',
    ],
    ['no key claim', bearer(signed({ sub: 'hs' })), "No mandatory 'iss' in claims"],
    ['null as key claim', bearer(signed({ iss: null })), "No mandatory 'iss' in claims"],
    ['an empty key claim', bearer(signed({ iss: '' })), "Invalid 'iss' in claims"],
    ['a number as key claim', bearer(signed({ iss: 12 })), "No credentials found for given 'iss'"],
    ['a list as key claim', bearer(signed({ iss: ['hs'] })), "No credentials found for given 'iss'"],
    ['an unknown key', bearer(signed({ iss: 'nobody' })), "No credentials found for given 'iss'"],
    ['the key in the header', bearer(signed({}, { iss: 'hs' })), null],
    [
      'claims go before the header',
      bearer(signed({ iss: 'nobody' }, { iss: 'hs' })),
      "No credentials found for given 'iss'",
    ],
    ['a key beyond ASCII', bearer(signed({ iss: 'grün' })), null],
    [
      'another secret',
      bearer(token({ alg: 'HS256' }, { iss: 'hs' }, hmac('sha256', 'other'))),
      'Invalid signature',
    ],
    [
      'an empty secret',
      bearer(token({ alg: 'HS256' }, { iss: 'hs' }, hmac('sha256', ''))),
      'Invalid signature',
    ],
    [
      'another algorithm',
      bearer(token({ alg: 'HS512' }, { iss: 'hs' }, hmac('sha512', 's3cret'))),
      'Invalid algorithm',
    ],
    ['RS256', bearer(token({ alg: 'RS256' }, { iss: 'rs' }, rsa('sha256', pair.privateKey))), null],
    [
      'RS256 of another key',
      bearer(token({ alg: 'RS256' }, { iss: 'rs' }, rsa('sha256', other.privateKey))),
      'Invalid signature',
    ],
    ['the public key as an HMAC secret', bearer(hsWithRsaKey), 'Invalid algorithm'],
    [
      'a private key as the public one',
      bearer(token({ alg: 'RS256' }, { iss: 'private' }, rsa('sha256', pair.privateKey))),
      null,
    ],
    [
      "the other consumer's algorithm",
      bearer(token({ alg: 'RS256' }, { iss: 'hs' }, rsa('sha256', pair.privateKey))),
      'Invalid algorithm',
    ],
    [
      'an ES256 signature in DER',
      bearer(token({ alg: 'ES256' }, { iss: 'es' }, rsa('sha256', ec.privateKey))),
      'Invalid signature',
    ],
    [
      'a key of another kind',
      bearer(token({ alg: 'RS256' }, { iss: 'wrong-kind' }, rsa('sha256', pair.privateKey))),
      'Invalid key/secret',
    ],
    [
      'no key at all',
      bearer(token({ alg: 'ES384' }, { iss: 'no-key' }, () => Buffer.alloc(96))),
      'Invalid key/secret',
    ],
    [
      "a key in the token (jwk) is nobody's",
      bearer(
        token(
          { alg: 'RS256', jwk: createPublicKey(other.privateKey).export({ format: 'jwk' }) },
          { iss: 'rs' },
          rsa('sha256', other.privateKey),
        ),
      ),
      'Invalid signature',
    ],
    [
      'something critical',
      bearer(signed({ iss: 'hs' }, { crit: ['exp'] })),
      'Bad token; unsupported critical header',
    ],
    ['a consumer that is gone', bearer(signed({ iss: 'lost' })), "Could not find consumer for 'iss=lost'"],
    [
      'changed claims',
      bearer(GOOD.replace(/\.[^.]+\./, `.${signed({ iss: 'hs', admin: true }).split('.')[1]}.`)),
      'Invalid signature',
    ],
    ['past its end, which nobody asks for', bearer(signed({ iss: 'hs', exp: 1 })), null],
  ]);
});

test('its times', async () => {
  const number = 'must be a number';
  await play({ claims_to_verify: ['exp', 'nbf'], maximum_expiration: 3600 }, [
    ['neither', bearer(signed({ iss: 'hs' })), { exp: number, nbf: number }],
    ['both', bearer(signed({ iss: 'hs', exp: now + 600, nbf: now - 5 })), null],
    ['fractions', bearer(signed({ iss: 'hs', exp: now + 600.5, nbf: now - 5.5 })), null],
    ['over', bearer(signed({ iss: 'hs', exp: now - 1, nbf: 0 })), { exp: 'token expired' }],
    ['before 1970', bearer(signed({ iss: 'hs', exp: -1, nbf: -1 })), { exp: 'token expired' }],
    [
      'not yet',
      bearer(signed({ iss: 'hs', exp: now + 600, nbf: now + 300 })),
      { nbf: 'token not valid yet' },
    ],
    ['as texts', bearer(signed({ iss: 'hs', exp: `${now + 600}`, nbf: '0' })), { exp: number, nbf: number }],
    ['null', bearer(signed({ iss: 'hs', exp: null, nbf: null })), { exp: number, nbf: number }],
    [
      'too far away',
      bearer(signed({ iss: 'hs', exp: now + 7200, nbf: 0 })),
      { exp: 'exceeds maximum allowed expiration' },
    ],
    [
      'huge',
      bearer(signed({ iss: 'hs', exp: 1e300, nbf: 0 })),
      { exp: 'exceeds maximum allowed expiration' },
    ],
    ['beyond all numbers', bearer(rawSigned('{"iss":"hs","exp":1e999,"nbf":0}')), { exp: number }],
  ]);
});

function rawSigned(claims: string): string {
  const input = [JSON.stringify({ alg: 'HS256' }), claims]
    .map((text) => Buffer.from(text).toString('base64url'))
    .join('.');
  return `${input}.${HS(input).toString('base64url')}`;
}

test('another claim, secrets in base64, a realm', async () => {
  const padded = Buffer.from('s3cret');
  const credentials = [
    secret(11, { key: 'b64', secret: padded.toString('base64') }),
    secret(12, { key: 'bad', secret: 'no base64!' }),
  ];
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: [...ENTITIES, ...credentials],
    plugins: [{ name: 'jwt', config: { key_claim_name: 'kid', secret_is_base64: true, realm: 'here' } }],
  });
  assert.equal((await ask(plane, bearer(signed({ kid: 'b64' })))).status, 200);
  assert.equal((await ask(plane, bearer(signed({}, { kid: 'b64' })))).status, 200);
  const bad = await ask(plane, bearer(signed({ kid: 'bad' })));
  assert.deepEqual(
    [bad.body.message, bad.challenge],
    ['Invalid key/secret', 'Bearer realm="here", error="invalid_token"'],
  );
  const none = await ask(plane, {});
  assert.equal(none.challenge, 'Bearer realm="here"');
});

test('the upstream is told who it is, whatever the client says', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'jwt', config: { anonymous: 'guest' } }],
  });
  const spoofed =
    'X-Consumer-ID: root\r\nX-Consumer-Username: root\r\nX-Credential-Identifier: root\r\nX-Anonymous-Consumer: true\r\n';
  const known = (await ask(plane, { headers: spoofed + bearer(GOOD).headers })).body;
  assert.deepEqual(
    ['x-consumer-id', 'x-consumer-username', 'x-credential-identifier', 'x-anonymous-consumer'].map(
      (name) => known.headers[name],
    ),
    [ANNA, 'anna', 'hs', undefined],
  );
  const guest = (await ask(plane, { headers: spoofed + bearer('x.y.z').headers })).body;
  assert.deepEqual(
    ['x-consumer-id', 'x-consumer-username', 'x-credential-identifier', 'x-anonymous-consumer'].map(
      (name) => guest.headers[name],
    ),
    [GUEST, 'guest', undefined, 'true'],
  );
});

test('preflight requests pass only where they are said to', async () => {
  await using upstream = await startEcho();
  for (const [preflight, status] of [
    [false, 200],
    [true, 401],
  ] as const) {
    await using plane = await startPlane(upstream.port, {
      plugins: [{ name: 'jwt', config: { run_on_preflight: preflight } }],
    });
    assert.equal((await ask(plane, { method: 'OPTIONS' })).status, status);
    assert.equal((await ask(plane, {})).status, 401);
  }
});

test('a token ends with its credential: deleted, with another secret, with another algorithm, and comes back with it', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins: [{ name: 'jwt' }] });
  const message = async (): Promise<string> => {
    const { status, body } = await ask(plane, bearer(GOOD));
    return status === 200 ? 'let in' : (body.message ?? '');
  };
  const put = (fields: object): void => plane.directory.put('jwt_secrets', secret(1, fields).entity);
  assert.equal(await message(), 'let in');
  plane.directory.remove('jwt_secrets', row(1));
  assert.equal(await message(), "No credentials found for given 'iss'");
  put({ key: 'hs', secret: 'other' });
  assert.equal(await message(), 'Invalid signature');
  put({ key: 'hs', secret: 's3cret' });
  assert.equal(await message(), 'let in');
  put({ key: 'hs', secret: 's3cret', algorithm: 'HS384' });
  assert.equal(await message(), 'Invalid algorithm');
  put({ key: 'renamed', secret: 's3cret' });
  assert.equal(await message(), "No credentials found for given 'iss'");
  put({ key: 'hs', secret: 's3cret', consumer: { id: GUEST } });
  const { body } = await ask(plane, bearer(GOOD));
  assert.equal(body.headers['x-consumer-username'], 'guest');
  plane.directory.remove('consumers', GUEST);
  assert.equal(await message(), "Could not find consumer for 'iss=hs'");
});
