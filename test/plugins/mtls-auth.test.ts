/** mtls-auth and header-cert-auth with certificates of OpenSSL, through sockets. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import type { CaCertificate } from '../../src/entities/ca-certificate.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { issue, issueAuthority, makeAuthority, type Pair } from '../support/authority.ts';
import { type PlaneOptions, startPlane, type TestPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-client.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { request, shake } from '../tls/support.ts';

const ROOT = '00000000-0000-4000-8000-0000000000c1';
const OTHER = '00000000-0000-4000-8000-0000000000c2';
const NONE = 'No required TLS certificate was sent';
const FAILED = 'TLS certificate failed verification';
const PAST = { from: '20200101000000Z', until: '20210101000000Z' };

const consumer = (last: string, username: string, custom: string | null = null): Record<string, unknown> => ({
  id: `00000000-0000-4000-8000-0000000000${last}`,
  username,
  custom_id: custom,
  tags: null,
  created_at: 1,
  updated_at: 1,
});

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  { kind: 'consumers', entity: consumer('01', 'anna') },
  { kind: 'consumers', entity: consumer('02', 'alt.test') },
  { kind: 'consumers', entity: consumer('03', 'carol', 'by-custom') },
  { kind: 'consumers', entity: consumer('04', 'guest') },
];

type Who = 'anna' | 'deep' | 'alt' | 'custom' | 'unknown' | 'expired' | 'stranger' | 'server';

interface People {
  readonly folder: TempDir;
  readonly trust: Trust;
  readonly root: Pair;
  readonly who: Readonly<Record<Who, Pair & { readonly chain: string }>>;
}

const authorityEntity = async (id: string, pair: Pair): Promise<CaCertificate> =>
  ({ id, cert: await readFile(pair.cert, 'utf8'), cert_digest: id }) as unknown as CaCertificate;

async function people(): Promise<People> {
  const folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const stranger = await makeAuthority(folder.path, 'stranger');
  const middle = await issueAuthority(folder.path, root, 'middle');
  const by = async (
    authority: Pair,
    name: string,
    names: string,
    options = {},
    over: Pair | null = null,
  ): Promise<Pair & { chain: string }> => {
    const pair = await issue(folder.path, authority, name, names, options);
    const chain = [pair, ...(over === null ? [] : [over])].map(({ cert }) => readFile(cert, 'utf8'));
    return { ...pair, chain: (await Promise.all(chain)).join('') };
  };
  const who = {
    anna: await by(root, 'anna', 'URI:urn:x'),
    deep: await by(middle, 'deep', 'DNS:anna', {}, middle),
    alt: await by(root, 'carol', 'DNS:none.test,DNS:alt.test'),
    custom: await by(root, 'by-custom', 'DNS:none.test'),
    unknown: await by(root, 'unknown', 'DNS:none.test'),
    expired: await by(root, 'late', 'DNS:anna', PAST),
    stranger: await by(stranger, 'foreign', 'DNS:anna'),
    server: await by(root, 'server', 'DNS:anna', { extensions: ['extendedKeyUsage=serverAuth'] }),
  };
  const authorities = new Map([[ROOT, await authorityEntity(ROOT, root)]]);
  return { folder, root, who, trust: new Trust(new Map(), authorities, new Map()) };
}

interface Answer {
  readonly status: number;
  readonly body: Echo & { readonly message?: string };
}

async function ask(port: number, options: ConnectionOptions, host = 'localhost'): Promise<Answer> {
  const { status, text } = await request(await shake(port, { rejectUnauthorized: false, ...options }), host);
  const [, json = '{}'] = /\r\n\r\n(?:[0-9a-f]+\r\n)?(\{.*\})/s.exec(text) ?? [];
  return { status, body: JSON.parse(json) as Answer['body'] };
}

async function as({ who }: People, name: Who): Promise<ConnectionOptions> {
  return { cert: who[name].chain, key: await readFile(who[name].key, 'utf8') };
}

async function startTls(upstreamPort: number, options: PlaneOptions): Promise<TestPlane> {
  const listen = { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
  return startPlane(upstreamPort, {
    entities: ENTITIES,
    ...options,
    settings: { ...listen, ...options.settings },
  });
}

const told = ({ body }: Answer): unknown =>
  body.message ?? body.headers['x-consumer-username'] ?? body.headers['x-client-cert-dn'] ?? 'nobody';

const mtls = (config: object = {}): NonNullable<PlaneOptions['plugins']> => [
  { name: 'mtls-auth', config: { ca_certificates: [ROOT], ...config } },
];

const CONFIGS: ReadonlyArray<readonly [config: object, Readonly<Partial<Record<Who | 'nobody', string>>>]> = [
  [
    {},
    {
      nobody: NONE,
      anna: 'anna',
      deep: 'anna',
      alt: 'alt.test',
      custom: 'carol',
      unknown: FAILED,
      expired: FAILED,
      stranger: FAILED,
      server: FAILED,
    },
  ],
  [{ consumer_by: ['username'] }, { alt: 'alt.test', custom: FAILED }],
  [{ consumer_by: ['custom_id'] }, { anna: FAILED, custom: 'carol' }],
  [{ consumer_by: [] }, { anna: FAILED }],
  [
    { consumer_by: [], default_consumer: 'guest' },
    { anna: 'guest', stranger: FAILED },
  ],
  [
    { default_consumer: '00000000-0000-4000-8000-000000000004' },
    { unknown: 'guest', anna: 'anna', nobody: NONE },
  ],
  [{ anonymous: 'guest' }, { nobody: 'guest', stranger: 'guest', expired: 'guest', anna: 'anna' }],
  [{ ca_certificates: [OTHER] }, { anna: FAILED }],
  [{ ca_certificates: [OTHER, ROOT] }, { anna: 'anna' }],
  [
    { skip_consumer_lookup: true },
    { anna: 'CN=anna', unknown: 'CN=unknown', stranger: FAILED, nobody: NONE },
  ],
];

test('whose certificate it is', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  for (const [config, answers] of CONFIGS) {
    await using plane = await startTls(upstream.port, { trust: all.trust, plugins: mtls(config) });
    for (const [name, expected] of Object.entries(answers)) {
      const options = name === 'nobody' ? {} : await as(all, name as Who);
      const answer = await ask(plane.port, options);
      assert.equal(told(answer), expected, `${name} ${JSON.stringify(config)}`);
      assert.equal(answer.status, expected === NONE || expected === FAILED ? 401 : 200);
    }
  }
});

test('without a look-up the upstream is told of the certificate, and never what the client says of one', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const config = { skip_consumer_lookup: true, anonymous: 'guest', authenticated_group_by: 'DN' };
  const groups: unknown[] = [];
  const spy = {
    name: 'spy',
    priority: 1,
    filters: {
      access: (exchange: { authenticatedGroups: unknown }) => void groups.push(exchange.authenticatedGroups),
    },
  };
  await using plane = await startTls(upstream.port, { trust: all.trust, plugins: [...mtls(config), spy] });
  const spoof = 'localhost\r\nX-Client-Cert-Dn: CN=root\r\nX_Client_Cert_San: root';
  const known = await ask(plane.port, await as(all, 'alt'), spoof);
  assert.deepEqual(
    [
      known.body.headers['x-client-cert-dn'],
      known.body.headers['x-client-cert-san'],
      known.body.headers['x_client_cert_san'],
    ],
    ['CN=carol', 'none.test, alt.test', undefined],
  );
  const guest = await ask(plane.port, {}, spoof);
  assert.deepEqual(
    [
      guest.body.headers['x-consumer-username'],
      guest.body.headers['x-client-cert-dn'],
      guest.body.headers['x_client_cert_san'],
    ],
    ['guest', undefined, undefined],
  );
  assert.deepEqual(groups, [['CN=carol'], null]);
});

test('trust ends with the authority, on connections that are open, too', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  await using plane = await startTls(upstream.port, { trust: all.trust, plugins: mtls() });
  const socket = await shake(plane.port, { rejectUnauthorized: false, ...(await as(all, 'anna')) });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk));
  const next = async (): Promise<string> => {
    text = '';
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    while (!/\r\n\r\n(?:0\r\n|.*\})/s.test(text))
      await new Promise((resolve) => void socket.once('data', resolve));
    return text.slice(9, 12);
  };
  assert.equal(await next(), '200');
  plane.serve(new Trust(new Map(), new Map(), new Map()));
  assert.equal(await next(), '401');
  plane.serve(all.trust);
  assert.equal(await next(), '200');
  plane.directory.remove('consumers', '00000000-0000-4000-8000-000000000001');
  assert.equal(await next(), '401');
  socket.destroy();
});

test('a credential says whose a name is, by its authority where it names one', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const id = '00000000-0000-4000-8000-0000000000d1';
  const credential = (authority: string | null): Record<string, unknown> => ({
    id,
    consumer: { id: '00000000-0000-4000-8000-000000000004' },
    subject_name: 'anna',
    ca_certificate: authority === null ? null : { id: authority },
    tags: null,
    created_at: 1,
  });
  await using plane = await startTls(upstream.port, { trust: all.trust, plugins: mtls() });
  const anna = await as(all, 'anna');
  const who = async (): Promise<unknown> => {
    const answer = await ask(plane.port, anna);
    return [told(answer), answer.body.headers['x-credential-identifier']];
  };
  const steps: ReadonlyArray<readonly [authority: string | null, expected: unknown]> = [
    [null, ['guest', id]],
    [ROOT, ['guest', id]],
    [OTHER, ['anna', undefined]],
  ];
  for (const [authority, expected] of steps) {
    plane.directory.put('mtls_auth_credentials', credential(authority));
    assert.deepEqual(await who(), expected);
  }
  plane.directory.remove('mtls_auth_credentials', id);
  assert.deepEqual(await who(), ['anna', undefined]);
});

/** Whether the server asked: only then does a client's certificate go over. */
async function wasAsked(plane: TestPlane, options: ConnectionOptions): Promise<boolean> {
  const { body } = await ask(plane.port, options);
  return body.message !== NONE;
}

test('only clients of the names of a route are asked, where it has names', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const route = { id: '22222222-2222-4222-8222-222222222222', entity: { snis: ['Asked.test.'] } } as never;
  const [plugin] = mtls();
  const anna = await as(all, 'anna');
  for (const [scope, verdicts] of [
    [{ route: { id: '22222222-2222-4222-8222-222222222222' } }, [true, false, false]],
    [{}, [true, true, true]],
  ] as const) {
    await using plane = await startTls(upstream.port, {
      trust: all.trust,
      route,
      plugins: [{ ...plugin!, ...scope }],
    });
    assert.deepEqual(
      [
        await wasAsked(plane, { ...anna, servername: 'asked.test' }),
        await wasAsked(plane, { ...anna, servername: 'other.test' }),
        await wasAsked(plane, anna),
      ],
      verdicts,
    );
  }
});

test('who has no plugin asks nobody, and plain HTTP has no certificate', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const seen: unknown[] = [];
  const spy = {
    name: 'spy',
    priority: 1,
    filters: {
      access: (exchange: { client: { tls: { clientVerify: string } | null } }) =>
        void seen.push(exchange.client.tls?.clientVerify),
    },
  };
  await using bare = await startTls(upstream.port, { trust: all.trust, plugins: [spy] });
  await ask(bare.port, await as(all, 'anna'));
  assert.deepEqual(seen, ['NONE']);
  await using plain = await startPlane(upstream.port, {
    entities: ENTITIES,
    trust: all.trust,
    plugins: mtls(),
  });
  const { responses } = await rawRequest(plain.port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.match(responses[0]?.text() ?? '', /No required TLS certificate was sent/);
});

test('a certificate in a header', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const der = (name: Who): string => new X509Certificate(all.who[name].chain).raw.toString('base64');
  const escaped = (name: Who): string => encodeURIComponent(all.who[name].chain);
  const cases: ReadonlyArray<readonly [format: string, headers: readonly string[], expected: string]> = [
    ['base64_encoded', [], 'No required TLS certificate header was sent'],
    ['base64_encoded', [''], 'No required TLS certificate header was sent'],
    ['base64_encoded', [der('anna')], 'anna'],
    ['base64_encoded', [der('anna'), der('anna')], FAILED],
    ['base64_encoded', [escaped('anna')], FAILED],
    ['base64_encoded', ['!'], FAILED],
    ['base64_encoded', ['A'.repeat(6000)], FAILED],
    ['base64_encoded', [der('stranger')], FAILED],
    ['base64_encoded', [der('expired')], FAILED],
    ['base64_encoded', [der('deep')], FAILED],
    ['url_encoded', [escaped('anna')], 'anna'],
    ['url_encoded', [escaped('deep')], 'anna'],
    ['url_encoded', [der('anna')], FAILED],
    ['url_encoded', ['%'], FAILED],
    ['url_encoded', ['%E9'], FAILED],
  ];
  for (const [format, values, expected] of cases) {
    const config = {
      ca_certificates: [ROOT],
      certificate_header_name: 'X-Cert',
      certificate_header_format: format,
    };
    await using plane = await startPlane(upstream.port, {
      entities: ENTITIES,
      trust: all.trust,
      settings: { trusted_ips: '127.0.0.1' },
      plugins: [{ name: 'header-cert-auth', config }],
    });
    const lines = values.map((value) => `X-Cert: ${value}\r\n`).join('');
    const { responses } = await rawRequest(plane.port, `GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`);
    const body = JSON.parse(responses[0]?.text() ?? '{}') as Answer['body'];
    assert.equal(told({ status: 0, body }), expected, `${format} ${String(values).slice(0, 40)}`);
  }
});

test('the header is believed only of a proxy that is trusted, unless everybody is to be', async () => {
  const all = await people();
  await using folder = all.folder;
  void folder;
  await using upstream = await startEcho();
  const value = new X509Certificate(all.who.anna.chain).raw.toString('base64');
  for (const [secure, expected] of [
    [true, FAILED],
    [false, 'anna'],
  ] as const) {
    const config = {
      ca_certificates: [ROOT],
      certificate_header_name: 'X-Cert',
      certificate_header_format: 'base64_encoded',
      secure_source: secure,
    };
    await using plane = await startPlane(upstream.port, {
      entities: ENTITIES,
      trust: all.trust,
      plugins: [{ name: 'header-cert-auth', config }],
    });
    const { responses } = await rawRequest(
      plane.port,
      `GET / HTTP/1.1\r\nHost: a.test\r\nX-Cert: ${value}\r\n\r\n`,
    );
    const body = JSON.parse(responses[0]?.text() ?? '{}') as Answer['body'];
    assert.equal(told({ status: 0, body }), expected);
  }
});

test('plugins see the chain that a client has sent: its own certificate first', async () => {
  const all = await people();
  await using _folder = all.folder;
  const seen: string[][] = [];
  const subjects = (chain: readonly Buffer[]): string[] =>
    chain.map((der) => new X509Certificate(der).subject);
  await using upstream = await startEcho();
  await using plane = await startTls(upstream.port, {
    trust: all.trust,
    plugins: [
      {
        name: 'chain',
        priority: 1,
        filters: {
          clientCertificates: { authorities: [] },
          access(exchange) {
            const { tls } = exchange.client;
            const chain = tls?.clientChain() ?? [];
            // The same list each time: it is made once.
            assert.equal(tls?.clientChain(), chain);
            seen.push(subjects(chain));
          },
        },
      },
    ],
  });
  for (const name of ['deep', 'anna', 'stranger'] as const) {
    assert.equal((await ask(plane.port, await as(all, name))).status, 200);
  }
  assert.equal((await ask(plane.port, {})).status, 200);
  // TLS sends no root, and who sends no certificate has no chain.
  assert.deepEqual(seen, [['CN=deep', 'CN=middle'], ['CN=anna'], ['CN=foreign'], []]);
});
