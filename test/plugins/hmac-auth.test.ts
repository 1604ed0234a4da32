/** hmac-auth through sockets. Facts: Kong 3.9's plugin and its tests. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type Echo, startEcho } from '../support/upstream.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const GUEST = '00000000-0000-4000-8000-00000000000b';
const BOB = '00000000-0000-4000-8000-00000000001a';

const consumer = (id: string, username: string): Record<string, unknown> => ({
  id,
  username,
  custom_id: null,
  tags: null,
  created_at: 1,
  updated_at: 1,
});
const credential = (id: string, fields: object): Record<string, unknown> => ({
  id,
  consumer: { id: ANNA },
  tags: null,
  created_at: 1,
  ...fields,
});

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  { kind: 'consumers', entity: consumer(ANNA, 'anna') },
  { kind: 'consumers', entity: consumer(GUEST, 'guest') },
  { kind: 'hmacauth_credentials', entity: credential(BOB, { username: 'bob', secret: 's3cret' }) },
  {
    kind: 'hmacauth_credentials',
    entity: credential('00000000-0000-4000-8000-00000000001b', { username: 'grün', secret: 'schlüssel' }),
  },
];

const DATE = new Date().toUTCString();
const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();
const SHORT = 'HMAC signature cannot be verified';
const NO_DATE = `${SHORT}, a valid date or x-date header is required for HMAC Authentication`;
const NOT_SAME = 'HMAC signature does not match';

interface Signing {
  readonly names?: string;
  readonly text?: string;
  readonly secret?: string;
  readonly algorithm?: string;
  readonly username?: string;
}

/** The value of an Authorization header. */
function signed({
  names = 'date',
  text = `date: ${DATE}`,
  secret = 's3cret',
  algorithm = 'hmac-sha256',
  username = 'bob',
}: Signing = {}): string {
  const bytes = Buffer.from(text, 'latin1');
  const value = createHmac(algorithm.replace('hmac-', ''), secret).update(bytes).digest('base64');
  const name = Buffer.from(username).toString('latin1');
  return `hmac username="${name}", algorithm="${algorithm}", headers="${names}", signature="${value}"`;
}

interface Asked {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** An error's message, or the upstream's echo. */
type Body = { readonly message?: string } & Echo;

async function ask(
  plane: TestPlane,
  { line = 'GET /a?b=c HTTP/1.1', headers = [], body = '' }: Asked,
): Promise<{ status: number; body: Body; challenge: string | undefined }> {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const head = [line, 'Host: a.test:8000', ...length, ...headers].join('\r\n');
  const { responses } = await rawRequest(plane.port, `${head}\r\n\r\n${body}`);
  const text = responses[0]?.text() ?? '';
  return {
    status: responses[0]?.status ?? 0,
    body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body,
    challenge: responses[0]?.headers.find(([name]) => name.toLowerCase() === 'www-authenticate')?.[1],
  };
}

const auth = (signing?: Signing): string => `Authorization: ${signed(signing)}`;
const dated = (...headers: string[]): Asked => ({ headers: [`Date: ${DATE}`, ...headers] });
type Case = readonly [what: string, asked: Asked, message: string | null];

async function play(config: object, cases: readonly Case[]): Promise<void> {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'hmac-auth', config }],
  });
  for (const [what, asked, message] of cases) {
    const answer = await ask(plane, asked);
    assert.equal(answer.status, message === null ? 200 : 401, `${what}: ${JSON.stringify(answer.body)}`);
    if (message === null) continue;
    assert.equal(answer.body.message, message, what);
    assert.equal(answer.challenge, 'hmac', what);
  }
}

const line = (text: string, rest: Partial<Asked> = {}): Asked => ({
  ...dated(auth({ names: 'request-line', text })),
  ...rest,
});

test('who has signed the request', async () => {
  await play({}, [
    ['nobody', dated(), 'Unauthorized'],
    ['no date', { headers: [auth()] }, NO_DATE],
    ['no date at all', { headers: ['Date: today', auth()] }, NO_DATE],
    ['an old date', { headers: [`Date: ${at(-400)}`, auth({ text: `date: ${at(-400)}` })] }, NO_DATE],
    ['a date to come', { headers: [`Date: ${at(400)}`, auth({ text: `date: ${at(400)}` })] }, NO_DATE],
    ['another scheme', dated('Authorization: Basic Ym9iOmE='), SHORT],
    ['an empty header', dated('Authorization:'), SHORT],
    ['no fields', dated('Authorization: hmac username'), SHORT],
    ['a good one', dated(auth()), null],
    ['in Proxy-Authorization', dated(`Proxy-Authorization: ${signed()}`), null],
    [
      'the other header is of another scheme',
      dated('Authorization: hello', `Proxy-Authorization: ${signed()}`),
      null,
    ],
    ['the first header is of another scheme', dated('Proxy-Authorization: hmac username', auth()), null],
    [
      'both, the first does not match',
      dated(`Proxy-Authorization: ${signed({ secret: 'x' })}`, auth()),
      NOT_SAME,
    ],
    ['two lines: the first', dated(auth(), auth({ secret: 'x' })), null],
    ['SHA-1', dated(auth({ algorithm: 'hmac-sha1' })), null],
    ['SHA-384', dated(auth({ algorithm: 'hmac-sha384' })), null],
    ['SHA-512', dated(auth({ algorithm: 'hmac-sha512' })), null],
    ['MD5', dated(auth({ algorithm: 'hmac-md5' })), SHORT],
    ['nobody has that name', dated(auth({ username: 'bobby' })), SHORT],
    ['a name and a secret beyond ASCII', dated(auth({ username: 'grün', secret: 'schlüssel' })), null],
    ['another secret', dated(auth({ secret: 'other' })), NOT_SAME],
    ['an empty secret', dated(auth({ secret: '' })), NOT_SAME],
    ['no base64', dated(auth().replace(/signature="[^"]*"/, 'signature="!!!"')), NOT_SAME],
    ['a signature cut short', dated(auth().replace(/.{8}"$/, '"')), NOT_SAME],
    [
      'an X-Date beside a Date that is none',
      { headers: [`X-Date: ${DATE}`, 'Date: today', auth({ names: 'x-date', text: `x-date: ${DATE}` })] },
      null,
    ],
    ['a Date beside an X-Date that is none', { headers: [`Date: ${DATE}`, 'X-Date: today', auth()] }, null],
    ['a date in the form of RFC 850', rfc850(), null],
  ]);
});

function rfc850(): Asked {
  const now = new Date();
  const [, day, month, year, time] = now.toUTCString().split(' ');
  const name = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'][
    now.getUTCDay()
  ];
  const date = `${name}, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
  return { headers: [`Date: ${date}`, auth({ text: `date: ${date}` })] };
}

test('what is signed', async () => {
  const many = (count: number): Signing => {
    const names = Array.from({ length: count }, () => 'date');
    return { names: names.join(' '), text: names.map((name) => `${name}: ${DATE}`).join('\n') };
  };
  await play({}, [
    ['the request line', line('GET /a?b=c HTTP/1.1'), null],
    ['the request line without its query', line('GET /a HTTP/1.1'), NOT_SAME],
    ['the request line of HTTP/1.0', line('GET /a?b=c HTTP/1.0', { line: 'GET /a?b=c HTTP/1.0' }), null],
    [
      'a target that is not normalized',
      line('GET /a/../b%2Fc?d=%20&d= HTTP/1.1', { line: 'GET /a/../b%2Fc?d=%20&d= HTTP/1.1' }),
      null,
    ],
    ['a question mark alone', line('GET /a? HTTP/1.1', { line: 'GET /a? HTTP/1.1' }), null],
    ['the target', dated(auth({ names: '@request-target', text: '@request-target: get /a?b=c' })), null],
    ['another target', dated(auth({ names: '@request-target', text: '@request-target: get /b' })), NOT_SAME],
    ['the host', dated(auth({ names: 'host', text: 'host: a.test:8000' })), null],
    ['a name in capitals', dated(auth({ names: 'HOST', text: 'HOST: a.test:8000' })), null],
    ['a header that is not there', dated(auth({ names: 'x-no', text: 'x-no:' })), null],
    [
      'a header that is there but was not signed so',
      dated('X-No: a', auth({ names: 'x-no', text: 'x-no:' })),
      NOT_SAME,
    ],
    ['a header that stands twice', dated('X-A: 1', 'X-A: 2', auth({ names: 'x-a', text: 'x-a: 1' })), null],
    ['bytes beyond ASCII', dated('X-A: \xe9', auth({ names: 'x-a', text: 'x-a: \xe9' })), null],
    [
      'the length',
      {
        ...dated(auth({ names: 'content-length', text: 'content-length: 2' })),
        line: 'POST / HTTP/1.1',
        body: 'ab',
      },
      null,
    ],
    [
      'a hop-by-hop header',
      dated('Connection: close', auth({ names: 'connection', text: 'connection: close' })),
      null,
    ],
    [
      'a header called request-line',
      dated('request-line: x', auth({ names: 'request-line', text: 'request-line: x' })),
      null,
    ],
    ['many names', dated(auth(many(64))), null],
    ['too many names', dated(auth(many(65))), SHORT],
  ]);
});

test('an old signature does not become young by a date that it does not cover', async () => {
  const old = at(-3600);
  const by = (names: string, text: string): string => auth({ names, text });
  await play({ enforce_headers: ['date'] }, [
    ['replayed', { headers: [`Date: ${old}`, by('date', `date: ${old}`)] }, NO_DATE],
    [
      'with a new date',
      { headers: [`Date: ${old}`, `X-Date: ${DATE}`, by('date', `date: ${old}`)] },
      NO_DATE,
    ],
    ['in other letters', { headers: [`Date: ${old}`, `X-Date: ${DATE}`, by('Date', `Date: ${old}`)] }, SHORT],
    [
      'one of two that are signed is timely',
      {
        headers: [`Date: ${old}`, `X-Date: ${DATE}`, by('date x-date', `date: ${old}\nx-date: ${DATE}`)],
      },
      null,
    ],
  ]);
  await play({}, [
    [
      'in other letters',
      { headers: [`Date: ${old}`, `X-Date: ${DATE}`, by('Date', `Date: ${old}`)] },
      NO_DATE,
    ],
  ]);
});

test('what must be signed, and with what', async () => {
  const both = { names: 'date @request-target', text: `date: ${DATE}\n@request-target: get /a?b=c` };
  await play(
    { enforce_headers: ['date', '@request-target'], algorithms: ['hmac-sha512'], clock_skew: 5000 },
    [
      ['not all', dated(auth({ algorithm: 'hmac-sha512' })), SHORT],
      ['all', dated(auth({ ...both, algorithm: 'hmac-sha512' })), null],
      ['another algorithm', dated(auth(both)), SHORT],
    ],
  );
});

test('the body is what the digest tells', async () => {
  const digestOf = (body: string): string => `SHA-256=${createHash('sha256').update(body).digest('base64')}`;
  const post = (body: string, ...digest: string[]): Asked => ({
    ...dated(auth(), ...digest),
    line: 'POST / HTTP/1.1',
    body,
  });
  const signs = (body: string): Signing => ({ names: 'digest', text: `digest: ${digestOf(body)}` });
  await play({ validate_request_body: true }, [
    ['no body, no digest', dated(auth()), null],
    ['no body, a digest', dated(auth(), `Digest: ${digestOf('')}`), null],
    ['a body without a digest', post('hello'), NOT_SAME],
    ['a body with its digest', post('hello', `Digest: ${digestOf('hello')}`), null],
    ['another body', post('hella', `Digest: ${digestOf('hello')}`), NOT_SAME],
    [
      'another algorithm',
      post('hello', `Digest: MD5=${createHash('md5').update('hello').digest('base64')}`),
      NOT_SAME,
    ],
    [
      'a digest that is signed',
      {
        ...dated(auth(signs('hello')), `Digest: ${digestOf('hello')}`),
        line: 'POST / HTTP/1.1',
        body: 'hello',
      },
      null,
    ],
    [
      'another digest than was signed',
      {
        ...dated(auth(signs('hello')), `Digest: ${digestOf('hella')}`),
        line: 'POST / HTTP/1.1',
        body: 'hella',
      },
      NOT_SAME,
    ],
  ]);
});

test('the upstream has the body, not the signature, and is told who it is', async () => {
  await using upstream = await startEcho();
  const config = { anonymous: GUEST, hide_credentials: true, validate_request_body: true };
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'hmac-auth', config }],
  });
  const body = 'x'.repeat(100_000);
  const digest = `Digest: SHA-256=${createHash('sha256').update(body).digest('base64')}`;
  const known = await ask(plane, {
    ...dated('X-Consumer-ID: root', digest, auth()),
    line: 'POST / HTTP/1.1',
    body,
  });
  const echo = known.body;
  assert.deepEqual(
    ['x-consumer-id', 'x-consumer-username', 'x-credential-identifier', 'authorization'].map(
      (name) => echo.headers[name],
    ),
    [ANNA, 'anna', 'bob', undefined],
  );
  assert.equal(echo.bodySha256, createHash('sha256').update(body).digest('hex'));
  const guest = (await ask(plane, dated('X-Credential-Identifier: root', auth({ secret: 'x' })))).body;
  assert.deepEqual(
    ['x-consumer-username', 'x-credential-identifier', 'x-anonymous-consumer'].map(
      (name) => guest.headers[name],
    ),
    ['guest', undefined, 'true'],
  );
});

test('a signature ends with its credential', async () => {
  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'hmac-auth' }],
  });
  const message = async (): Promise<string> => (await ask(plane, dated(auth()))).body.message ?? 'let in';
  assert.equal(await message(), 'let in');
  plane.directory.put('hmacauth_credentials', credential(BOB, { username: 'bob', secret: 'other' }));
  assert.equal(await message(), NOT_SAME);
  plane.directory.put('hmacauth_credentials', credential(BOB, { username: 'bob', secret: null }));
  assert.equal(await message(), SHORT);
  plane.directory.put('hmacauth_credentials', credential(BOB, { username: 'bob', secret: 's3cret' }));
  assert.equal(await message(), 'let in');
  plane.directory.remove('hmacauth_credentials', BOB);
  assert.equal(await message(), SHORT);
});
