/** session through sockets, behind key-auth. Facts: Kong 3.9's plugin and its tests, RFC 6265. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mock, test } from 'node:test';
import { startPlane, type PlaneOptions, type TestPlane } from '../support/data-plane.ts';
import { MemoryRecords } from '../support/memory-records.ts';
import type { InlinePlugin } from '../support/plugins.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { answerBody, type AnswerBody } from './support/body.ts';

const ANNA = '00000000-0000-4000-8000-00000000000a';
const NOBODY = '00000000-0000-4000-8000-00000000000b';
const KEY = '00000000-0000-4000-8000-00000000001a';
const consumer = (id: string, username: string): { kind: string; entity: object } => ({
  kind: 'consumers',
  entity: { id, username, custom_id: null, tags: null, created_at: 1, updated_at: 1 },
});
const ENTITIES = [
  consumer(ANNA, 'anna'),
  consumer(NOBODY, 'nobody'),
  { kind: 'keyauth_credentials', entity: { id: KEY, consumer: { id: ANNA }, key: 'secret', created_at: 1 } },
] as unknown as NonNullable<PlaneOptions['entities']>;

const KEY_AUTH = { name: 'key-auth', config: { anonymous: 'nobody' } };

interface Visit {
  readonly status: number;
  readonly body: AnswerBody;
  readonly cookies: readonly string[];
  readonly header: (name: string) => string | undefined;
}

/** A browser: it keeps the cookies of its one host. */
class Browser {
  readonly jar = new Map<string, string>();
  readonly #plane: TestPlane;

  constructor(plane: TestPlane) {
    this.#plane = plane;
  }

  async go(headers = '', line = 'GET /', body = ''): Promise<Visit> {
    const cookies = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const cookie = cookies === '' ? '' : `Cookie: ${cookies}\r\n`;
    const { responses } = await rawRequest(
      this.#plane.port,
      `${line} HTTP/1.1\r\nHost: a\r\n${cookie}${headers}\r\n${body}`,
    );
    const [response] = responses;
    assert.ok(response !== undefined);
    const set = response.all('set-cookie');
    for (const text of set) this.#keep(text);
    return {
      status: response.status,
      body: answerBody(response.text()),
      cookies: set,
      header: (name) => response.header(name),
    };
  }

  #keep(line: string): void {
    const [pair = ''] = line.split(';', 1);
    const name = pair.slice(0, pair.indexOf('='));
    if (line.includes('Max-Age=0')) this.jar.delete(name);
    else this.jar.set(name, pair.slice(name.length + 1));
  }

  /** Closed and opened again. */
  restart(): void {
    this.jar.delete('session');
  }
}

interface Served extends AsyncDisposable {
  readonly plane: TestPlane;
  readonly browser: Browser;
  readonly records: MemoryRecords;
}

async function serve(
  upstreamPort: number,
  config: object = {},
  more: readonly InlinePlugin[] = [],
): Promise<Served> {
  const records = new MemoryRecords();
  const plane = await startPlane(upstreamPort, {
    entities: ENTITIES,
    records,
    settings: { database: 'sqlite' },
    plugins: [{ name: 'session', config: { secret: 'x', ...config } }, KEY_AUTH, ...more],
  });
  return {
    plane,
    records,
    browser: new Browser(plane),
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
}

const LOGIN = 'apikey: secret\r\n';
const consumerOf = ({ body }: Visit): unknown => body.headers['x-consumer-username'];

for (const storage of ['cookie', 'kong']) {
  test(`storage ${storage}: a cookie stands for the key`, async () => {
    await using upstream = await startEcho();
    await using served = await serve(upstream.port, { storage });
    const { browser, records } = served;
    assert.deepEqual((await browser.go()).cookies, []);
    const login = await browser.go(LOGIN);
    assert.equal(login.cookies.length, 1);
    assert.match(login.cookies[0] ?? '', /^session=1[\w-]+; Path=\/; SameSite=Strict; Secure; HttpOnly$/);
    const spoofed = 'X-Consumer-ID: x\r\nX-Authenticated-Groups: admin\r\nX_Credential_Identifier: x\r\n';
    const back = await browser.go(spoofed);
    assert.deepEqual(back.cookies, []);
    const { headers } = back.body;
    assert.equal(headers['x-consumer-id'], ANNA);
    assert.equal(headers['x-consumer-username'], 'anna');
    assert.equal(headers['x-credential-identifier'], KEY);
    assert.equal(headers['x-anonymous-consumer'], undefined);
    assert.equal(headers['x-authenticated-groups'], undefined);
    assert.equal(headers['x_credential_identifier'], undefined);
    assert.equal(records.count('sessions'), storage === 'kong' ? 1 : 0);
    const stolen = browser.jar.get('session') ?? '';
    const out = await browser.go('', 'POST /?session_logout');
    assert.equal(out.status, 200);
    assert.equal(out.body, '');
    assert.match(out.cookies[0] ?? '', /^session=; .*Max-Age=0$/);
    assert.equal(browser.jar.size, 0);
    assert.equal(records.count('sessions'), 0);
    browser.jar.set('session', stolen);
    assert.equal(consumerOf(await browser.go()), storage === 'kong' ? 'nobody' : 'anna');
  });
}

test('cookies that were changed, cut, made up, of other secrets, names and audiences', async () => {
  await using upstream = await startEcho();
  await using served = await serve(upstream.port);
  const { browser, plane } = served;
  await browser.go(LOGIN);
  const good = browser.jar.get('session') ?? '';
  const flipped = `${good.slice(0, 40)}${good[40] === 'A' ? 'B' : 'A'}${good.slice(41)}`;
  for (const bad of [
    '',
    'x',
    '1',
    '9',
    `2${good.slice(1)}`,
    flipped,
    good.slice(0, -1),
    `${good}A`,
    '"',
    '1%00',
  ]) {
    browser.jar.set('session', bad);
    assert.equal(consumerOf(await browser.go()), 'nobody', bad);
  }
  browser.jar.set('session', good);
  assert.equal(consumerOf(await browser.go()), 'anna');
  for (const config of [{ secret: 'y' }, { audience: 'b' }, { storage: 'kong' }]) {
    await using other = await serve(upstream.port, config);
    other.browser.jar.set('session', good);
    assert.equal(consumerOf(await other.browser.go()), 'nobody', JSON.stringify(config));
  }
  await using renamed = await serve(upstream.port, { remember: true, remember_cookie_name: 'session2x' });
  renamed.browser.jar.set('session2x', good);
  assert.equal(consumerOf(await renamed.browser.go()), 'nobody');
  // The session goes with its credential, and with its consumer.
  plane.directory.remove('keyauth_credentials', KEY);
  const gone = await browser.go();
  assert.equal(consumerOf(gone), 'nobody');
  assert.match(gone.cookies[0] ?? '', /Max-Age=0/);
});

test('timeouts: idle, renewed before the cookie ends, over in the end', async (t) => {
  let late = 0;
  const now = Date.now();
  mock.method(Date, 'now', () => now + late * 1000);
  t.after(() => mock.restoreAll());
  await using upstream = await startEcho();
  for (const storage of ['cookie', 'kong']) {
    const times = { idling_timeout: 100, rolling_timeout: 400, absolute_timeout: 1000, stale_ttl: 10 };
    await using served = await serve(upstream.port, { storage, ...times });
    const { browser } = served;
    const who = async (): Promise<unknown> => consumerOf(await browser.go());
    late = 0;
    await browser.go(LOGIN);
    const first = browser.jar.get('session') ?? '';
    late = 20;
    assert.deepEqual((await browser.go()).cookies, []);
    late = 60;
    assert.equal((await browser.go()).cookies.length, 1, 'the request is noted');
    late = 150;
    assert.equal(await who(), 'anna');
    late = 240;
    assert.equal(await who(), 'anna');
    late = 305;
    const old = browser.jar.get('session') ?? '';
    assert.equal(await who(), 'anna');
    assert.notEqual(browser.jar.get('session'), old, 'renewed');
    const fresh = browser.jar.get('session') ?? '';
    browser.jar.set('session', old);
    late = 310;
    assert.equal(await who(), 'anna', 'requests that are on their way');
    late = 320;
    browser.jar.set('session', old);
    assert.equal(await who(), storage === 'kong' ? 'nobody' : 'anna');
    browser.jar.set('session', first);
    assert.equal(await who(), 'nobody', 'idle');
    browser.jar.set('session', fresh);
    for (late = 390; late <= 1000; late += 90) assert.equal(await who(), 'anna', `${late}`);
    late = 1001;
    assert.equal(await who(), 'nobody', 'over');
  }
});

test('remember: a new session after the browser was closed', async (t) => {
  let late = 0;
  const now = Date.now();
  mock.method(Date, 'now', () => now + late * 1000);
  t.after(() => mock.restoreAll());
  await using upstream = await startEcho();
  for (const storage of ['cookie', 'kong']) {
    const times = { remember_rolling_timeout: 1000, remember_absolute_timeout: 1800 };
    await using served = await serve(upstream.port, { storage, cookie_persistent: true, ...times });
    const { browser, records } = served;
    late = 0;
    const login = await browser.go(LOGIN);
    assert.equal(login.cookies.length, 2);
    assert.match(
      login.cookies[1] ?? '',
      /^remember=1[\w-]+; Path=\/; SameSite=Strict; Secure; HttpOnly; Expires=.* GMT; Max-Age=1000$/,
    );
    await waitFor(() => records.count('sessions') === (storage === 'kong' ? 2 : 0));
    browser.restart();
    late = 900;
    const again = await browser.go();
    assert.equal(consumerOf(again), 'anna');
    assert.deepEqual(
      again.cookies.map((line) => line.split('=', 1)[0]),
      ['session', 'remember'],
    );
    assert.deepEqual((await browser.go()).cookies, []);
    browser.restart();
    late = 1801;
    assert.equal(consumerOf(await browser.go()), 'nobody', 'over in the end');
    late = 1700;
    assert.equal(consumerOf(await browser.go()), 'anna');
    await browser.go('', 'DELETE /?session_logout=1');
    assert.equal(browser.jar.size, 0);
  }
});

test('logout: which methods, queries and bodies', async () => {
  await using upstream = await startEcho();
  const form = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 16\r\n';
  const json = 'Content-Type: application/json\r\nContent-Length: 20\r\n';
  const cases = [
    [{}, 'GET /?session_logout', '', '', false],
    [{}, 'POST /?session_logout=', '', '', true],
    [{}, 'POST /?other', '', '', false],
    [{ logout_methods: ['GET'] }, 'GET /?session_logout', '', '', true],
    [{ logout_query_arg: 'bye' }, 'DELETE /?bye=1', '', '', true],
    [{}, 'POST /', form, 'session_logout=1', false],
    [{ read_body_for_logout: true }, 'POST /', form, 'session_logout=1', true],
    [{ read_body_for_logout: true }, 'POST /', json, '{"session_logout":1}', true],
    [{ read_body_for_logout: true, logout_post_arg: 'out' }, 'POST /', json, '{"session_logout":1}', false],
  ] as const;
  for (const [config, line, headers, body, ended] of cases) {
    await using served = await serve(upstream.port, config);
    await served.browser.go(LOGIN);
    const before = upstream.requests;
    const { status } = await served.browser.go(headers, line, body);
    assert.equal(status, 200);
    assert.equal(served.browser.jar.size, ended ? 0 : 1, line + JSON.stringify(config));
    assert.equal(upstream.requests - before, ended ? 0 : 1, line + JSON.stringify(config));
  }
});

const GROUPS: InlinePlugin = {
  name: 'grouping',
  priority: 1000,
  filters: {
    access(exchange) {
      if (exchange.consumer?.username === 'anna') exchange.authenticatedGroups ??= ['agents', 'dövble'];
    },
  },
};

test('groups, headers that tell of the session, and metadata', async () => {
  await using upstream = await startEcho();
  const told = [
    'id',
    'audience',
    'subject',
    'timeout',
    'idling-timeout',
    'rolling-timeout',
    'absolute-timeout',
  ];
  const config = { storage: 'kong', store_metadata: true, hash_subject: true };
  await using served = await serve(
    upstream.port,
    { ...config, response_headers: told, request_headers: told },
    [GROUPS],
  );
  const { browser, records } = served;
  const login = await browser.go(LOGIN);
  assert.match(login.header('session-id') ?? '', /^[\w-]{32}$/);
  assert.equal(login.header('session-subject'), 'anna');
  assert.equal(login.header('session-timeout'), '900');
  await waitFor(() => records.last.has('sessions'));
  const record = records.last.get('sessions') ?? assert.fail();
  assert.equal(record.value['audience'], 'default');
  assert.equal(record.value['subject'], createHash('sha256').update('anna').digest('base64url'));
  assert.deepEqual(record.owners, [{ kind: 'consumers', id: ANNA }]);
  assert.ok(!JSON.stringify(record).includes(login.header('session-id') ?? ''));
  const { body } = await browser.go('Session-Subject: evil\r\nSession_Subject: evil\r\n');
  assert.equal(body.headers['session_subject'], undefined);
  assert.equal(
    Buffer.from(String(body.headers['x-authenticated-groups']), 'latin1').toString(),
    'agents, dövble',
  );
  const seen = told.map((name) => body.headers[`session-${name}`]);
  assert.deepEqual(seen.slice(1, 3), ['default', 'anna']);
  assert.ok(
    seen.slice(3).every((text) => Number(text) > 800),
    String(seen),
  );
});

test('a session ends with the credential of a certificate, too', async () => {
  const certificate = '00000000-0000-4000-8000-00000000001c';
  const owner = { consumer: { id: ANNA }, ca_certificate: null, created_at: 1 };
  const row = { id: certificate, subject_name: 'anna', ...owner };
  const lets: InlinePlugin = {
    name: 'lets-in',
    priority: 1000,
    filters: {
      access(exchange) {
        if (!exchange.request.args.has('login')) return;
        const anna = { id: ANNA, username: 'anna', custom_id: null } as never;
        exchange.authenticate(anna, { id: certificate, consumerId: ANNA });
      },
    },
  };
  await using upstream = await startEcho();
  await using served = await serve(upstream.port, {}, [lets]);
  const { browser, plane } = served;
  plane.directory.put('mtls_auth_credentials', row);
  await browser.go('', 'GET /?login');
  assert.equal(consumerOf(await browser.go()), 'anna');
  plane.directory.remove('mtls_auth_credentials', certificate);
  assert.equal(consumerOf(await browser.go()), 'nobody');
});

test('a store that is away: the key still lets in, and no session is begun or taken', async () => {
  await using upstream = await startEcho();
  await using served = await serve(upstream.port, { storage: 'kong' });
  await served.browser.go(LOGIN);
  served.records.away = true;
  assert.equal(consumerOf(await served.browser.go()), 'nobody');
  assert.equal(consumerOf(await served.browser.go(LOGIN)), 'anna');
});

test('a session of many groups lies in several cookies', async () => {
  await using upstream = await startEcho();
  const groups = Array.from({ length: 400 }, (_, n) => `group-${n}`);
  const many: InlinePlugin = {
    name: 'many',
    priority: 1000,
    filters: {
      access(exchange) {
        if (exchange.consumer?.username === 'anna') exchange.authenticatedGroups ??= groups;
      },
    },
  };
  await using served = await serve(upstream.port, {}, [many]);
  const { cookies } = await served.browser.go(LOGIN);
  assert.ok(cookies.length > 1);
  const { body } = await served.browser.go();
  assert.equal(body.headers['x-authenticated-groups'], groups.join(', '));
  await served.browser.go('', 'POST /?session_logout');
  assert.equal(served.browser.jar.size, 0);
});

test('groups of a session are not those of whoever is recognized after it', async () => {
  await using upstream = await startEcho();
  const seen: Array<readonly string[] | null> = [];
  const look: InlinePlugin = {
    name: 'look',
    priority: 900,
    filters: { access: (exchange) => void seen.push(exchange.authenticatedGroups) },
  };
  const plane = await startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'session', config: { secret: 'x' } }, { name: 'key-auth' }, GROUPS, look],
  });
  await using _ = plane;
  const browser = new Browser(plane);
  await browser.go(LOGIN);
  await browser.go(LOGIN);
  assert.deepEqual(seen, [
    ['agents', 'dövble'],
    ['agents', 'dövble'],
  ]);
  seen.length = 0;
  plane.directory.put('consumers', consumer('00000000-0000-4000-8000-00000000000c', 'carol').entity);
  const carol = { id: '00000000-0000-4000-8000-00000000001c', key: 'other', created_at: 1 };
  plane.directory.put('keyauth_credentials', {
    ...carol,
    consumer: { id: '00000000-0000-4000-8000-00000000000c' },
  });
  await browser.go('apikey: other\r\n');
  assert.deepEqual(seen, [null]);
});
