/** How a client proves itself to the provider (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2). */
import { createPrivateKey, type webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import type { FetchTls, PluginServices } from '../kit/services.ts';
import type { OidcConfig } from './config.ts';

type Way = NonNullable<OidcConfig['client_auth']>[number];
type ClientKey = NonNullable<OidcConfig['client_jwk']>[number];

/** By name; what curves sign with. */
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };
const MUTUAL: ReadonlySet<Way> = new Set(['tls_client_auth', 'self_signed_tls_client_auth']);

/** @throws Error with what is wrong with a key. */
export function proofOf(config: OidcConfig, gateway: PluginServices, index: number): oidc.ClientAuth {
  const secret = config.client_secret?.[index];
  const key = config.client_jwk?.[index];
  const way = wayOf(config, index);
  if (MUTUAL.has(way)) return oidc.TlsClientAuth();
  if (way === 'private_key_jwt' && key !== undefined) return privateKey(key);
  if (secret === undefined || way === 'none') return oidc.None();
  const text = gateway.secret(secret);
  if (way === 'client_secret_post') return oidc.ClientSecretPost(text);
  if (way === 'client_secret_jwt') return oidc.ClientSecretJwt(text);
  return oidc.ClientSecretBasic(text);
}

export function usesCertificate(config: OidcConfig, index: number): boolean {
  return MUTUAL.has(wayOf(config, index));
}

/** What is shown to the provider, as it is now. @throws Error when there is no such certificate. */
export function certificateOf(config: OidcConfig, gateway: PluginServices): FetchTls {
  const id = config.tls_client_auth_cert_id ?? '';
  const pair = gateway.certificate(id);
  if (pair === null) throw new Error(`there is no certificate ${id}`);
  return pair;
}

function wayOf(config: OidcConfig, index: number): Way {
  const said = config.client_auth?.[index];
  if (said !== undefined) return said;
  if (config.client_secret?.[index] !== undefined) return 'client_secret_basic';
  return config.client_jwk?.[index] === undefined ? 'none' : 'private_key_jwt';
}

function privateKey(jwk: ClientKey): oidc.ClientAuth {
  const given = Object.fromEntries(Object.entries(jwk).filter(([, value]) => value !== null));
  const key = createPrivateKey({ key: given, format: 'jwk' });
  const cryptoKey = key.toCryptoKey(algorithmOf(jwk), false, ['sign']);
  return oidc.PrivateKeyJwt(jwk.kid === null ? cryptoKey : { key: cryptoKey, kid: jwk.kid }, {
    [oidc.modifyAssertion](header) {
      // The library has RFC 9864's name of it, which few know.
      if (header['alg'] === 'Ed25519') header['alg'] = 'EdDSA';
    },
  });
}

function algorithmOf({ kty, alg, crv }: ClientKey): webcrypto.AlgorithmIdentifier {
  const name = alg ?? (kty === 'RSA' ? 'RS256' : kty === 'EC' ? (CURVES[crv ?? ''] ?? '') : 'EdDSA');
  const hash = `SHA-${name.slice(2)}`;
  if (name.startsWith('RS')) return { name: 'RSASSA-PKCS1-v1_5', hash } as webcrypto.RsaHashedImportParams;
  if (name.startsWith('PS')) return { name: 'RSA-PSS', hash } as webcrypto.RsaHashedImportParams;
  if (name.startsWith('ES')) return { name: 'ECDSA', namedCurve: crv } as webcrypto.EcKeyImportParams;
  return { name: 'Ed25519' };
}
