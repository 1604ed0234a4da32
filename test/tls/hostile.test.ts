/** What comes to a TLS port and is no good handshake: refused, counted, and noticed by nobody else. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { CELL } from '../../src/zone/worker-zone.ts';
import { type TestPlane, startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { ask, shake } from './support.ts';

const run = promisify(execFile);

async function tlsPlane(upstreamPort: number, settings: Record<string, string> = {}): Promise<TestPlane> {
  return await startPlane(upstreamPort, {
    settings: { proxy_listen: `127.0.0.1:${await freePort()} ssl`, ...settings },
  });
}

/** All that came until the end. */
async function told(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1' });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

const decodeError = '15030300020232';

const BROKEN: ReadonlyArray<readonly [what: string, sent: Buffer]> = [
  ['no TLS at all', Buffer.from('\0\0\0\0')],
  ['SSL 2', Buffer.from('802e0100020015000000100100800300800700c0060040020080040080', 'hex')],
  ['an alert', Buffer.from('15030100020228', 'hex')],
  ['application data first', Buffer.from('1703030001ff', 'hex')],
  ['a hello that says to be too long', Buffer.from('160301400001ffffff', 'hex')],
  ['many empty records', Buffer.from('1603010000'.repeat(100), 'hex')],
  ['a hello of nothing', Buffer.from('1603010004010000000', 'hex')],
];

test('broken first bytes get an alert and are counted', async () => {
  await using plane = await tlsPlane(1);
  for (const [what, sent] of BROKEN) {
    const before = plane.zone.get(CELL.tlsFailures);
    assert.equal((await told(plane.port, sent)).toString('hex').slice(0, 14), decodeError, what);
    assert.equal(plane.zone.get(CELL.tlsFailures), before + 1, what);
  }
  await plane.settled();
  assert.equal(plane.zone.get(CELL.tlsHandshaking), 0);
});

test('a request in plain HTTP reads the page of nginx', async () => {
  await using upstream = await startEcho();
  await using plane = await tlsPlane(upstream.port);
  const { responses } = await rawRequest(
    plane.port,
    'GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n',
  );
  assert.equal(responses[0]?.status, 400);
  assert.match(responses[0].text(), /The plain HTTP request was sent to HTTPS port/);
  assert.equal(upstream.requests, 0);
  assert.equal((await ask(plane.port)).status, 200);
});

test('handshakes that do not go on are ended in time', async () => {
  await using plane = await tlsPlane(1, { nginx_http_client_header_timeout: '300ms' });
  const silent = connect({ port: plane.port, host: '127.0.0.1' });
  const begun = connect({ port: plane.port, host: '127.0.0.1' });
  begun.write(Buffer.from('1603010200', 'hex'));
  await Promise.all([once(silent, 'close'), once(begun, 'close')]);
  await waitFor(() => plane.zone.get(CELL.tlsHandshaking) === 0, { what: 'no handshake to be in flight' });
  assert.equal(plane.zone.get(CELL.tlsFailures), 2);
});

test('a thousand half-open handshakes keep nobody out', async () => {
  await using upstream = await startEcho();
  await using plane = await tlsPlane(upstream.port);
  const open: Socket[] = [];
  try {
    for (let i = 0; i < 1000; i++) {
      const socket = connect({ port: plane.port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      if (i % 2 === 0) socket.write(Buffer.from('16030102000100', 'hex'));
      open.push(socket);
    }
    await waitFor(() => plane.zone.get(CELL.tlsHandshaking) === 1000, { what: 'all to be accepted' });
    for (let i = 0; i < 10; i++) assert.equal((await ask(plane.port)).status, 200);
  } finally {
    for (const socket of open) socket.destroy();
  }
  await waitFor(() => plane.zone.get(CELL.tlsHandshaking) === 0, { what: 'none to be left' });
  assert.equal(plane.zone.get(CELL.tlsFailures), 1000);
});

test('renegotiation is refused, and the connection of others goes on', async () => {
  await using upstream = await startEcho();
  await using plane = await tlsPlane(upstream.port);
  const other = await shake(plane.port);
  const args = ['s_client', '-connect', `127.0.0.1:${plane.port}`, '-tls1_2', '-legacy_server_connect'];
  const client = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [client.stdout, client.stderr]) {
    stream.setEncoding('latin1').on('data', (text: string) => void (said += text));
  }
  await waitFor(() => said.includes('Verify return code'), { what: 'the handshake' });
  client.stdin.write('R\n');
  await once(client, 'close');
  assert.match(said, /RENEGOTIATING/);
  assert.match(said, /no renegotiation/);
  other.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(other, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200/);
  other.destroy();
});

const VERSIONS: ReadonlyArray<
  readonly [suite: string, taken: readonly string[], refused: readonly string[]]
> = [
  ['modern', ['-tls1_3'], ['-tls1_2', '-tls1_1', '-tls1']],
  ['intermediate', ['-tls1_3', '-tls1_2'], ['-tls1_1', '-tls1', '-tls1_2 -cipher AES128-SHA256']],
  ['old', ['-tls1_3', '-tls1_2', '-tls1_1', '-tls1', '-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA'], []],
  ['fips', ['-tls1_2'], ['-tls1_3', '-tls1_1', '-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305']],
];

test('versions and suites of the presets, by the client of OpenSSL', async () => {
  for (const [suite, taken, refused] of VERSIONS) {
    await using plane = await tlsPlane(1, { ssl_cipher_suite: suite });
    const connects = async (flags: string): Promise<boolean> => {
      const level = flags.includes('-cipher') ? flags : `${flags} -cipher ALL`;
      const words = level
        .split(' ')
        .map((word, at, all) => (all[at - 1] === '-cipher' ? `${word}:@SECLEVEL=0` : word));
      const args = ['s_client', '-connect', `127.0.0.1:${plane.port}`, ...words];
      const child = run('openssl', args);
      child.child.stdin?.end();
      return await child.then(
        () => true,
        () => false,
      );
    };
    for (const flags of taken) assert.equal(await connects(flags), true, `${suite} ${flags}`);
    for (const flags of refused) assert.equal(await connects(flags), false, `${suite} ${flags}`);
  }
});

test('ALPN: what both speak, and no agreement is an alert', async () => {
  await using plane = await tlsPlane(1);
  const alpn = async (...ALPNProtocols: string[]): Promise<unknown> => {
    try {
      const socket = await shake(plane.port, { ALPNProtocols });
      socket.destroy();
      return socket.alpnProtocol;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  assert.equal(await alpn('h2', 'http/1.1'), 'http/1.1');
  assert.equal(await alpn('http/1.0'), 'http/1.0');
  assert.equal(await alpn('spdy/1'), 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});
