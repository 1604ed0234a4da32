/**
 * The authorization code flow: off to the provider with state, nonce and PKCE, which lie in a sealed cookie of the browser
 * until it comes back. So a code is good in the browser that asked for it only, and where the browser goes then is no matter
 * of the URL that it comes with.
 *
 * A browser may have several logins under way (tabs): the cookie holds the last few.
 */
import * as oidc from 'openid-client';
import type { Exchange } from '../kit/exchange.ts';
import { reply, type Reply } from '../kit/reply.ts';
import {
  clearedCookie,
  type CookieAttributes,
  cookieLines,
  type CookieSealer,
  readCookie,
} from '../common/sealed-cookie.ts';
import type { Clients } from './clients.ts';
import { grantProblem, type OidcConfig, Unauthorized } from './config.ts';
import type { Outbox } from './outbox.ts';
import type { Provider } from './provider.ts';
import { type Tokens, tokensOf, unixNow } from './tokens.ts';

interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Where the browser wanted to go: an absolute URL of ours. */
  readonly to: string;
  readonly redirectUri: string;
  readonly client: number;
  /** Unix seconds. */
  readonly until: number;
}

export interface LoggedIn {
  readonly tokens: Tokens;
  readonly client: number;
  readonly to: string;
}

const MOST_PENDING = 4;
const LONGEST_TARGET = 1000;
const NO_STORE = { 'Cache-Control': 'no-store' };

export class Login {
  readonly #config: OidcConfig;
  readonly #provider: Provider;
  readonly #clients: Clients;
  readonly #sealer: CookieSealer;
  readonly #outbox: Outbox;

  constructor(
    config: OidcConfig,
    parts: {
      readonly provider: Provider;
      readonly clients: Clients;
      readonly sealer: CookieSealer;
      readonly outbox: Outbox;
    },
  ) {
    this.#config = config;
    this.#provider = parts.provider;
    this.#clients = parts.clients;
    this.#sealer = parts.sealer;
    this.#outbox = parts.outbox;
  }

  get #wantsIdToken(): boolean {
    return (this.#config.scopes ?? []).includes('openid');
  }

  /** Sends the browser to the provider. */
  async start(exchange: Exchange): Promise<Reply> {
    const client = this.#clients.chosen(exchange);
    const configuration = this.#clients.of(await this.#provider.known(), client);
    const pending: Pending = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
      to: this.#target(exchange),
      redirectUri: this.#redirectUri(exchange, client),
      client,
      until: unixNow() + this.#config.authorization_rolling_timeout,
    };
    this.#write(exchange, [pending, ...this.#pending(exchange)].slice(0, MOST_PENDING));
    const parameters = await this.#parameters(pending);
    return reply(302, null, {
      Location: oidc.buildAuthorizationUrl(configuration, parameters).href,
      ...NO_STORE,
    });
  }

  async #parameters(pending: Pending): Promise<URLSearchParams> {
    const config = this.#config;
    const parameters = new URLSearchParams({
      redirect_uri: pending.redirectUri,
      scope: (config.scopes ?? []).join(' '),
      state: pending.state,
      ...(this.#wantsIdToken ? { nonce: pending.nonce } : {}),
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    if (config.response_mode !== 'query') parameters.set('response_mode', config.response_mode);
    if (config.max_age !== null) parameters.set('max_age', String(config.max_age));
    for (const audience of config.audience ?? []) parameters.append('audience', audience);
    config.authorization_query_args_names?.forEach((name, index) =>
      parameters.set(name, config.authorization_query_args_values?.[index] ?? ''),
    );
    return parameters;
  }

  /**
   * What the provider answered, if this request brings it; null: it is a request like others.
   *
   * @throws Unauthorized when it is for a login that this browser has not begun.
   */
  async answer(exchange: Exchange): Promise<URLSearchParams | null> {
    const { request } = exchange;
    const form = this.#config.response_mode === 'form_post';
    if (form ? request.method !== 'POST' : request.method !== 'GET') return null;
    const ours = this.#config.redirect_uri;
    if (ours !== null && ours.length > 0 && !ours.some((uri) => new URL(uri).pathname === request.path))
      return null;
    const parameters = form ? await formOf(exchange) : new URLSearchParams(request.query);
    if (!parameters.has('state') || !(parameters.has('code') || parameters.has('error'))) return null;
    if (this.#find(exchange, parameters) !== undefined) return parameters;
    // Without a URI of our own it may be an argument of the upstream's.
    if (ours === null || ours.length === 0) return null;
    throw new Unauthorized('the answer belongs to no login of this browser');
  }

  /** @throws Unauthorized, or what kept the provider from being asked. */
  async finish(exchange: Exchange, parameters: URLSearchParams): Promise<LoggedIn> {
    const pending = this.#find(exchange, parameters);
    if (pending === undefined) throw new Unauthorized('the answer belongs to no login of this browser');
    this.#write(
      exchange,
      this.#pending(exchange).filter((other) => other !== pending && other.state !== pending.state),
    );
    const configuration = this.#clients.of(await this.#provider.known(), pending.client);
    const url = new URL(pending.redirectUri);
    url.search = parameters.toString();
    try {
      const response = await oidc.authorizationCodeGrant(configuration, url, {
        expectedState: pending.state,
        pkceCodeVerifier: pending.verifier,
        // Plain OAuth has no ID token, and so no nonce.
        ...(this.#wantsIdToken ? { expectedNonce: pending.nonce, idTokenExpected: true } : {}),
        ...(this.#config.max_age === null ? {} : { maxAge: this.#config.max_age }),
      });
      const tokens = tokensOf(response);
      // What the library leaves to TLS.
      if (tokens.id !== null) {
        await this.#provider.verify(tokens.id, { audience: this.#clients.id(pending.client) });
      }
      return { tokens, client: pending.client, to: pending.to };
    } catch (error) {
      throw grantProblem(error);
    }
  }

  #find(exchange: Exchange, parameters: URLSearchParams): Pending | undefined {
    const states = parameters.getAll('state');
    if (states.length !== 1) return undefined;
    return this.#pending(exchange).find(({ state }) => state === states[0]);
  }

  #pending(exchange: Exchange): readonly Pending[] {
    const { authorization_cookie_name: name } = this.#config;
    const text = readCookie(exchange.request.cookies, name);
    const content =
      text === null ? null : (this.#sealer.open(name, text) as { readonly logins: Pending[] } | null);
    const now = unixNow();
    return content?.logins.filter(({ until }) => until > now) ?? [];
  }

  #write(exchange: Exchange, logins: readonly Pending[]): void {
    const { authorization_cookie_name: name, authorization_rolling_timeout: maxAge } = this.#config;
    const { cookies } = exchange.request;
    const attributes = { ...this.#attributes(exchange), maxAge };
    const lines =
      logins.length === 0
        ? clearedCookie(name, attributes, cookies)
        : cookieLines(name, this.#sealer.seal(name, { logins }), attributes, cookies);
    this.#outbox.cookie(exchange, name, lines ?? []);
  }

  #attributes({ request }: Exchange): CookieAttributes {
    const config = this.#config;
    return {
      path: config.authorization_cookie_path,
      domain: config.authorization_cookie_domain,
      sameSite: config.authorization_cookie_same_site,
      httpOnly: config.authorization_cookie_http_only,
      secure: config.authorization_cookie_secure ?? request.forwarded.scheme === 'https',
    };
  }

  #redirectUri({ request }: Exchange, client: number): string {
    const uris = this.#config.redirect_uri ?? [];
    return uris[client] ?? uris[0] ?? `${originOf(request)}${request.forwarded.path}`;
  }

  #target({ request }: Exchange): string {
    const { path } = request.forwarded;
    const target = request.query === '' ? path : `${path}?${request.query}`;
    return `${originOf(request)}${target.length > LONGEST_TARGET ? '/' : target}`;
  }
}

function originOf({ forwarded: { scheme, host, port } }: Exchange['request']): string {
  const usual = port === (scheme === 'https' ? 443 : 80) || /:\d+$/.test(host);
  return `${scheme}://${host}${usual ? '' : `:${port}`}`;
}

async function formOf({ request }: Exchange): Promise<URLSearchParams> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return new URLSearchParams();
  const body = await request.body({ limit: 16 * 1024 });
  return new URLSearchParams(body.toString('utf8'));
}
