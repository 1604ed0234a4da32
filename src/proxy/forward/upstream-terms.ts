/**
 * On which terms a service's upstream is spoken to: what the service says, else its upstream, else the settings.
 *
 *     client certificate   service.client_certificate, upstream.client_certificate, client_ssl_cert
 *     verification         service.tls_verify, nginx_proxy_proxy_ssl_verify
 *     depth                service.tls_verify_depth, nginx_proxy_proxy_ssl_verify_depth
 *     authorities          service.ca_certificates, nginx_proxy_proxy_ssl_trusted_certificate, lua_ssl_trusted_certificate
 *     server name          the Host header that goes upstream
 *
 * The answer is kept for a service until the snapshot's certificates or the settings change, so that a request pays a few
 * comparisons; where a certificate stands in a vault it is asked for again once a second (the vault's answers have times
 * of their own). What is missing or cannot be read fails the request: it never goes out on weaker terms.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Certificate } from '../../entities/certificate.ts';
import type { Service } from '../../entities/service.ts';
import { GatewayError } from '../../lib/gateway-error.ts';
import { isVaultReference } from '../../lib/vault/reference.ts';
import type { Settings } from '../../settings/settings.ts';
import { SecretTexts } from '../../snapshot/secret-texts.ts';
import type { Trust } from '../../snapshot/trust.ts';
import { INVALID_RESPONSE } from '../../wire/http1/fault.ts';
import { AuthoritySet, shareAuthorities } from '../../wire/tls/authority-set.ts';
import { type UpstreamTls, serverNameOf } from '../../wire/tls/destination.ts';
import { type ClientPair, type UpstreamTrust, UpstreamTrusts } from '../../wire/tls/upstream-trust.ts';

/** Fields of a service, or of what stands for one. Answers are kept by the object. */
export type TermsEntity = Pick<
  Service,
  'client_certificate' | 'tls_verify' | 'tls_verify_depth' | 'ca_certificates'
>;

/** What of a service matters here. */
export interface TermsOf {
  readonly entity: TermsEntity;
}

interface Kept {
  readonly trust: Trust;
  readonly settings: Settings;
  readonly upstreamCertificate: string | null;
  /** `performance.now()` until which it holds. */
  readonly until: number;
  readonly terms: UpstreamTrust;
  authority: string;
  tls: UpstreamTls;
}

/** Milliseconds between two looks at what stands in a vault. */
const VAULT_MS = 1000;

export class UpstreamTerms {
  #settings: Settings;
  readonly #texts: SecretTexts;
  readonly #trusts = new UpstreamTrusts();
  #kept = new WeakMap<TermsEntity, Kept>();
  /** Of the settings, and of services by the ids that they name: content that is hashed once. */
  #ownAuthorities: AuthoritySet | null = null;
  #authorities = new WeakMap<Trust, Map<string, AuthoritySet>>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#texts = new SecretTexts({
      env: process.env,
      envPrefix: settings.vault_env_prefix,
      fileBase: settings.vault_file_base,
    });
  }

  set settings(settings: Settings) {
    this.#settings = settings;
    this.#ownAuthorities = null;
  }

  /**
   * @param upstreamCertificate id of the `client_certificate` of the upstream that balances the service, or null.
   * @param authority the Host header that goes upstream.
   * @throws GatewayError when what the service wants is not there.
   */
  of(service: TermsOf, upstreamCertificate: string | null, trust: Trust, authority: string): UpstreamTls {
    const { entity } = service;
    let kept = this.#kept.get(entity);
    if (
      kept === undefined ||
      kept.trust !== trust ||
      kept.settings !== this.#settings ||
      kept.upstreamCertificate !== upstreamCertificate ||
      (kept.until !== Infinity && kept.until < performance.now())
    ) {
      kept = this.#work(entity, upstreamCertificate, trust, authority);
      this.#kept.set(entity, kept);
    }
    if (kept.authority !== authority) {
      kept.tls = { trust: kept.terms, serverName: serverNameOf(authority) };
      kept.authority = authority;
    }
    return kept.tls;
  }

  #work(entity: TermsEntity, upstreamCertificate: string | null, trust: Trust, authority: string): Kept {
    const settings = this.#settings;
    const id = entity.client_certificate?.id ?? upstreamCertificate;
    const certificate = id === null ? null : trust.certificates.get(id);
    if (certificate === undefined) throw unusable(`client certificate ${id} does not exist`);
    const versions = settings.nginx_proxy_proxy_ssl_protocols;
    const terms = this.#trusts.of({
      authorities: this.#authoritiesOf(entity, trust),
      depth: entity.tls_verify_depth ?? settings.nginx_proxy_proxy_ssl_verify_depth,
      client: certificate === null ? ownPair(settings) : this.#pair(certificate, trust),
      minVersion: versions[0] ?? 'TLSv1.2',
      maxVersion: versions.at(-1) ?? 'TLSv1.3',
      ciphers: settings.nginx_proxy_proxy_ssl_ciphers,
      resumes: settings.nginx_proxy_proxy_ssl_session_reuse,
    });
    const referenced = certificate !== null && [certificate.cert, certificate.key].some(isVaultReference);
    const until = referenced ? performance.now() + VAULT_MS : Infinity;
    const tls = { trust: terms, serverName: serverNameOf(authority) };
    return { trust, settings, upstreamCertificate, until, terms, authority, tls };
  }

  #pair(certificate: Certificate, trust: Trust): ClientPair {
    try {
      return { cert: this.#texts.of(certificate.cert, trust), key: this.#texts.of(certificate.key, trust) };
    } catch (error) {
      throw unusable(error);
    }
  }

  /** Null: without verification. */
  #authoritiesOf(entity: TermsEntity, trust: Trust): AuthoritySet | null {
    if (!(entity.tls_verify ?? this.#settings.nginx_proxy_proxy_ssl_verify)) return null;
    const ids = entity.ca_certificates;
    if (ids === null) return (this.#ownAuthorities ??= ownAuthorities(this.#settings));
    const key = [...ids].toSorted().join();
    let sets = this.#authorities.get(trust);
    if (sets === undefined) this.#authorities.set(trust, (sets = new Map()));
    let set = sets.get(key);
    if (set === undefined) sets.set(key, (set = new AuthoritySet(ids.map((id) => authorityOf(id, trust)))));
    return set;
  }
}

function authorityOf(id: string, trust: Trust): string {
  const authority = trust.authorities.get(id);
  if (authority === undefined) throw unusable(`ca certificate ${id} does not exist`);
  return authority.cert;
}

function ownPair({
  client_ssl,
  client_ssl_cert: cert,
  client_ssl_cert_key: key,
}: Settings): ClientPair | null {
  return client_ssl && cert !== null && key !== null ? { cert, key } : null;
}

/** @throws GatewayError when a file cannot be read (any more). */
function ownAuthorities(settings: Settings): AuthoritySet {
  const { nginx_proxy_proxy_ssl_trusted_certificate: own, lua_ssl_trusted_certificate: files } = settings;
  if (own !== null) return new AuthoritySet([own]);
  try {
    const set = new AuthoritySet(
      files.flatMap((file) =>
        file === 'system'
          ? process.getBuiltinModule('node:tls').getCACertificates('system')
          : [readFileSync(file, 'utf8')],
      ),
    );
    shareAuthorities(set);
    return set;
  } catch (error) {
    throw unusable(error);
  }
}

function unusable(cause: unknown): GatewayError {
  return new GatewayError('upstream_tls_unusable', INVALID_RESPONSE, {
    source: 'gateway',
    status: 502,
    cause,
  });
}
