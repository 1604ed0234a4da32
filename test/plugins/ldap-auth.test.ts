/** ldap-auth against a real slapd. Facts: Kong 3.9's plugin and its tests, RFC 4513 and RFC 4514. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { rawRequest } from '../support/raw-client.ts';
import { BASE_DN, type Slapd, startSlapd } from '../support/slapd.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { startEcho, type Upstream } from '../support/upstream.ts';
import { answerBody, type AnswerBody } from './support/body.ts';

const STAR = '*)(uid=*';
const COMMA = 'Smith, James + "Jim" <x>; #1=\\';
const PEOPLE = [
  { uid: 'anna', password: 'pass:word' },
  { uid: 'Lučić', password: 'ü' },
  { uid: STAR, password: 'star' },
  { uid: COMMA, password: 'comma' },
];

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  {
    kind: 'consumers',
    entity: {
      id: '00000000-0000-4000-8000-00000000000a',
      username: 'nobody',
      custom_id: null,
      tags: null,
      created_at: 1,
      updated_at: 1,
    },
  },
];

function plane(
  upstream: Upstream,
  port: number,
  config: object = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPlane> {
  const base = { ldap_host: '127.0.0.1', ldap_port: port, base_dn: BASE_DN, attribute: 'uid' };
  return startPlane(upstream.port, {
    entities: ENTITIES,
    plugins: [{ name: 'ldap-auth', config: { ...base, ...config } }],
    settings,
  });
}

interface Answer {
  readonly status: number;
  readonly body: AnswerBody;
  readonly told: string | undefined;
}

async function get({ port }: TestPlane, headers: string): Promise<Answer> {
  const { responses } = await rawRequest(port, `GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  const text = responses[0]?.text() ?? '';
  return {
    status: responses[0]?.status ?? 0,
    body: answerBody(text),
    told: responses[0]?.header('www-authenticate'),
  };
}

function shown(user: string, password: string, type = 'ldap', header = 'Authorization'): string {
  return `${header}: ${type} ${Buffer.from(`${user}:${password}`).toString('base64')}\r\n`;
}

const ANNA = shown('anna', 'pass:word');

async function checkPeople(gateway: TestPlane): Promise<void> {
  for (const { uid, password } of PEOPLE) {
    const { status, body } = await get(gateway, shown(uid, password));
    assert.equal(status, 200, uid);
    const told = Buffer.from(String(body.headers['x-credential-identifier']), 'latin1').toString();
    assert.equal(told, uid);
    assert.equal(body.headers['x-consumer-id'], undefined);
    assert.equal((await get(gateway, shown(uid, `${password}x`))).status, 401, uid);
  }
}

test('who has a name and password is let in, and nobody else', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE);
  await using gateway = await plane(upstream, slapd.port, { realm: 'people' });
  await checkPeople(gateway);
  const before = upstream.requests;
  const refused: ReadonlyArray<readonly [what: string, headers: string]> = [
    ['nothing', ''],
    ['an empty header', 'Authorization:\r\n'],
    ['another type', shown('anna', 'pass:word', 'Basic')],
    ['no base64', 'Authorization: ldap !!!!\r\n'],
    ['no colon', `Authorization: ldap ${Buffer.from('anna').toString('base64')}\r\n`],
    ['an empty password, which a directory takes for an anonymous bind', shown('anna', '')],
    ['an empty name', shown('', 'x')],
    ['both empty', shown('', '')],
    ['a wrong password', shown('anna', 'x')],
    ['an unknown name', shown('who', 'x')],
    ['NUL behind the name', shown('anna\0', 'pass:word')],
    ['somebody of another place', shown('boss,ou=admins,dc=example,dc=test', 'top')],
    ['a name with a second value', shown('anna+cn=x', 'pass:word')],
    ['everybody', shown('*', 'pass:word')],
    ['a filter', shown('anna)(uid=*', 'pass:word')],
    ['the administrator', shown('x,cn=admin', 'secret')],
    ['somebody who is elsewhere: referrals are not followed', shown('moved', 'x')],
    ['two lines, of which the upstream might believe the second', ANNA + shown('boss', 'x')],
    ['a huge name', shown('x'.repeat(3000), 'x')],
    ['a huge password', shown('anna', 'x'.repeat(3000))],
    ['no UTF-8', `Authorization: ldap ${Buffer.from([0xff, 0x3a, 0x78]).toString('base64')}\r\n`],
  ];
  for (const [what, headers] of refused) {
    const { status, body, told } = await get(gateway, headers);
    assert.deepEqual([status, body.message, told], [401, 'Unauthorized', 'LDAP realm="people"'], what);
  }
  assert.equal(upstream.requests, before);
});

test('headers: both, their type, hidden ones; the anonymous consumer', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE);
  await using gateway = await plane(upstream, slapd.port, { header_type: 'Basic', hide_credentials: true });
  const anna = shown('anna', 'pass:word', 'basic');
  const wrong = shown('anna', 'x', 'basic', 'Proxy-Authorization');
  const { status, body } = await get(gateway, anna + wrong);
  assert.equal(status, 200);
  assert.equal(body.headers.authorization, undefined);
  assert.equal((await get(gateway, '')).told, 'Basic');
  await using open = await plane(upstream, slapd.port, { anonymous: 'nobody' });
  const nobody = await get(open, `${shown('anna', 'x')}X-Credential-Identifier: anna\r\n`);
  assert.equal(nobody.body.headers['x-anonymous-consumer'], 'true');
  assert.equal(nobody.body.headers['x-credential-identifier'], undefined);
  const known = await get(open, ANNA);
  assert.equal(known.body.headers['x-anonymous-consumer'], undefined);
  assert.equal(known.body.headers.authorization, ANNA.slice('Authorization: '.length).trim());
});

async function setPassword(slapd: Slapd, password: string): Promise<void> {
  const change = `dn: uid=anna,${BASE_DN}\nchangetype: modify\nreplace: userPassword\n`;
  await slapd.modify(`${change}userPassword: ${password}\n`);
}

test('answers are kept as long as is said, and not at all with 0', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE);
  await using kept = await plane(upstream, slapd.port, { cache_ttl: 600 });
  await using asking = await plane(upstream, slapd.port, { cache_ttl: 0 });
  const next = shown('anna', 'next');
  for (const [headers, status] of [
    [ANNA, 200],
    [next, 401],
  ] as const) {
    assert.equal((await get(kept, headers)).status, status);
    assert.equal((await get(asking, headers)).status, status);
  }
  await setPassword(slapd, 'next');
  assert.deepEqual(
    await Promise.all([kept, asking].map(async (one) => (await get(one, ANNA)).status)),
    [200, 401],
  );
  assert.deepEqual(
    await Promise.all([kept, asking].map(async (one) => (await get(one, next)).status)),
    [401, 200],
  );
  // Without the directory, what is known is known.
  await slapd.kill();
  assert.equal((await get(kept, ANNA)).status, 200);
  assert.equal((await get(kept, shown('Lučić', 'ü'))).status, 500);
  assert.equal((await get(asking, next)).status, 500);
});

test('TLS from the start or later, verified or not', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE, 'security simple_bind=128');
  const trusting = { lua_ssl_trusted_certificate: slapd.certificate.cert };
  const { port, tlsPort } = slapd;
  const cases = [
    ['plain: the directory wants encryption', port, {}, {}, 401],
    ['ldaps', tlsPort, { ldaps: true }, {}, 200],
    ['StartTLS', port, { start_tls: true }, {}, 200],
    ['ldaps, verified', tlsPort, { ldaps: true, verify_ldap_host: true }, trusting, 200],
    ['StartTLS, verified', port, { start_tls: true, verify_ldap_host: true }, trusting, 200],
    [
      'ldaps, by name',
      tlsPort,
      { ldaps: true, verify_ldap_host: true, ldap_host: 'localhost' },
      trusting,
      200,
    ],
    ['ldaps where there is none', port, { ldaps: true, timeout: 2000 }, {}, 500],
  ] as const;
  for (const [what, to, config, settings, status] of cases) {
    await using gateway = await plane(upstream, to, config, settings);
    // A connection for each, and one that is used again.
    const all = await Promise.all(PEOPLE.map(({ uid, password }) => get(gateway, shown(uid, password))));
    assert.deepEqual(new Set(all.map((one) => one.status)), new Set([status]), what);
    assert.equal((await get(gateway, shown('anna', 'wrong'))).status, status === 200 ? 401 : status, what);
  }
});

test('a certificate that nobody vouches for is refused before any password is sent', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE);
  for (const [port, config] of [
    [slapd.tlsPort, { ldaps: true }],
    [slapd.port, { start_tls: true }],
  ] as const) {
    await using gateway = await plane(
      upstream,
      port,
      { ...config, verify_ldap_host: true },
      { lua_ssl_trusted_certificate: 'system' },
    );
    assert.equal((await get(gateway, ANNA)).status, 500);
  }
});

test('connections that break off are made again, and StartTLS anew with them', async () => {
  await using upstream = await startEcho();
  await using slapd = await startSlapd(PEOPLE, 'security simple_bind=128');
  await using relay = await startTcpProxy(slapd.port);
  await using gateway = await plane(upstream, relay.port, { start_tls: true, cache_ttl: 0 });
  for (let n = 0; n < 3; n++) {
    assert.equal((await get(gateway, ANNA)).status, 200);
    relay.reset();
  }
  assert.equal((await get(gateway, ANNA)).status, 200);
});

test('a directory that is slow, silent, or talks nonsense', async () => {
  await using upstream = await startEcho();
  const sockets = new Set<Socket>();
  let answer: (socket: Socket) => void = () => undefined;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    for (const [what, act, config] of [
      ['silent', () => undefined, { timeout: 300 }],
      ['silent, StartTLS', () => undefined, { timeout: 300, start_tls: true }],
      ['closing', (socket: Socket) => void socket.destroy(), {}],
      ['closing in the middle', (socket: Socket) => void socket.end(Buffer.from([0x30, 0x20, 0x02])), {}],
      ['nonsense', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), {}],
    ] as const) {
      answer = act;
      await using gateway = await plane(upstream, port, config);
      const all = await Promise.all([get(gateway, ANNA), get(gateway, ANNA), get(gateway, shown('b', 'c'))]);
      assert.deepEqual(
        all.map(({ status }) => status),
        [500, 500, 500],
        what,
      );
    }
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
