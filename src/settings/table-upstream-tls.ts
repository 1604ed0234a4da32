/**
 * The settings of TLS towards upstreams. nginx's directives go by the names under which Kong injects them; what a service
 * says of itself goes before them.
 *
 * Files are read with the settings, so that a reload notices what has changed in them and refuses what cannot be used.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  boolean,
  integer,
  InvalidValue,
  oneOf,
  readableFile,
  text,
  type ValueParser,
} from './parse-value.ts';
import type { UpstreamTlsSettings } from './settings.ts';
import type { SettingSpec } from './table.ts';

type Table = { readonly [K in keyof UpstreamTlsSettings]: SettingSpec<UpstreamTlsSettings[K]> };

/** Kong's three ways to give PEM: a file, the text itself, or the text in base64. */
function pem(value: string): string {
  if (value.includes('-----BEGIN ')) return value.replaceAll('\\n', '\n');
  if (/^[A-Za-z0-9+/\s]{64,}={0,2}$/.test(value)) {
    const decoded = Buffer.from(value, 'base64').toString('latin1');
    if (decoded.includes('-----BEGIN ')) return decoded;
  }
  return readFileSync(readableFile(resolve(value)), 'utf8');
}

function certificate(value: string): string {
  const found = pem(value);
  try {
    return new X509Certificate(found).raw.length > 0 ? found : '';
  } catch {
    throw new InvalidValue('there is no certificate (PEM) in it');
  }
}

const BEGIN = /(?=-----BEGIN )/;

/** One or several, all of which can be read: OpenSSL would pass over the rest in silence. */
function authorities(value: string): string {
  const found = pem(value);
  for (const each of found.split(BEGIN).slice(found.startsWith('-----BEGIN ') ? 0 : 1)) certificate(each);
  return certificate(found);
}

function privateKey(value: string): string {
  const found = pem(value);
  try {
    createPrivateKey(found);
    return found;
  } catch {
    throw new InvalidValue('there is no private key (PEM, without a passphrase) in it');
  }
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

/** In order, and without gaps: so much can be said to OpenSSL as the first and the last. */
function protocols(value: string): readonly (typeof VERSIONS)[number][] {
  const named = new Set(value.split(/[\s,]+/).map(oneOf(...VERSIONS)));
  const found = VERSIONS.filter((version) => named.has(version));
  const first = VERSIONS.indexOf(found[0] ?? 'TLSv1');
  if (found.some((version, index) => VERSIONS[first + index] !== version)) {
    throw new InvalidValue(`'${value}' leaves out a version between others`);
  }
  return found;
}

/** A directive of nginx's proxy module. */
function directive<T>(
  name: string,
  initial: string | null,
  parse: ValueParser<T>,
  doc: string,
): SettingSpec<T> {
  const aliases = [`nginx_http_${name}`, `nginx_location_${name}`];
  return { initial, parse, takesEffect: 'live', section: 'Upstream side', doc, aliases };
}

function nullable<T>(spec: SettingSpec<T | null>): SettingSpec<T | null> {
  return { ...spec, unset: null };
}

export const UPSTREAM_TLS_SETTINGS: Table = {
  client_ssl: {
    initial: 'off',
    parse: boolean,
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'Whether upstreams that ask for a certificate get `client_ssl_cert`, where neither service nor upstream has a `client_certificate`.',
  },
  client_ssl_cert: {
    initial: null,
    parse: certificate,
    unset: null,
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'That certificate, its chain behind it: a PEM file, its text, or its text in base64.',
  },
  client_ssl_cert_key: {
    initial: null,
    parse: privateKey,
    unset: null,
    secret: true,
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'Its key, in the same ways.',
  },
  nginx_proxy_proxy_ssl_verify: directive(
    'proxy_ssl_verify',
    'off',
    boolean,
    "Whether certificates of upstreams are verified where the service's `tls_verify` is null.",
  ),
  nginx_proxy_proxy_ssl_verify_depth: directive(
    'proxy_ssl_verify_depth',
    '1',
    integer(0, 64),
    "How many certificates may lie between an upstream's and the authority that is trusted, where the service's `tls_verify_depth` is null.",
  ),
  nginx_proxy_proxy_ssl_trusted_certificate: nullable(
    directive(
      'proxy_ssl_trusted_certificate',
      null,
      authorities,
      "Authorities of upstreams, where the service's `ca_certificates` are null: a PEM file, its text, or its text in base64. Unset, those of `lua_ssl_trusted_certificate` (in Kong, nobody is trusted then).",
    ),
  ),
  nginx_proxy_proxy_ssl_protocols: directive(
    'proxy_ssl_protocols',
    'TLSv1.2 TLSv1.3',
    protocols,
    'TLS versions to speak with upstreams. TLSv1 and TLSv1.1, which Kong speaks by default, have to be named.',
  ),
  nginx_proxy_proxy_ssl_ciphers: directive(
    'proxy_ssl_ciphers',
    'DEFAULT:@SECLEVEL=0',
    text,
    'Cipher suites to offer to upstreams, in the notation of OpenSSL. The default is what Kong sets: also upstreams with small keys are reached; `DEFAULT:@SECLEVEL=2` refuses them.',
  ),
  nginx_proxy_proxy_ssl_session_reuse: directive(
    'proxy_ssl_session_reuse',
    'on',
    boolean,
    'Whether new connections to an upstream resume the session of earlier ones.',
  ),
};

/** What does not fit together, one sentence each. */
export function upstreamTlsContradictions(settings: UpstreamTlsSettings): string[] {
  const { client_ssl, client_ssl_cert: cert, client_ssl_cert_key: key } = settings;
  if (!client_ssl) return [];
  if (cert === null || key === null) return ['client_ssl needs client_ssl_cert and client_ssl_cert_key'];
  const fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  return fits ? [] : ['client_ssl_cert_key is not the key of client_ssl_cert'];
}
