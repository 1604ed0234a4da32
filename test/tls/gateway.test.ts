/** TLS of the real gateway with two workers: by curl, through reloads, and what it refuses to start with. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { issue, makeAuthority } from '../support/authority.ts';
import { type Gateway, type KongConfig, sluice, startGateway } from '../support/gateway.ts';
import { freePort, freePorts } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Echo, startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { ask, nameFor, request, sessionOf, shake } from './support.ts';

const run = promisify(execFile);

function config(upstreamPort: number, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const route = (name: string, fields: object): object => ({ name, strip_path: false, ...fields });
  return {
    _format_version: '3.0',
    services: [
      {
        name: 'echo',
        url: `http://127.0.0.1:${upstreamPort}`,
        routes: [
          route('by-name', { snis: ['routed.test'], protocols: ['https'], paths: ['/sni'] }),
          route('secure', { paths: ['/secure'], protocols: ['https'], https_redirect_status_code: 302 }),
          route('any', { paths: ['/any'] }),
        ],
      },
    ],
    ...more,
  };
}

interface Both {
  readonly gateway: Gateway;
  readonly plain: number;
  readonly secure: number;
}

async function start(
  upstreamPort: number,
  settings: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Promise<Both & AsyncDisposable> {
  const [plain = 0, secure = 0] = await freePorts(2);
  const gateway = await startGateway({
    config: config(upstreamPort, more),
    settings: {
      proxy_listen: `127.0.0.1:${plain}, 127.0.0.1:${secure} ssl`,
      nginx_worker_processes: 2,
      log_level: 'info',
      ...settings,
    },
  });
  return { gateway, plain, secure, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

test('curl: forwarded facts, redirects, routes by SNI, and a certificate of its own that is kept', async () => {
  await using upstream = await startEcho();
  await using both = await start(upstream.port, {}, {});
  const { gateway, plain, secure } = both;
  const own = join(gateway.prefix, 'ssl', 'sluice-default.crt');
  assert.equal((await stat(own.replace('.crt', '.key'))).mode & 0o777, 0o600);
  const curl = async (...args: string[]): Promise<{ status: number; head: string; body: string }> => {
    const { stdout } = await run('curl', ['-sS', '-i', '--cacert', own, ...args]);
    const [head = '', body = ''] = stdout.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), head, body };
  };
  const seen = await curl(`https://localhost:${secure}/any`);
  assert.equal(seen.status, 200);
  const { headers } = JSON.parse(seen.body) as Echo;
  assert.deepEqual([headers['x-forwarded-proto'], headers['x-forwarded-port']], ['https', String(secure)]);
  const redirect = await curl(`http://localhost:${plain}/secure?a=b`);
  assert.equal(redirect.status, 302);
  assert.match(redirect.head, /^location: https:\/\/localhost\/secure\?a=b$/im);
  assert.equal((await curl(`https://localhost:${secure}/secure`)).status, 200);
  const to = `routed.test:${secure}:127.0.0.1`;
  assert.equal((await curl('-k', '--resolve', to, `https://routed.test:${secure}/sni`)).status, 200);
  assert.equal((await curl(`https://localhost:${secure}/sni`)).status, 404);

  const kept = await readFile(own);
  await gateway.reload();
  assert.deepEqual(await readFile(own), kept);
  const status = (await (await fetch(`${gateway.statusUrl}/status`)).json()) as {
    sluice: { tls: Record<string, number> };
  };
  assert.deepEqual(status.sluice.tls, { handshakes: 4, resumed: 0, failed: 0, in_flight: 0 });
});

test('sessions are resumed by whichever worker takes the connection', async () => {
  await using upstream = await startEcho();
  await using both = await start(upstream.port);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = { servername: 'localhost', maxVersion };
    const session = await sessionOf(both.secure, client);
    // The kernel spreads connections by their ports: of so many no worker gets none.
    for (let i = 0; i < 40; i++) {
      assert.equal(
        (await ask(both.secure, { ...client, session })).reused,
        true,
        `${maxVersion}, number ${i}`,
      );
    }
  }
});

test('certificates in vaults that were configured, and a vault that comes later', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const pair = await issue(folder.path, authority, 'secret', 'DNS:a.test');
  const vault = (prefix: string): object => ({ name: 'env', prefix, config: { prefix: 'MY_' } });
  const certificates = ['first', 'later'].map((prefix) => ({
    cert: `{vault://${prefix}-vault/cert}`,
    key: `{vault://${prefix}-vault/key}`,
    snis: [{ name: `${prefix}.test` }],
  }));
  const env = { MY_CERT: await readFile(pair.cert, 'utf8'), MY_KEY: await readFile(pair.key, 'utf8') };
  const secure = await freePort();
  const file = (...vaults: object[]): KongConfig => ({ _format_version: '3.0', vaults, certificates });
  await using gateway = await startGateway({
    config: file(vault('first-vault')),
    settings: { proxy_listen: `127.0.0.1:${secure} ssl` },
    env,
  });
  const names = async (): Promise<string[]> => [
    await nameFor(secure, 'first.test'),
    await nameFor(secure, 'later.test'),
  ];
  assert.deepEqual(await names(), ['secret', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR']);
  const why = /no certificate for 'later\.test': .*there is no vault 'later-vault'/;
  await waitFor(async () => why.test(await gateway.logs()), { what: 'the log to say why' });
  await gateway.reload(file(vault('first-vault'), vault('later-vault')));
  assert.deepEqual(await names(), ['secret', 'secret']);
});

test('certificates change under load, by file and by configuration, without a failed request', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const pair = async (name: string): ReturnType<typeof issue> =>
    await issue(folder.path, authority, name, 'DNS:a.test');
  const [first, second, third, fourth] = [
    await pair('first'),
    await pair('second'),
    await pair('third'),
    await pair('fourth'),
  ];
  const files = { cert: join(folder.path, 'used.crt'), key: join(folder.path, 'used.key') };
  const use = async ({ cert, key }: typeof first): Promise<void> => {
    await copyFile(cert, files.cert);
    await copyFile(key, files.key);
  };
  const certificates = async ({ cert, key }: typeof first): Promise<object> => ({
    certificates: [
      {
        id: '11111111-1111-4111-8111-111111111111',
        cert: await readFile(cert, 'utf8'),
        key: await readFile(key, 'utf8'),
        snis: [{ name: 'a.test' }],
      },
    ],
  });
  await use(first);
  await using upstream = await startEcho();
  const settings = { ssl_cert: files.cert, ssl_cert_key: files.key };
  await using both = await start(
    upstream.port,
    settings,
    (await certificates(third)) as Record<string, unknown>,
  );
  const { gateway, secure } = both;
  const kept = await shake(secure, { servername: 'a.test' });
  let stop = false;
  const statuses = new Set<number>();
  const load = ['a.test', 'b.test'].map(async (servername) => {
    while (!stop) statuses.add((await ask(secure, { servername }, 'a.test')).status);
  });
  const names = async (): Promise<string[]> => [
    await nameFor(secure, 'b.test'),
    await nameFor(secure, 'a.test'),
  ];
  assert.deepEqual(await names(), ['first', 'third']);
  await use(second);
  await gateway.reload();
  assert.deepEqual(await names(), ['second', 'third']);
  await gateway.reload(config(upstream.port, (await certificates(fourth)) as Record<string, unknown>));
  assert.deepEqual(await names(), ['second', 'fourth']);

  await writeFile(files.cert, 'nothing');
  await assert.rejects(gateway.reload(), /cannot serve TLS with ssl_cert, ssl_cert_key \(number 1\)/);
  assert.deepEqual(await names(), ['second', 'fourth']);
  stop = true;
  await Promise.all(load);
  assert.deepEqual([...statuses], [404]);
  assert.equal((await request(kept, 'a.test')).status, 404);
});

const REFUSED: ReadonlyArray<readonly [settings: Readonly<Record<string, string>>, said: RegExp]> = [
  [{ ssl_cert: '/etc/hosts', ssl_cert_key: '/etc/hosts' }, /cannot serve TLS with ssl_cert, ssl_cert_key/],
  [{ ssl_cert: '/nonexistent', ssl_cert_key: '/etc/hosts' }, /ssl_cert: cannot read '\/nonexistent'/],
  [{ ssl_cert: '/etc/hosts' }, /ssl_cert and ssl_cert_key must name as many/],
  [
    { ssl_cipher_suite: 'custom', ssl_ciphers: 'NOTHING' },
    /cannot serve TLS with ssl_cipher_suite, ssl_ciphers/,
  ],
  [{ ssl_cipher_suite: 'best' }, /ssl_cipher_suite: 'best' is not one of/],
  [{ nginx_http_ssl_verify_client: 'on' }, /= on needs nginx_http_ssl_client_certificate/],
  [
    { nginx_http_ssl_client_certificate: '/etc/hosts', nginx_http_ssl_verify_client: 'on' },
    /the file has no certificate/,
  ],
];

test('what TLS cannot be had with is refused by name, at the start', async () => {
  await using folder = await tempDir();
  for (const [settings, said] of REFUSED) {
    const conf = join(folder.path, 'sluice.conf');
    const listen = {
      proxy_listen: `127.0.0.1:${await freePort()} ssl`,
      admin_listen: 'off',
      status_listen: 'off',
    };
    const lines = {
      prefix: folder.path,
      database: 'off',
      nginx_worker_processes: '1',
      ...listen,
      ...settings,
    };
    await writeFile(
      conf,
      Object.entries(lines)
        .map(([name, value]) => `${name} = ${value}\n`)
        .join(''),
    );
    const { code, stderr } = await sluice(['start', '-c', conf], { SLUICE_NO_RESTART: '1' });
    assert.notEqual(code, 0, JSON.stringify(settings));
    assert.match(stderr, said);
  }
});

test('a stop does not wait for a client that says nothing, and lets handshakes end', async () => {
  await using upstream = await startEcho();
  await using both = await start(upstream.port, { nginx_http_client_header_timeout: '1s' });
  const silent = await shake(both.secure);
  const exited = both.gateway.stop('SIGQUIT');
  await once(silent, 'close');
  assert.equal((await exited).code, 0);
});
