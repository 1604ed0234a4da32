/**
 * What TLS towards clients is made of, read: the settings name files, and these are their contents. The main thread reads
 * them first, to refuse what cannot serve (and to make the pair of our own); each worker reads them for itself.
 */
import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { ownPair } from '../../lib/x509/own-pair.ts';
import type { ClientTlsSettings } from '../../settings/settings.ts';
import { suiteOptions } from './cipher-suites.ts';

export interface KeyPair {
  /** PEM with its chain. */
  readonly cert: string;
  readonly key: string;
}

/**
 * nginx's `ssl_verify_client` with what it needs; null on a listener that asks nobody. `plugins`: clients are asked, and
 * whatever they show is judged by plugins.
 */
export interface ClientVerify {
  readonly mode: 'on' | 'optional' | 'optional_no_ca' | 'plugins';
  /** PEM. */
  readonly authorities: string | null;
  readonly crl: string | null;
  readonly depth: number;
}

export interface ServerMaterial {
  /** Versions, suites, order. */
  readonly suite: SecureContextOptions;
  /** For server names without a certificate of their own. */
  readonly pairs: readonly KeyPair[];
  readonly verify: ClientVerify | null;
  readonly tickets: boolean;
  /** Seconds that a ticket may be used. */
  readonly ticketSeconds: number;
  readonly stapling: boolean;
}

/** Not imported: see decision 15; an import reads every export, which costs a worker 0.4 MiB. */

const OWN_PAIR = 'sluice-default';

/** @throws Error that names the setting. */
export function readServerMaterial(
  settings: ClientTlsSettings & { readonly prefix: string },
): ServerMaterial {
  const { ssl_cert, ssl_cert_key, ssl_dhparam, ssl_session_timeout } = settings;
  const pairs = ssl_cert.map((cert, at) => ({ cert: readPem(cert), key: readPem(ssl_cert_key[at] ?? '') }));
  const dhparam = ssl_dhparam === null || isGroup(ssl_dhparam) ? ssl_dhparam : readPem(ssl_dhparam);
  const material: ServerMaterial = {
    suite: suiteOptions(settings, dhparam),
    pairs: pairs.length === 0 ? [ownPair(settings.prefix, OWN_PAIR)] : pairs,
    verify: clientVerify(settings),
    tickets: settings.ssl_session_tickets,
    ticketSeconds: Math.floor(ssl_session_timeout / 1000),
    stapling: settings.nginx_http_ssl_stapling,
  };
  check(material);
  return material;
}

function clientVerify(settings: ClientTlsSettings): ClientVerify | null {
  const mode = settings.nginx_http_ssl_verify_client;
  if (mode === 'off') return null;
  const { nginx_http_ssl_client_certificate: authorities, nginx_http_ssl_crl: crl } = settings;
  return {
    mode,
    authorities: authorities === null ? null : readPem(authorities),
    crl: crl === null ? null : readPem(crl),
    depth: settings.nginx_http_ssl_verify_depth,
  };
}

/** What a context needs of client certificates. */
export function verifyOptions(verify: ClientVerify | null): SecureContextOptions {
  if (verify === null) return {};
  const { authorities, crl } = verify;
  // An empty list: nobody is trusted, not even whom the system trusts.
  return {
    ca: authorities === null ? [] : splitPem(authorities),
    ...(crl === null ? {} : { crl: splitCrl(crl) }),
  };
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;
const CRL = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g;

function splitPem(text: string): string[] {
  return text.match(CERTIFICATE) ?? [];
}

function splitCrl(text: string): string[] {
  return text.match(CRL) ?? [];
}

function isGroup(value: string): boolean {
  return /^(?:ffdhe|modp_)\d+$/.test(value);
}

/** @param value PEM or the path of a file. @throws Error that names the file. */
export function readPem(value: string): string {
  if (value.includes('-----BEGIN ')) return value;
  try {
    return readFileSync(value, 'latin1');
  } catch (error) {
    throw new Error(`cannot read ${value}: ${messageOf(error)}`, { cause: error });
  }
}

function check(material: ServerMaterial): void {
  const { suite, pairs, verify } = material;
  attempt('ssl_cipher_suite, ssl_ciphers, ssl_dhparam', suite);
  for (const [at, pair] of pairs.entries())
    attempt(`ssl_cert, ssl_cert_key (number ${at + 1})`, { ...suite, ...pair });
  if (verify === null) return;
  if (verify.authorities !== null && splitPem(verify.authorities).length === 0) {
    throw new Error('cannot serve TLS with nginx_http_ssl_client_certificate: the file has no certificate');
  }
  if (verify.crl !== null && splitCrl(verify.crl).length === 0) {
    throw new Error('cannot serve TLS with nginx_http_ssl_crl: the file has no list of revoked certificates');
  }
  attempt('nginx_http_ssl_client_certificate, nginx_http_ssl_crl', verifyOptions(verify));
}

function attempt(names: string, options: SecureContextOptions): void {
  try {
    process.getBuiltinModule('node:tls').createSecureContext(options);
  } catch (error) {
    throw new Error(`cannot serve TLS with ${names}: ${messageOf(error)}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
