/** The gateway's clients at the provider: `openid-client` speaks for them, over the gateway's own HTTP. */
import * as oidc from 'openid-client';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import { certificateOf, proofOf, usesCertificate } from './client-proof.ts';
import type { OidcConfig } from './config.ts';
import type { Known } from './provider.ts';

export class Clients {
  readonly #config: OidcConfig;
  readonly #gateway: PluginServices;
  readonly #proofs: oidc.ClientAuth[] = [];
  /** By what is known of the provider, then by index. */
  readonly #made = new WeakMap<Known, oidc.Configuration[]>();

  constructor(config: OidcConfig, gateway: PluginServices) {
    this.#config = config;
    this.#gateway = gateway;
    // A key that is none is told when the plugin is made.
    config.client_id?.forEach((_, index) => this.#proof(index));
  }

  /** Which client the request names: by id, or by its place from 1. */
  chosen({ request }: Exchange): number {
    const { client_id: ids, client_arg: name } = this.#config;
    if (ids === null || ids.length < 2) return 0;
    const said = request.headers.get(name) ?? request.args.get(name)?.[0];
    if (said === undefined) return 0;
    const found = ids.indexOf(said);
    if (found >= 0) return found;
    return /^[1-9]\d?$/.test(said) && Number(said) <= ids.length ? Number(said) - 1 : 0;
  }

  id(index: number): string {
    return this.#gateway.secret(this.#config.client_id?.[index] ?? '');
  }

  of(known: Known, index: number): oidc.Configuration {
    let list = this.#made.get(known);
    if (list === undefined) this.#made.set(known, (list = []));
    return (list[index] ??= this.#configuration(known, this.id(index), index));
  }

  /** Another client, that of a request. */
  withSecret(known: Known, id: string, secret: string): oidc.Configuration {
    return this.#configuration(known, id, oidc.ClientSecretBasic(secret));
  }

  /** @param proof or whose it is, of the clients of the configuration. */
  #configuration(known: Known, id: string, proof: oidc.ClientAuth | number): oidc.Configuration {
    const shows = typeof proof === 'number' && usesCertificate(this.#config, proof);
    const metadata = { [oidc.clockTolerance]: this.#config.leeway, use_mtls_endpoint_aliases: shows };
    const auth = typeof proof === 'number' ? this.#proof(proof) : proof;
    const configuration = new oidc.Configuration(known.metadata as oidc.ServerMetadata, id, metadata, auth);
    configuration[oidc.customFetch] = (url, options) => this.#fetch(url, options, shows);
    configuration.timeout = Math.ceil(this.#config.timeout / 1000) + 1;
    // An issuer on plain HTTP is the operator's choice: the configuration says so.
    if (known.metadata.issuer.startsWith('http://')) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  /** Keys are read once. */
  #proof(index: number): oidc.ClientAuth {
    return (this.#proofs[index] ??= proofOf(this.#config, this.#gateway, index));
  }

  async #fetch(url: string, options: oidc.CustomFetchOptions, shows: boolean): Promise<Response> {
    const { method, headers, body, signal } = options;
    const answer = await this.#gateway.fetch(url, {
      method,
      headers,
      timeoutMs: this.#config.timeout,
      maxBytes: 256 * 1024,
      tlsVerify: this.#config.ssl_verify,
      ...(shows ? { tls: certificateOf(this.#config, this.#gateway) } : {}),
      ...(body === null || body === undefined ? {} : { body: bodyText(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    const fields = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) fields.set(name, typeof value === 'string' ? value : value.join(', '));
    }
    const bodyless = answer.status === 204 || answer.status === 304;
    return new Response(bodyless ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: fields,
    });
  }
}

function bodyText(body: oidc.FetchBody): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('only texts and forms are sent to a provider');
}
