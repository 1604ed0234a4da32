/** TLS to upstreams as services, upstreams and settings ask for it: who is spoken to, with which name and certificate. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startGateway, type KongConfig } from '../support/gateway.ts';
import { startNginx } from '../support/nginx.ts';
import { issueIn, RSA, type Issued } from '../support/pki.ts';
import { connectRaw } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pair, startTlsUpstream, type TlsEcho } from '../support/tls-upstream.ts';
import { waitFor } from '../support/wait.ts';
import { send } from './support/ask.ts';

const folder = await tempDir();
const make = (name: string, by: Issued | null, rest: object = {}): Promise<Issued> =>
  issueIn(folder.path, { name, by, ...rest });
const root = await make('root', null, { authority: true });
const other = await make('other', null, { authority: true });
const own = await make('system', null, { authority: true });
const middle = await make('middle', root, { authority: true });
const names = { names: 'DNS:a.test,DNS:*.w.test' };
const leaf = await make('leaf', root, names);
const deep = await make('deep', middle, names);
const ofOwn = await make('of own', own, names);
const clients = {
  service: await make('client of the service', root, { kind: RSA }),
  upstream: await make('client of the upstream', root),
  settings: await make('client of the settings', root),
  vault: await make('client in a vault', root),
};

const plain = await startTlsUpstream(pair(leaf));
const chained = await startTlsUpstream(pair(deep, middle));
const owned = await startTlsUpstream(pair(ofOwn));
const expired = await startTlsUpstream(
  pair(await make('expired', root, { ...names, until: '20210101000000Z' })),
);
const future = await startTlsUpstream(
  pair(await make('future', root, { ...names, from: '20980101000000Z' })),
);
const asking = await startTlsUpstream({
  ...pair(leaf),
  ca: root.cert,
  requestCert: true,
  rejectUnauthorized: true,
});
const old = await startTlsUpstream({ ...pair(leaf), maxVersion: 'TLSv1.2' });
const upstreams = [plain, chained, owned, expired, future, asking, old];

const id = (digit: string, kind: number): string => `${digit.repeat(8)}-0000-4000-8000-00000000000${kind}`;
const ROOT = id('a', 1);
const OTHER = id('b', 1);
const SERVICE = id('c', 1);
const UPSTREAM = id('d', 1);
const VAULT = id('e', 1);

/** Name of a service and of its path, the upstream's port, and what the service says. */
const SERVICES: ReadonlyArray<readonly [name: string, port: number, fields: object, route?: object]> = [
  ['unverified', expired.port, {}],
  ['off', expired.port, { tls_verify: false, ca_certificates: [ROOT] }],
  ['verified', plain.port, { tls_verify: true, ca_certificates: [ROOT] }],
  ['preserved', plain.port, { tls_verify: true, ca_certificates: [ROOT] }, { preserve_host: true }],
  ['two', plain.port, { tls_verify: true, ca_certificates: [OTHER, ROOT] }],
  ['untrusted', plain.port, { tls_verify: true, ca_certificates: [OTHER] }],
  ['default', plain.port, { tls_verify: true }],
  ['own', owned.port, { tls_verify: true }],
  ['expired', expired.port, { tls_verify: true, ca_certificates: [ROOT] }],
  ['future', future.port, { tls_verify: true, ca_certificates: [ROOT] }],
  ['absolute', plain.port, { host: 'a.test.', tls_verify: true, ca_certificates: [ROOT] }],
  ['misnamed', plain.port, { host: 'b.test', tls_verify: true, ca_certificates: [ROOT] }],
  ['address', plain.port, { host: '127.0.0.1', tls_verify: true, ca_certificates: [ROOT] }],
  ['chain', chained.port, { tls_verify: true, ca_certificates: [ROOT] }],
  ['shallow', chained.port, { tls_verify: true, tls_verify_depth: 0, ca_certificates: [ROOT] }],
  ['nobody', plain.port, { tls_verify: true, ca_certificates: [id('f', 9)] }],
  ['by-service', asking.port, { client_certificate: { id: SERVICE } }],
  ['by-settings', asking.port, {}],
  ['by-vault', asking.port, { client_certificate: { id: VAULT } }],
  ['balanced', 1, { host: 'targets' }],
  ['balanced-own', 1, { host: 'targets', client_certificate: { id: SERVICE } }],
  ['old', old.port, {}],
];

function config(change: { readonly authorities?: object[] } = {}): KongConfig {
  return {
    _format_version: '3.0',
    ca_certificates: change.authorities ?? [
      { id: ROOT, cert: root.cert },
      { id: OTHER, cert: other.cert },
    ],
    certificates: [
      { id: SERVICE, cert: clients.service.cert, key: clients.service.key },
      { id: UPSTREAM, cert: clients.upstream.cert, key: clients.upstream.key },
      { id: VAULT, cert: '{vault://files/client.crt/}', key: '{vault://files/client.key/}' },
    ],
    vaults: [{ name: 'file', prefix: 'files', config: {} }],
    upstreams: [
      {
        name: 'targets',
        host_header: 'a.test',
        client_certificate: { id: UPSTREAM },
        targets: [{ target: `127.0.0.1:${asking.port}` }],
      },
    ],
    services: SERVICES.map(([name, port, fields, route = {}]) => {
      const usual = { name, protocol: 'https', host: 'a.test', port, retries: 0 };
      return Object.assign(usual, fields, { routes: [Object.assign({ name, paths: [`/${name}`] }, route)] });
    }),
  };
}

await writeFile(join(folder.path, 'hosts'), '127.0.0.1 a.test b.test\n');
await writeFile(join(folder.path, 'client.crt'), clients.vault.cert);
await writeFile(join(folder.path, 'client.key'), clients.vault.key);
const gateway = await startGateway({
  config: config(),
  settings: {
    dns_hostsfile: join(folder.path, 'hosts'),
    vault_file_base: folder.path,
    lua_ssl_trusted_certificate: own.certFile,
    client_ssl: 'on',
    client_ssl_cert: clients.settings.certFile,
    client_ssl_cert_key: clients.settings.keyFile,
  },
});

after(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function ask(path: string, host = 'client.test'): Promise<TlsEcho> {
  const { status, body } = await send(gateway.proxyPort, { target: path, host });
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString()) as TlsEcho;
}

async function refused(path: string, host = 'client.test'): Promise<void> {
  const { status, body } = await send(gateway.proxyPort, { target: path, host });
  assert.equal(status, 502);
  assert.match(body.toString(), /An invalid response was received from the upstream server/);
}

async function logged(path: string, expected: RegExp): Promise<string> {
  const log = join(gateway.prefix, 'logs/error.log');
  const find = async (): Promise<string | undefined> =>
    (await readFile(log, 'utf8')).split('\n').find((text) => text.includes(path) && expected.test(text));
  return (await waitFor(find, { what: String(expected) })) ?? '';
}

/** What of the echo is looked at; or a pattern for the error log, of an answer that is 502. */
const CASES: ReadonlyArray<readonly [path: string, host: string, Partial<TlsEcho> | RegExp]> = [
  ['/unverified', 'c.test', { serverName: 'a.test', host: `a.test:${expired.port}`, version: 'TLSv1.3' }],
  ['/off', 'c.test', { serverName: 'a.test' }],
  ['/verified', 'c.test', { serverName: 'a.test', host: `a.test:${plain.port}` }],
  ['/absolute', 'c.test', { serverName: 'a.test', host: `a.test.:${plain.port}` }],
  ['/preserved', 'X.W.test:81', { serverName: 'x.w.test', host: 'X.W.test:81' }],
  ['/preserved', 'c.test', /certificate does not match 'c\.test'/],
  ['/two', 'c.test', { serverName: 'a.test' }],
  ['/untrusted', 'c.test', /certificate verify failed: UNABLE_TO_/],
  ['/default', 'c.test', /certificate verify failed: UNABLE_TO_/],
  ['/own', 'c.test', { serverName: 'a.test' }],
  ['/expired', 'c.test', /certificate verify failed: CERT_HAS_EXPIRED/],
  ['/future', 'c.test', /certificate verify failed: CERT_NOT_YET_VALID/],
  ['/misnamed', 'c.test', /certificate does not match 'b\.test'/],
  ['/address', 'c.test', /certificate does not match '127\.0\.0\.1'/],
  ['/chain', 'c.test', { serverName: 'a.test' }],
  ['/shallow', 'c.test', /certificate chain too long/],
  ['/nobody', 'c.test', /upstream tls unusable: ca certificate f{8}-\S+ does not exist/],
  ['/by-service', 'c.test', { client: 'client of the service' }],
  ['/by-settings', 'c.test', { client: 'client of the settings' }],
  ['/by-vault', 'c.test', { client: 'client in a vault' }],
  ['/balanced', 'c.test', { client: 'client of the upstream', serverName: 'a.test' }],
  ['/balanced-own', 'c.test', { client: 'client of the service' }],
  ['/old', 'c.test', { version: 'TLSv1.2' }],
];

for (const [path, host, expected] of CASES) {
  test(`${path} for ${host}`, async () => {
    const before = upstreams.reduce((sum, { counts }) => sum + counts.requests, 0);
    if (expected instanceof RegExp) {
      await refused(path, host);
      assert.match(await logged(path, expected), /upstream: "https:\/\/127\.0\.0\.1:\d+|unusable/);
    } else assert.partialDeepStrictEqual(await ask(path, host), expected);
    const requests = upstreams.reduce((sum, { counts }) => sum + counts.requests, 0);
    assert.equal(requests - before, expected instanceof RegExp ? 0 : 1, 'requests that reached an upstream');
  });
}

test('a connection serves one trust, one certificate and one name, and no other', async () => {
  const connection = async (path: string, host?: string): Promise<number> =>
    (await ask(path, host)).connection;
  const first = await connection('/verified');
  assert.equal(await connection('/verified'), first);
  // The same terms by another service: the same connection.
  assert.equal(await connection('/preserved', `a.test:${plain.port}`), first);
  for (const [path, host] of [['/two'], ['/preserved', 'y.w.test']] as const)
    assert.notEqual(await connection(path, host), first);
  const mine = await connection('/by-service');
  for (const path of ['/by-settings', '/by-vault', '/balanced'])
    assert.notEqual(await connection(path), mine);
  assert.equal(await connection('/balanced-own'), mine);
});

test('an authority that is taken away or replaced is not trusted on idle connections or by resumed sessions', async () => {
  const trusting = await ask('/verified');
  await gateway.reload(
    config({
      authorities: [
        { id: ROOT, cert: own.cert },
        { id: OTHER, cert: other.cert },
      ],
    }),
  );
  await refused('/verified');
  await gateway.reload(config());
  assert.deepEqual(await ask('/verified'), { ...trusting, connection: trusting.connection });
});

test('a certificate whose text changes in its vault is sent after the time that its reference gives', async () => {
  const file = (name: string): string => join(folder.path, name);
  await writeFile(file('short.crt'), clients.vault.cert);
  await writeFile(file('short.key'), clients.vault.key);
  const short = JSON.stringify(config())
    .replace('files/client.crt/', 'files/short.crt/?ttl=1')
    .replace('files/client.key/', 'files/short.key/?ttl=1');
  await gateway.reload(JSON.parse(short) as KongConfig);
  assert.equal((await ask('/by-vault')).client, 'client in a vault');
  await writeFile(file('short.crt'), clients.service.cert);
  await writeFile(file('short.key'), clients.service.key);
  // Between the two looks it may have one of the old pair and one of the new: such a pair is used by nobody.
  const next = async (): Promise<boolean> => {
    const { status, body } = await send(gateway.proxyPort, { target: '/by-vault' });
    return status === 200 && body.toString().includes('client of the service');
  };
  await waitFor(next, { what: 'the new certificate' });
  await gateway.reload(config());
});

test('authorities change under load: each request is answered by what was trusted, and none is lost', async () => {
  /** By what had been loaded when their requests were sent. */
  const answers: number[][] = [[]];
  let done = false;
  const load = Array.from({ length: 8 }, async () => {
    await using client = await connectRaw(gateway.proxyPort);
    while (!done) {
      const loaded = answers.at(-1);
      client.write('GET /verified HTTP/1.1\r\nHost: c.test\r\n\r\n');
      loaded?.push((await client.readResponse()).status);
    }
  });
  const authorities = [
    { id: ROOT, cert: own.cert },
    { id: OTHER, cert: other.cert },
  ];
  for (let round = 0; round < 3; round++) {
    for (const [change, status] of [
      [{ authorities }, 502],
      [{}, 200],
    ] as const) {
      await gateway.reload(config(change));
      const since: number[] = [];
      answers.push(since);
      await waitFor(() => since.length > 30, { what: `requests that are answered ${status}` });
      const seen = since.slice();
      // What is sent while the next one is loaded is answered by either.
      assert.deepEqual([...new Set(seen)], [status]);
    }
  }
  done = true;
  await Promise.all(load);
  assert.deepEqual(
    [...new Set(answers.flat())].toSorted((a, b) => a - b),
    [200, 502],
  );
});

test('an nginx that wants a client certificate and counts sessions', async () => {
  await using nginx = await startNginx({
    http: `
  access_log off;
  keepalive_requests 1;
  server {
    listen 127.0.0.1:%PORT% ssl;
    ssl_certificate ${leaf.certFile};
    ssl_certificate_key ${leaf.keyFile};
    ssl_client_certificate ${root.certFile};
    ssl_verify_client on;
    ssl_session_cache shared:S:1m;
    location / { default_type text/plain; return 200 "$ssl_client_s_dn $ssl_server_name $ssl_session_reused"; }
  }`,
  });
  const service = {
    name: 'nginx',
    protocol: 'https',
    host: 'a.test',
    port: nginx.port,
    tls_verify: true,
    ca_certificates: [ROOT],
    client_certificate: { id: SERVICE },
    routes: [{ name: 'nginx', paths: ['/nginx'] }],
  };
  const text = config() as { services: object[] };
  await gateway.reload({ ...text, services: [...text.services, service] });
  for (const reused of ['.', 'r', 'r']) {
    const { status, body } = await send(gateway.proxyPort, { target: '/nginx' });
    assert.deepEqual([status, body.toString()], [200, `CN=client of the service a.test ${reused}`]);
  }
  await gateway.reload(config());
});

test('a reference that changes is followed, and one that leads nowhere fails the request', async () => {
  assert.partialDeepStrictEqual(await ask('/by-vault'), { client: 'client in a vault' });
  const text = { cert: clients.upstream.cert, key: clients.upstream.key };
  await writeFile(join(folder.path, 'client2.crt'), text.cert);
  await writeFile(join(folder.path, 'client2.key'), text.key);
  const next = JSON.parse(
    JSON.stringify(config()).replaceAll('files/client.', 'files/client2.'),
  ) as KongConfig;
  await gateway.reload(next);
  assert.partialDeepStrictEqual(await ask('/by-vault'), { client: 'client of the upstream' });
  await gateway.reload(
    JSON.parse(JSON.stringify(config()).replaceAll('files/client.', 'files/nothing.')) as KongConfig,
  );
  await refused('/by-vault');
  await gateway.reload(config());
});
