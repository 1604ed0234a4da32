/**
 * TLS of the main thread's listeners: certificates and keys from the settings, or a pair of our own that signs itself,
 * kept in `PREFIX/ssl` as Kong keeps its. Read again at each reload; connections that are open keep what they have.
 */
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { makeFolder } from '../lib/make-folder.ts';
import { type SelfSigned, selfSigned } from '../lib/x509/self-signed.ts';
import type { Settings } from '../settings/settings.ts';

export type Side = 'admin' | 'status';

export interface ServerTls extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

const { createSecureContext } = process.getBuiltinModule('node:tls');

const DAY_MS = 86_400_000;
/** It is trusted by name or not at all, so its end is far away, as Kong's. */
const LIFE_MS = 20 * 365 * DAY_MS;

/** @throws Error that names the setting. */
export function serverTls(settings: Settings, side: Side): ServerTls {
  const certs = settings[`${side}_ssl_cert`];
  const own = certs.length === 0 ? ownPair(settings.prefix, side) : null;
  const { ssl_protocols, ssl_ciphers, admin_client_ca, admin_client_verify } = settings;
  const authorities = side === 'admin' ? admin_client_ca : [];
  const tls: ServerTls = {
    cert: own === null ? certs.map((path) => read(path)) : own.cert,
    key: own === null ? settings[`${side}_ssl_cert_key`].map((path) => read(path)) : own.key,
    minVersion: ssl_protocols.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: ssl_protocols.includes('TLSv1.3') ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: ssl_ciphers,
    honorCipherOrder: true,
    ...(authorities.length === 0 ? {} : { ca: authorities.map((path) => read(path)) }),
    requestCert: authorities.length > 0,
    rejectUnauthorized: authorities.length > 0 && admin_client_verify === 'on',
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    const names = `${side}_ssl_cert, ${side}_ssl_cert_key, ssl_ciphers`;
    throw new Error(
      `cannot serve TLS with ${names}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
  return tls;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Made at the first start, and again when it has ended. @throws Error of the system. */
function ownPair(prefix: string, side: Side): SelfSigned {
  const certFile = join(prefix, 'ssl', `${side}-sluice-default.crt`);
  const keyFile = join(prefix, 'ssl', `${side}-sluice-default.key`);
  const kept = keptPair(certFile, keyFile);
  if (kept !== null) return kept;
  const now = Date.now();
  const pair = selfSigned({
    names: [...new Set(['localhost', hostname().toLowerCase(), '127.0.0.1', '::1'])],
    from: new Date(now - DAY_MS),
    until: new Date(now + LIFE_MS),
  });
  makeFolder(join(prefix, 'ssl'));
  write(keyFile, pair.key, 0o600);
  write(certFile, pair.cert, 0o644);
  return pair;
}

/** Null: there is none that still serves. */
function keptPair(certFile: string, keyFile: string): SelfSigned | null {
  if (!existsSync(certFile) || !existsSync(keyFile)) return null;
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  try {
    createSecureContext(pair);
    return new X509Certificate(pair.cert).validToDate.getTime() > Date.now() ? pair : null;
  } catch {
    // Half written by a process that was killed.
    return null;
  }
}

function write(path: string, text: string, mode: number): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, text, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}
