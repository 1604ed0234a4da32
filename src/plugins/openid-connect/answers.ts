/**
 * What the provider answers about tokens, users and passwords, kept for a while: by hashes of what was asked, never longer
 * than the token lives, and each question under way is asked once.
 * Refusals are not kept.
 */
import { createHash } from 'node:crypto';
import * as oidc from 'openid-client';
import type { Cache, PluginServices } from '../kit/services.ts';
import type { Clients } from './clients.ts';
import { type Claims, grantProblem, type OidcConfig, Unauthorized } from './config.ts';
import type { UserPass } from './credentials.ts';
import type { Known, Provider } from './provider.ts';
import { Refreshes } from './refreshes.ts';
import { type Tokens, tokensOf, unixNow } from './tokens.ts';

const MOST_KEPT = 5000;
const VERIFIED_KEPT_S = 3600;

interface Kept<V> {
  readonly value: V;
  /** Unix seconds. */
  readonly until: number;
}

type Alone = (ask: () => Promise<Tokens>) => Promise<Tokens>;

export class Answers {
  readonly #config: OidcConfig;
  readonly #provider: Provider;
  readonly #clients: Clients;
  readonly #verified: Cache<Kept<Claims>>;
  readonly #introspected: Cache<Kept<Claims>>;
  readonly #users: Cache<Kept<Claims>>;
  readonly #granted: Cache<Kept<Tokens>>;
  readonly #refreshes: Refreshes;
  #verifiedWith: Known['keys'] | null = null;

  constructor(config: OidcConfig, gateway: PluginServices, provider: Provider, clients: Clients) {
    this.#config = config;
    this.#provider = provider;
    this.#clients = clients;
    const options = { max: MOST_KEPT, ttlMs: VERIFIED_KEPT_S * 1000 };
    this.#verified = gateway.cache(options);
    this.#introspected = gateway.cache(options);
    this.#users = gateway.cache(options);
    this.#granted = gateway.cache(options);
    this.#refreshes = new Refreshes(gateway, config.timeout);
  }

  /** The claims of a signed token. @throws Unauthorized */
  verified(token: string): Claims | Promise<Claims> {
    const known = this.#provider.known();
    if (!(known instanceof Promise) && known.keys !== this.#verifiedWith) {
      this.#verified.clear();
      this.#verifiedWith = known.keys;
    }
    return this.#kept(this.#verified, hashOf(token), async () => {
      const claims = await this.#provider.verify(token);
      const until = Math.min(claims.exp ?? 0, unixNow() + VERIFIED_KEPT_S);
      return { value: claims, until };
    });
  }

  /** @throws Unauthorized when it is not active. */
  introspected(token: string, client: number): Claims | Promise<Claims> {
    const ask = async (): Promise<Kept<Claims>> => {
      const configuration = this.#clients.of(await this.#provider.known(), client);
      const { introspection_hint: hint, leeway } = this.#config;
      const claims: Claims = await attempted(() =>
        oidc.tokenIntrospection(configuration, token, { token_type_hint: hint }),
      );
      const exp = typeof claims['exp'] === 'number' ? claims['exp'] : undefined;
      if (claims['active'] !== true || (exp !== undefined && exp + leeway <= unixNow())) {
        throw new Unauthorized('the token is not active');
      }
      const iss = claims['iss'];
      const issuers = [
        (await this.#provider.known()).metadata.issuer,
        ...(this.#config.issuers_allowed ?? []),
      ];
      if (iss !== undefined && !issuers.some((issuer) => issuer === iss))
        throw new Unauthorized('the token is of another issuer');
      return { value: claims, until: this.#until(exp) };
    };
    const cache = this.#config.cache_introspection ? this.#introspected : null;
    return this.#kept(cache, hashOf(`${client} ${token}`), ask);
  }

  /** What the provider says of the user. @throws Unauthorized */
  user(token: string, subject: string | null, client: number): Claims | Promise<Claims> {
    const ask = async (): Promise<Kept<Claims>> => {
      const configuration = this.#clients.of(await this.#provider.known(), client);
      const expected = subject ?? oidc.skipSubjectCheck;
      const claims: Claims = await attempted(() => oidc.fetchUserInfo(configuration, token, expected));
      return { value: claims, until: this.#until(undefined) };
    };
    const cache = this.#config.cache_user_info ? this.#users : null;
    return this.#kept(cache, hashOf(`${subject ?? ''} ${token}`), ask);
  }

  /** @throws Unauthorized */
  password(shown: UserPass, client: number): Tokens | Promise<Tokens> {
    const ask = async (): Promise<oidc.Configuration> =>
      this.#clients.of(await this.#provider.known(), client);
    return this.#grant('password', `${client}`, shown, ask);
  }

  /** @throws Unauthorized */
  clientCredentials(shown: UserPass): Tokens | Promise<Tokens> {
    const ask = async (): Promise<oidc.Configuration> =>
      this.#clients.withSecret(await this.#provider.known(), shown.user, shown.password);
    return this.#grant('client_credentials', '', shown, ask);
  }

  #grant(
    type: 'password' | 'client_credentials',
    client: string,
    { user, password }: UserPass,
    configurationOf: () => Promise<oidc.Configuration>,
  ): Tokens | Promise<Tokens> {
    const ask = async (): Promise<Kept<Tokens>> => {
      const configuration = await configurationOf();
      const parameters = new URLSearchParams({ scope: (this.#config.scopes ?? []).join(' ') });
      for (const audience of this.#config.audience ?? []) parameters.append('audience', audience);
      if (type === 'password') {
        parameters.set('username', user);
        parameters.set('password', password);
      } else {
        // There is no user whose identity could be told.
        parameters.set('scope', (this.#config.scopes ?? []).filter((name) => name !== 'openid').join(' '));
        if (parameters.get('scope') === '') parameters.delete('scope');
      }
      const response = await attempted(() =>
        type === 'password'
          ? oidc.genericGrantRequest(configuration, type, parameters)
          : oidc.clientCredentialsGrant(configuration, parameters),
      );
      const tokens = tokensOf(response);
      return { value: tokens, until: this.#until(tokens.expires ?? undefined) };
    };
    const cache = this.#config.cache_tokens ? this.#granted : null;
    return this.#kept(cache, hashOf(JSON.stringify([type, client, user, password])), ask);
  }

  /**
   * @param alone asks while nobody else does, or knows what another has got.
   * @throws Unauthorized when the provider does not take the token any more.
   */
  refreshed(before: Tokens, client: number, alone: Alone = (ask) => ask()): Tokens | Promise<Tokens> {
    const { refresh } = before;
    if (refresh === null) throw new Unauthorized('the access token has expired', false);
    const key = hashOf(`${this.#config.issuer} ${this.#clients.id(client)} ${refresh}`);
    const ask = async (): Promise<Tokens> => {
      const configuration = this.#clients.of(await this.#provider.known(), client);
      const response = await attempted(() => oidc.refreshTokenGrant(configuration, refresh));
      const tokens = tokensOf(response, before);
      if (response.id_token !== undefined) {
        await this.#provider.verify(response.id_token, { audience: this.#clients.id(client) });
      }
      return tokens;
    };
    return this.#refreshes.once(key, () => alone(ask));
  }

  /** What fails is not worth more than a line in the log: the session is over. */
  async revoke(token: string, hint: string, client: number): Promise<void> {
    const configuration = this.#clients.of(await this.#provider.known(), client);
    await oidc.tokenRevocation(configuration, token, { token_type_hint: hint });
    this.#introspected.delete(hashOf(`${client} ${token}`));
  }

  /** Unix seconds until which an answer is kept. */
  #until(exp: number | undefined): number {
    const { cache_ttl: ttl, cache_ttl_min: least, cache_ttl_max: most } = this.#config;
    const seconds = Math.min(Math.max(ttl, least ?? 0), most ?? Infinity);
    return Math.min(unixNow() + seconds, exp ?? Infinity);
  }

  #kept<V>(cache: Cache<Kept<V>> | null, key: string, ask: () => Promise<Kept<V>>): V | Promise<V> {
    if (cache === null) return ask().then(({ value }) => value);
    const there = cache.get(key);
    if (there !== undefined && there.until > unixNow()) return there.value;
    if (there !== undefined) cache.delete(key);
    const loaded = cache.load(key, ask);
    return loaded instanceof Promise ? loaded.then(({ value }) => value) : loaded.value;
  }
}

async function attempted<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw grantProblem(error);
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
