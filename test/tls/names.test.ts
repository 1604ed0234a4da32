/** Which certificate a client gets, and what a broken one does to the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issue, makeAuthority } from '../support/authority.ts';
import { startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { certificateEntity, entityOf, nameFor, request, shake, trustOf } from './support.ts';

const CASES: ReadonlyArray<readonly [serverName: string, commonName: string]> = [
  ['a.test', 'exact'],
  ['A.TEST', 'exact'],
  ['x.a.test', 'left'],
  ['deep.x.a.test', 'any'],
  ['www.b.test', 'right'],
  ['www.b.org', 'right'],
  ['www.c.org', 'any'],
  ['other.test', 'any'],
  ['x.test', 'any'],
  ['', 'localhost'],
];

test('server names in the order of Kong: the name, *.rest, first.*, *; none at all is the default', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const named = async (name: string): ReturnType<typeof entityOf> =>
    entityOf(await issue(folder.path, authority, name, 'DNS:localhost'));
  const trust = trustOf({
    'a.test': await named('exact'),
    '*.a.test': await named('left'),
    'www.b.*': await named('right'),
    '*': await named('any'),
    // Kong looks for a wildcard in front only where two labels are left.
    '*.test': await named('never'),
  });
  const settings = { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
  await using plane = await startPlane(1, { settings, trust });
  for (const [serverName, commonName] of CASES) {
    assert.equal(await nameFor(plane.port, serverName), commonName, `for '${serverName}'`);
  }
});

test('the default serves names without a certificate, and a broken certificate only its own name', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const good = await issue(folder.path, authority, 'good', 'DNS:good.test');
  const fallback = await issue(folder.path, authority, 'fallback', 'DNS:localhost');
  process.env['I4TLS_KEY'] = (await entityOf(good)).key;
  const { cert } = await entityOf(good);
  const trust = trustOf({
    'good.test': await entityOf(good),
    'vault.test': certificateEntity({ cert, key: '{vault://env/i4tls-key}' }),
    'lost.test': certificateEntity({ cert, key: '{vault://env/i4tls-nobody}' }),
    'broken.test': certificateEntity({ cert, key: 'no key' }),
    'mixed.test': certificateEntity({ cert, key: (await entityOf(fallback)).key }),
  });
  const settings = {
    proxy_listen: `127.0.0.1:${await freePort()} ssl`,
    ssl_cert: fallback.cert,
    ssl_cert_key: fallback.key,
  };
  await using plane = await startPlane(1, { settings, trust });
  const { port, zone } = plane;
  const all = ['good.test', 'vault.test', 'lost.test', 'broken.test', 'mixed.test', 'unknown.test', ''];
  const got: string[] = [];
  for (const name of [...all, ...all]) got.push(await nameFor(port, name));
  const alert = 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR';
  const once = ['good', 'good', alert, alert, alert, 'fallback', 'fallback'];
  assert.deepEqual(got, [...once, ...once]);
  assert.deepEqual([zone.get(CELL.tlsFailures), zone.get(CELL.tlsHandshakes)], [6, 8]);
  assert.equal(zone.get(CELL.tlsHandshaking), 0);
});

test('a pair of RSA and ECDSA serves clients of either', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const ec = await issue(folder.path, authority, 'ec', 'DNS:a.test');
  const rsa = await issue(folder.path, authority, 'rsa', 'DNS:a.test', { kind: 'rsa' });
  const settings = {
    proxy_listen: `127.0.0.1:${await freePort()} ssl`,
    ssl_cert: `${rsa.cert},${ec.cert}`,
    ssl_cert_key: `${rsa.key},${ec.key}`,
  };
  await using plane = await startPlane(1, {
    settings,
    trust: trustOf({ 'a.test': await entityOf(ec, rsa) }),
  });
  for (const name of ['a.test', 'default.test']) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = (sigalgs: string): Promise<string> => nameFor(plane.port, name, { maxVersion, sigalgs });
      assert.equal(await only('ECDSA+SHA256'), 'ec');
      assert.equal(await only('RSA-PSS+SHA256:RSA+SHA256'), 'rsa');
    }
  }
});

test('a changed certificate is live at the next handshake, and open connections do not notice', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const old = await entityOf(await issue(folder.path, authority, 'old', 'DNS:a.test'));
  const next = await entityOf(await issue(folder.path, authority, 'next', 'DNS:a.test'));
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const settings = { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
  await using plane = await startPlane(upstream.port, { settings, trust: trustOf({ 'a.test': old }) });
  const open = await shake(plane.port, { servername: 'a.test' });
  assert.equal(await nameFor(plane.port, 'a.test'), 'old');
  plane.serve(trustOf({ 'a.test': { ...next, id: old.id } }));
  assert.equal(await nameFor(plane.port, 'a.test'), 'next');
  assert.equal((await request(open, 'a.test')).status, 200);
});
