/** Client certificates as nginx's directives ask for them, and what a client reads that has no good one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { type Pair, issue, issueAuthority, makeAuthority, revoke } from '../support/authority.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho, startRawUpstream } from '../support/upstream.ts';
import { ask, shake } from './support.ts';

const NONE = /No required SSL certificate was sent/;
const BAD = /The SSL certificate error/;
const PAST = { from: '20200101000000Z', until: '20210101000000Z' };
const FUTURE = { from: '20400101000000Z', until: '20410101000000Z' };

type Who = 'nobody' | 'good' | 'deep' | 'expired' | 'early' | 'stranger' | 'revoked';
type Verdict = 'served' | 'none' | 'bad';

const CASES: ReadonlyArray<
  readonly [settings: Readonly<Record<string, string>>, verdicts: Readonly<Record<Who, Verdict>>]
> = [
  [
    { nginx_http_ssl_verify_client: 'on' },
    {
      nobody: 'none',
      good: 'served',
      deep: 'served',
      expired: 'bad',
      early: 'bad',
      stranger: 'bad',
      revoked: 'served',
    },
  ],
  [
    { nginx_http_ssl_verify_client: 'on', nginx_http_ssl_verify_depth: '0' },
    {
      nobody: 'none',
      good: 'served',
      deep: 'bad',
      expired: 'bad',
      early: 'bad',
      stranger: 'bad',
      revoked: 'served',
    },
  ],
  [
    { nginx_http_ssl_verify_client: 'optional', nginx_http_ssl_crl: 'CRL' },
    {
      nobody: 'served',
      good: 'served',
      deep: 'bad',
      expired: 'bad',
      early: 'bad',
      stranger: 'bad',
      revoked: 'bad',
    },
  ],
  [
    { nginx_http_ssl_verify_client: 'optional_no_ca' },
    {
      nobody: 'served',
      good: 'served',
      deep: 'served',
      expired: 'bad',
      early: 'bad',
      stranger: 'served',
      revoked: 'served',
    },
  ],
];

async function clients(folder: string, root: Pair): Promise<Record<Who, ConnectionOptions>> {
  const between = await issueAuthority(folder, root, 'between');
  const strange = await makeAuthority(folder, 'strange');
  const as = async ({ cert, key }: Pair, more: Pair | null = null): Promise<ConnectionOptions> => ({
    cert: `${await readFile(cert, 'utf8')}${more === null ? '' : await readFile(more.cert, 'utf8')}`,
    key: await readFile(key),
  });
  return {
    nobody: {},
    good: await as(await issue(folder, root, 'good', 'DNS:good')),
    deep: await as(await issue(folder, between, 'deep', 'DNS:deep'), between),
    expired: await as(await issue(folder, root, 'expired', 'DNS:expired', PAST)),
    early: await as(await issue(folder, root, 'early', 'DNS:early', FUTURE)),
    stranger: await as(await issue(folder, strange, 'stranger', 'DNS:stranger')),
    revoked: await as({ cert: `${folder}/revoked-ec.crt`, key: `${folder}/revoked-ec.key` }),
  };
}

test('who is served, and who reads which page', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  const crl = await revoke(folder.path, root, [await issue(folder.path, root, 'revoked', 'DNS:revoked')]);
  const who = await clients(folder.path, root);
  await using upstream = await startEcho();
  for (const [asked, verdicts] of CASES) {
    const settings = {
      proxy_listen: `127.0.0.1:${await freePort()} ssl`,
      nginx_http_ssl_client_certificate: root.cert,
      ...asked,
      ...('nginx_http_ssl_crl' in asked ? { nginx_http_ssl_crl: crl } : {}),
    };
    await using plane = await startPlane(upstream.port, { settings });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [name, verdict] of Object.entries(verdicts)) {
        const { status, text } = await ask(plane.port, { ...who[name as Who], maxVersion });
        const what = `${name} with ${JSON.stringify(asked)} in ${maxVersion}`;
        assert.equal(status, verdict === 'served' ? 200 : 400, what);
        if (verdict !== 'served') assert.match(text, verdict === 'none' ? NONE : BAD, what);
      }
    }
  }
});

test('a request for another host than the server name is misdirected, where clients are judged by it', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  await using upstream = await startEcho();
  for (const verify of ['optional', 'off']) {
    const settings = {
      proxy_listen: `127.0.0.1:${await freePort()} ssl`,
      nginx_http_ssl_client_certificate: root.cert,
      nginx_http_ssl_verify_client: verify,
    };
    await using plane = await startPlane(upstream.port, { settings });
    const status = async (servername: string, host: string): Promise<number> =>
      (await ask(plane.port, { servername }, host)).status;
    const other = verify === 'off' ? 200 : 421;
    assert.deepEqual(
      [
        await status('a.test', 'a.test'),
        await status('a.test', 'A.Test.:443'),
        await status('a.test', 'b.test'),
        await status('', 'b.test'),
      ],
      [200, 200, other, 200],
      verify,
    );
  }
});

test('connections that were judged by other rules end with a reload that changes them, and with no other', async () => {
  await using folder = await tempDir();
  const root = await makeAuthority(folder.path, 'root');
  await using upstream = await startHeld();
  const listen = { proxy_listen: `127.0.0.1:${await freePort()} ssl http2` };
  await using plane = await startPlane(upstream.port, { settings: listen });
  const idle = await shake(plane.port);
  const busy = await shake(plane.port);
  const http2 = connectHttp2(`https://127.0.0.1:${plane.port}`, { rejectUnauthorized: false });
  await once(http2, 'connect');
  busy.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await upstream.asked;
  plane.plane.updateSettings({ ...plane.settings, log_level: 'debug' });
  assert.equal(await openAfterTurn(idle, busy, http2), 3);
  plane.plane.updateSettings({
    ...plane.settings,
    nginx_http_ssl_verify_client: 'on',
    nginx_http_ssl_client_certificate: root.cert,
  });
  await Promise.all([once(idle.resume(), 'end'), once(http2, 'close')]);
  upstream.answer();
  let text = '';
  busy.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk));
  await once(busy, 'end');
  assert.match(text, /^HTTP\/1\.1 200[^]*\r\nConnection: close\r\n[^]*held$/i);
  for (const socket of [idle, busy]) socket.destroy();
});

/** An upstream whose answer waits for the test. */
async function startHeld(): Promise<
  AsyncDisposable & { port: number; asked: Promise<void>; answer(): void }
> {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    asked.resolve();
    await gate.promise;
    peer.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld');
  });
  return {
    port: upstream.port,
    asked: asked.promise,
    answer: gate.resolve,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

/** How many are open when all that was under way has been told. */
async function openAfterTurn(...all: ReadonlyArray<{ readonly destroyed: boolean }>): Promise<number> {
  await setImmediate();
  return all.filter(({ destroyed }) => !destroyed).length;
}
