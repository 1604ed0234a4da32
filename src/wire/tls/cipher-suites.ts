/**
 * Kong's presets of `ssl_cipher_suite`, which are Mozilla's recommendations (guidelines 5.7): versions, suites, whose order
 * counts. What OpenSSL is told of them, for every TLS listener of the process.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions, SecureVersion } from 'node:tls';
import type { ClientTlsSettings } from '../../settings/settings.ts';

interface Suite {
  readonly protocols: readonly SecureVersion[];
  readonly ciphers: string;
  readonly serverOrder: boolean;
  /** PEM, `auto`, or null: no finite-field groups. */
  readonly dhparam: string | null;
}

const MODERN = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
const INTERMEDIATE = [
  MODERN,
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
  'DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305',
].join(':');
/** OpenSSL 3 has TLS 1.0 and 1.1 only below its usual level of security. */
const OLD = [
  INTERMEDIATE,
  'ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256:AES128-GCM-SHA256:AES256-GCM-SHA384',
  'AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA:DES-CBC3-SHA:@SECLEVEL=0',
].join(':');

const SUITES: Readonly<Record<Exclude<ClientTlsSettings['ssl_cipher_suite'], 'custom'>, Suite>> = {
  modern: { protocols: ['TLSv1.3'], ciphers: MODERN, serverOrder: false, dhparam: null },
  intermediate: {
    protocols: ['TLSv1.2', 'TLSv1.3'],
    ciphers: INTERMEDIATE,
    serverOrder: false,
    dhparam: 'auto',
  },
  old: {
    protocols: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'],
    ciphers: OLD,
    serverOrder: true,
    dhparam: 'auto',
  },
  fips: {
    protocols: ['TLSv1.2'],
    ciphers: 'TLSv1.2+FIPS:kRSA+FIPS:!eNULL:!aNULL',
    serverOrder: true,
    dhparam: null,
  },
};

/** @param dhparam what `ssl_dhparam` holds, read. */
export function suiteOptions(settings: ClientTlsSettings, dhparam: string | null): SecureContextOptions {
  const suite = suiteOf(settings, dhparam);
  const versions = [...suite.protocols].toSorted();
  return {
    minVersion: versions[0],
    maxVersion: versions.at(-1),
    ciphers: suite.ciphers,
    honorCipherOrder: suite.serverOrder,
    ...(suite.dhparam === null ? {} : { dhparam: suite.dhparam }),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** As the listeners of the main thread have it: no version before 1.2, whatever proxy listeners offer. */
export function adminSuiteOptions(settings: ClientTlsSettings): SecureContextOptions {
  const suite = settings.ssl_cipher_suite === 'old' ? 'intermediate' : settings.ssl_cipher_suite;
  return suiteOptions({ ...settings, ssl_cipher_suite: suite }, null);
}

function suiteOf(settings: ClientTlsSettings, dhparam: string | null): Suite {
  if (settings.ssl_cipher_suite !== 'custom') return SUITES[settings.ssl_cipher_suite];
  return {
    protocols: settings.ssl_protocols,
    ciphers: settings.ssl_ciphers === '' ? INTERMEDIATE : settings.ssl_ciphers,
    serverOrder: settings.ssl_prefer_server_ciphers,
    dhparam: dhparam?.includes('-----BEGIN ') === false ? 'auto' : dhparam,
  };
}
