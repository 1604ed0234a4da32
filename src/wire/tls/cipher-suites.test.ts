/** The presets against Kong 3.9's (`ssl_cipher_suite`, Mozilla's guidelines 5.7): which suites of TLS 1.2 they offer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../../settings/load.ts';
import { suiteOptions } from './cipher-suites.ts';

const AEAD = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'];
const forward = ['ECDHE-ECDSA', 'ECDHE-RSA', 'DHE-RSA'].flatMap((key) =>
  AEAD.map((name) => `${key}-${name}`),
);
const cbc = ['ECDHE-ECDSA', 'ECDHE-RSA']
  .flatMap((key) =>
    ['AES128-SHA256', 'AES128-SHA', 'AES256-SHA384', 'AES256-SHA'].map((name) => `${key}-${name}`),
  )
  .concat('DHE-RSA-AES128-SHA256', 'DHE-RSA-AES256-SHA256', 'AES128-GCM-SHA256', 'AES256-GCM-SHA384')
  .concat('AES128-SHA256', 'AES256-SHA256', 'AES128-SHA', 'AES256-SHA', 'DES-CBC3-SHA');

const CASES: readonly (readonly [preset: string, suites: readonly string[]])[] = [
  ['modern', []],
  ['intermediate', forward],
  ['old', [...forward, ...cbc]],
];

for (const [preset, suites] of CASES) {
  test(`${preset} offers what Kong's does`, () => {
    const overrides = { prefix: '/nowhere', database: 'off', ssl_cipher_suite: preset };
    const { settings } = loadSettings({ env: {}, overrides });
    const { ciphers = '' } = suiteOptions(settings, null);
    const offered = ciphers.split(':').filter((name) => !/^(?:TLS_|@)/.test(name));
    assert.deepEqual(offered.toSorted(), suites.toSorted());
  });
}
