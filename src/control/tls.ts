/**
 * TLS of the main thread's listeners: certificates and keys from the settings, or a pair of our own. Read again at each
 * reload; connections that are open keep what they have. Versions and suites are those of all listeners
 * (`wire/tls/cipher-suites.ts`).
 */
import type { SecureContextOptions } from 'node:tls';
import { ownPair } from '../lib/x509/own-pair.ts';
import type { Settings } from '../settings/settings.ts';
import { adminSuiteOptions } from '../wire/tls/cipher-suites.ts';
import { readPem } from '../wire/tls/server-material.ts';

export type Side = 'admin' | 'status';

export interface ServerTls extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

const { createSecureContext } = process.getBuiltinModule('node:tls');

/** @throws Error that names the setting. */
export function serverTls(settings: Settings, side: Side): ServerTls {
  const certs = settings[`${side}_ssl_cert`];
  const own = certs.length === 0 ? ownPair(settings.prefix, `${side}-sluice-default`) : null;
  const { admin_client_ca, admin_client_verify } = settings;
  const authorities = side === 'admin' ? admin_client_ca : [];
  const tls: ServerTls = {
    cert: own === null ? certs.map((path) => readPem(path)) : own.cert,
    key: own === null ? settings[`${side}_ssl_cert_key`].map((path) => readPem(path)) : own.key,
    ...adminSuiteOptions(settings),
    ...(authorities.length === 0 ? {} : { ca: authorities.map((path) => readPem(path)) }),
    requestCert: authorities.length > 0,
    rejectUnauthorized: authorities.length > 0 && admin_client_verify === 'on',
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    const names = `${side}_ssl_cert, ${side}_ssl_cert_key, ssl_cipher_suite, ssl_ciphers`;
    throw new Error(
      `cannot serve TLS with ${names}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  return tls;
}
