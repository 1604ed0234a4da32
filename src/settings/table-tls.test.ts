import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { selfSigned } from '../lib/x509/self-signed.ts';
import { loadSettings } from './load.ts';

const LISTEN = { database: 'off', proxy_listen: '127.0.0.1:8443 ssl' };

const WARNED: ReadonlyArray<readonly [settings: Readonly<Record<string, string>>, said: RegExp | null]> = [
  [
    { ssl_protocols: 'TLSv1.3' },
    /ssl_protocols has no effect with ssl_cipher_suite = intermediate, only with custom/,
  ],
  [
    { ssl_cipher_suite: 'modern', ssl_ciphers: 'ALL' },
    /ssl_ciphers has no effect with ssl_cipher_suite = modern/,
  ],
  [{ ssl_prefer_server_ciphers: 'off' }, /ssl_prefer_server_ciphers has no effect/],
  [{ ssl_dhparam: 'ffdhe2048' }, /ssl_dhparam has no effect/],
  [{ ssl_protocols: 'TLSv1.2 TLSv1.3', ssl_prefer_server_ciphers: 'on' }, null],
  [{ ssl_cipher_suite: 'custom', ssl_protocols: 'TLSv1.3', ssl_dhparam: 'ffdhe2048' }, null],
  [{ ssl_cipher_suite: 'old' }, /TLS 1\.0 and 1\.1 are not safe any more/],
  [
    { nginx_http_ssl_verify_client: 'optional_no_ca', proxy_listen: '127.0.0.1:8000' },
    /no listener of proxy_listen has ssl: nobody is asked/,
  ],
];

test('what is set and does nothing is warned of', () => {
  for (const [settings, said] of WARNED) {
    const { warnings } = loadSettings({ env: {}, overrides: { ...LISTEN, ...settings } });
    if (said === null) assert.deepEqual(warnings, [], JSON.stringify(settings));
    else assert.match(warnings.join('\n'), said, JSON.stringify(settings));
  }
});

test('certificates as files, as text and as text in base64', async () => {
  await using folder = await tempDir();
  const { cert, key } = selfSigned({ names: ['a'], from: new Date(0), until: new Date(4e12) });
  const file = join(folder.path, 'cert.pem');
  writeFileSync(file, cert);
  const written = [file, cert, Buffer.from(cert).toString('base64')];
  const { settings } = loadSettings({
    env: { SLUICE_SSL_CERT: written.join(','), SLUICE_SSL_CERT_KEY: [key, key, key].join(',') },
    overrides: LISTEN,
  });
  const [path, ...texts] = settings.ssl_cert;
  assert.equal(path, file);
  for (const text of texts) assert.equal(text.trim(), readFileSync(file, 'utf8').trim());
});
