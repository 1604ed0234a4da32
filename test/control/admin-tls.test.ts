/** TLS, HTTP/2 and client certificates on the listeners of the main thread. */
import assert from 'node:assert/strict';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { test } from 'node:test';
import { type SecureContextOptions, connect } from 'node:tls';
import { issue, makeAuthority } from '../support/authority.ts';
import { sluice } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { type Called, callAdmin } from './support/call.ts';
import { config, startStandIn } from './support/gateway.ts';

test('a listener with ssl makes itself a certificate and keeps it', async () => {
  const [port = 0, status = 0] = await freePorts(2);
  const listen = { admin_listen: `127.0.0.1:${port} http2 ssl`, status_listen: `127.0.0.1:${status} ssl` };
  await using gateway = await startStandIn({ config: config('/one'), settings: listen });
  const file = join(gateway.prefix, 'ssl', 'admin-sluice-default.crt');
  const ca = await readFile(file);
  assert.equal((await stat(file.replace('.crt', '.key'))).mode & 0o777, 0o600);
  const one = await callAdmin(`https://localhost:${port}/`, { ca, family: 4 });
  assert.equal(one.status, 200);
  assert.equal(
    (JSON.parse(one.text) as { configuration: { admin_listen: string[] } }).configuration.admin_listen[0],
    `127.0.0.1:${port} http2 ssl backlog=511`,
  );
  const statusCa = await readFile(join(gateway.prefix, 'ssl', 'status-sluice-default.crt'));
  assert.equal((await callAdmin(`https://127.0.0.1:${status}/status/ready`, { ca: statusCa })).status, 200);

  const two = await overHttp2(port, { ca }, config('/two'));
  assert.deepEqual([two.status, two.protocol], [201, 'h2']);
  const old = connect({ port, host: '127.0.0.1', ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' });
  const [error] = (await once(old, 'error')) as [Error];
  assert.match(error.message, /alert|version|protocol/i);

  const logged = async (): Promise<boolean> => {
    const log = await readFile(join(gateway.prefix, 'logs/admin_access.log'), 'utf8').catch(() => '');
    return /"GET \/ HTTP\/1\.1" 200 [1-9]/.test(log) && /"POST \/config HTTP\/2(\.0)?" 201 [1-9]/.test(log);
  };
  await waitFor(logged, { what: 'the access log' });
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.deepEqual(await readFile(file), ca);
});

async function overHttp2(
  port: number,
  tls: SecureContextOptions,
  body: string,
): Promise<{ status: number; protocol: string }> {
  const at = { host: '127.0.0.1', servername: 'localhost' };
  const session = connectHttp2(`https://localhost:${port}`, { ...at, ...tls });
  const stream = session.request({ ':method': 'POST', ':path': '/config', 'content-type': 'text/yaml' });
  stream.end(body);
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  stream.resume();
  await once(stream, 'end');
  const protocol = session.alpnProtocol ?? '';
  session.close();
  return { status: Number(headers[':status']), protocol };
}

test('certificates of the settings are read again on a reload, and broken ones refuse it', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const [first, second] = [
    await issue(folder.path, authority, 'first', 'DNS:first.test,IP:127.0.0.1'),
    await issue(folder.path, authority, 'second', 'DNS:second.test,IP:127.0.0.1'),
  ];
  const [cert, key] = [join(folder.path, 'used.crt'), join(folder.path, 'used.key')];
  const use = async (pair: { cert: string; key: string }): Promise<void> => {
    await copyFile(pair.cert, cert);
    await copyFile(pair.key, key);
  };
  await use(first);
  const [port = 0] = await freePorts(1);
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: { admin_listen: `127.0.0.1:${port} ssl`, admin_ssl_cert: cert, admin_ssl_cert_key: key },
  });
  const ca = await readFile(authority.cert);
  const served = async (): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };
  assert.equal(await served(), 'first');
  await writeFile(cert, 'no certificate');
  const refused = await gateway.control('POST', '/reload');
  assert.equal(refused.status, 400);
  assert.match(JSON.stringify(refused.body), /cannot serve TLS with admin_ssl_cert/);
  assert.equal(await served(), 'first');
  await use(second);
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.equal(await served(), 'second');
});

test('client certificates: those that a grant names are let in, and no pages through them', async () => {
  await using folder = await tempDir();
  const [authority, stranger] = [
    await makeAuthority(folder.path, 'ca'),
    await makeAuthority(folder.path, 'stranger'),
  ];
  const named = await issue(folder.path, authority, 'deploy', 'DNS:deploy.test,URI:spiffe://test/deploy');
  const other = await issue(folder.path, authority, 'other', 'DNS:other.test');
  const forged = await issue(folder.path, stranger, 'forged', 'DNS:deploy.test,URI:spiffe://test/deploy');
  const [port = 0] = await freePorts(1);
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: {
      admin_listen: `127.0.0.1:${port} ssl`,
      admin_auth: 'on',
      admin_client_ca: authority.cert,
    },
  });
  const grant = ['--name', 'deployer', '--role', 'admin', '--certificate', 'URI:spiffe://test/deploy'];
  const created = await sluice(['admin', 'token', 'create', '-p', gateway.prefix, ...grant]);
  assert.deepEqual([created.code, created.stdout], [0, '']);
  const ca = await readFile(join(gateway.prefix, 'ssl', 'admin-sluice-default.crt'));
  const ask = async (
    pair: { cert: string; key: string } | null,
    headers: Record<string, string> = {},
  ): Promise<Called> => {
    const own = pair === null ? {} : { cert: await readFile(pair.cert), key: await readFile(pair.key) };
    return callAdmin(`https://127.0.0.1:${port}/config`, { ca, headers, servername: 'localhost', ...own });
  };
  assert.equal((await ask(named)).status, 200);
  assert.equal((await ask(null)).status, 401);
  assert.equal((await ask(forged)).status, 401);
  const unnamed = await ask(other);
  assert.deepEqual([unnamed.status, /no grant names this certificate/.test(unnamed.text)], [403, true]);
  assert.equal((await ask(named, { origin: 'https://evil.test' })).status, 403);
  assert.equal((await ask(named, { host: 'evil.test', 'sec-fetch-site': 'same-origin' })).status, 403);
  assert.equal((await ask(named, { host: 'gateway.example.com' })).status, 200);
});

test('with admin_client_verify = on nobody connects without a certificate', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const [port = 0] = await freePorts(1);
  await using gateway = await startStandIn({
    config: config('/one'),
    settings: {
      admin_listen: `127.0.0.1:${port} http2 ssl`,
      admin_auth: 'on',
      admin_client_ca: authority.cert,
      admin_client_verify: 'on',
    },
  });
  const pair = await issue(folder.path, authority, 'ops', 'DNS:ops.test');
  await sluice([
    'admin',
    'token',
    'create',
    '-p',
    gateway.prefix,
    '--name',
    'ops',
    '--role',
    'write',
    '--certificate',
    'CN:ops',
  ]);
  const ca = await readFile(join(gateway.prefix, 'ssl', 'admin-sluice-default.crt'));
  await assert.rejects(callAdmin(`https://127.0.0.1:${port}/`, { ca }));
  const own = { cert: await readFile(pair.cert), key: await readFile(pair.key) };
  assert.equal((await callAdmin(`https://127.0.0.1:${port}/`, { ca, ...own })).status, 200);
  assert.equal((await overHttp2(port, { ca, ...own }, config('/two'))).status, 201);
});

test('a session that began without a certificate cannot be resumed into one', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const [port = 0] = await freePorts(1);
  const settings = {
    admin_listen: `127.0.0.1:${port} ssl`,
    admin_auth: 'off',
    admin_client_ca: authority.cert,
    admin_client_verify: 'on',
  };
  await using gateway = await startStandIn({ config: config('/one'), settings });
  const ca = await readFile(join(gateway.prefix, 'ssl', 'admin-sluice-default.crt'));
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined;
    for (let n = 0; n < 4; n++) {
      const known = session === undefined ? {} : { session };
      const socket = connect({ port, host: '127.0.0.1', ca, maxVersion, ...known });
      socket.on('session', (next: Buffer) => (session = next));
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      let text = '';
      socket.on('data', (chunk) => (text += String(chunk)));
      await new Promise((resolve) => socket.on('close', resolve));
      assert.equal(text, '', `${maxVersion}, try ${n}`);
    }
  }
});
