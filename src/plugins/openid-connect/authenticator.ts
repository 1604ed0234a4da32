/**
 * Who calls: the session comes first, then what the request shows (bearer tokens, refresh tokens, user and password), and a
 * login last. The first of these that a request has decides; what is shown and not good is refused, not passed over.
 */
import type { Attempt } from '../common/identity.ts';
import type { Exchange } from '../kit/exchange.ts';
import { Reply } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { decide } from './admission.ts';
import type { Answers } from './answers.ts';
import { listOf, payloadOf } from './claims.ts';
import { type Claims, type OidcConfig, Unauthorized } from './config.ts';
import { basic, bearerToken, refreshToken } from './credentials.ts';
import { IdentityHeaders } from './identity-headers.ts';
import type { Outbox } from './outbox.ts';
import type { Clients } from './clients.ts';
import type { Login } from './login.ts';
import { mayLogIn, type Responses } from './responses.ts';
import type { Sessions } from './sessions.ts';
import { type Evidence, evidenceOf, NOTHING_KNOWN, type Session, type Tokens, unixNow } from './tokens.ts';

export interface Parts {
  readonly config: OidcConfig;
  readonly gateway: PluginServices;
  readonly clients: Clients;
  readonly answers: Answers;
  readonly sessions: Sessions;
  readonly login: Login;
  readonly responses: Responses;
  readonly headers: IdentityHeaders;
  readonly outbox: Outbox;
}

/** OpenID Connect Core §3.1.3.6, §3.3.2.11: only ID tokens have them. */
const ID_TOKEN_HASHES = ['at_hash', 'c_hash', 's_hash'];

type Method = OidcConfig['auth_methods'][number];

export class Authenticator {
  readonly #parts: Parts;
  readonly #methods: ReadonlySet<Method>;
  readonly #needsUser: boolean;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#methods = new Set(parts.config.auth_methods);
    this.#needsUser = IdentityHeaders.needUser(parts.config);
  }

  /** @param known what a login that has just ended has shown. */
  attempt(exchange: Exchange, known: Evidence | null = null): Attempt | Promise<Attempt> {
    const failed = (error: unknown): Attempt | Promise<Attempt> => this.#failed(exchange, error);
    try {
      const evidence = known ?? this.#evidence(exchange);
      const outcome =
        evidence instanceof Promise
          ? evidence.then((found) => this.#withUser(exchange, found))
          : this.#withUser(exchange, evidence);
      return outcome instanceof Promise ? outcome.catch(failed) : outcome;
    } catch (error) {
      return failed(error);
    }
  }

  #evidence(exchange: Exchange): Evidence | Promise<Evidence> {
    const session = this.#methods.has('session') ? this.#parts.sessions.open(exchange) : null;
    const next = (found: Session | null): Evidence | Promise<Evidence> =>
      found === null ? this.#shown(exchange) : this.#ofSession(exchange, found);
    return session instanceof Promise ? session.then(next) : next(session);
  }

  /** What stands in the request itself. */
  #shown(exchange: Exchange): Evidence | Promise<Evidence> {
    const { config, clients } = this.#parts;
    const client = clients.chosen(exchange);
    const token = this.#has('bearer', 'introspection', 'userinfo') ? bearerToken(exchange, config) : null;
    if (token !== null) {
      const found = this.#ofBearer(token.value, client);
      const hidden = (evidence: Evidence): Evidence => ({ ...evidence, hide: token.hide });
      return found instanceof Promise ? found.then(hidden) : hidden(found);
    }
    const refresh = this.#has('refresh_token') ? refreshToken(exchange, config) : null;
    if (refresh !== null) {
      const before: Tokens = { access: '', id: null, refresh: refresh.value, expires: null, scope: null };
      return granted(this.#parts.answers.refreshed(before, client), client, refresh.hide);
    }
    const shown = this.#has('password', 'client_credentials') ? basic(exchange) : null;
    if (shown !== null) return this.#ofBasic(shown, client);
    throw new Unauthorized('nothing is shown', false);
  }

  #has(...methods: readonly Method[]): boolean {
    return methods.some((method) => this.#methods.has(method));
  }

  #ofSession(exchange: Exchange, session: Session): Evidence | Promise<Evidence> {
    const { config, answers, sessions } = this.#parts;
    const { tokens, client } = session;
    if (tokens.expires === null || unixNow() < tokens.expires + config.leeway) {
      sessions.touch(exchange, session);
      return evidenceOf(tokens, client, session);
    }
    if (!config.refresh_tokens) throw new Unauthorized('the access token has expired', false);
    const renewed = (fresh: Tokens): Evidence | Promise<Evidence> => {
      const next = sessions.renew(exchange, session, fresh);
      if (!(next instanceof Promise)) return evidenceOf(fresh, client, next);
      return next.then((kept) => evidenceOf(fresh, client, kept));
    };
    const refreshed = answers.refreshed(tokens, client, (ask) => sessions.refreshed(session, ask));
    if (!(refreshed instanceof Promise)) return renewed(refreshed);
    return refreshed.then(renewed, (error: unknown) => {
      // The browser has shown nothing that a login would not mend.
      throw error instanceof Unauthorized ? new Unauthorized(error.message, false, error) : error;
    });
  }

  #ofBearer(token: string, client: number): Evidence | Promise<Evidence> {
    const { config, answers } = this.#parts;
    const tokens: Tokens = { access: token, id: null, refresh: null, expires: null, scope: null };
    const base: Evidence = { ...NOTHING_KNOWN, tokens, client, bearer: true };
    const signed = payloadOf(token) !== null;
    if (signed && this.#methods.has('bearer') && !config.introspect_jwt_tokens) {
      const verified = answers.verified(token);
      const found = (access: Claims): Evidence => {
        this.#checkKind(access);
        return { ...base, access };
      };
      return verified instanceof Promise ? verified.then(found) : found(verified);
    }
    if (this.#methods.has('introspection')) {
      const known = answers.introspected(token, client);
      if (!(known instanceof Promise)) return { ...base, access: known, introspection: known };
      return known.then((access) => ({ ...base, access, introspection: access }));
    }
    if (this.#methods.has('userinfo')) {
      const user = answers.user(token, null, client);
      if (!(user instanceof Promise)) return { ...base, user };
      return user.then((found) => ({ ...base, user: found }));
    }
    throw new Unauthorized('the token is none that is taken');
  }

  /** An ID token tells a client who its user is: that of another client lets nobody in here. */
  #checkKind(claims: Claims): void {
    const isIdToken = ID_TOKEN_HASHES.some((name) => Object.hasOwn(claims, name)) || claims['typ'] === 'ID';
    if (!isIdToken) return;
    const { clients, config } = this.#parts;
    const ours = new Set((config.client_id ?? []).map((_, index) => clients.id(index)));
    if (listOf(claims['aud']).some((audience) => ours.has(audience))) return;
    throw new Unauthorized('an ID token of another client');
  }

  #ofBasic(shown: NonNullable<ReturnType<typeof basic>>, client: number): Evidence | Promise<Evidence> {
    const { answers } = this.#parts;
    const asClient = (): Evidence | Promise<Evidence> =>
      granted(answers.clientCredentials(shown.value), client, shown.hide);
    if (!this.#methods.has('password')) return asClient();
    const asUser = granted(answers.password(shown.value, client), client, shown.hide);
    if (!(asUser instanceof Promise) || !this.#methods.has('client_credentials')) return asUser;
    return asUser.catch((error: unknown) => {
      if (error instanceof Unauthorized) return asClient();
      throw error;
    });
  }

  #withUser(exchange: Exchange, evidence: Evidence): Attempt | Promise<Attempt> {
    const { tokens, id, access, user } = evidence;
    // Without a user (client credentials) there is nobody to be asked about.
    if (!this.#needsUser || user !== null || tokens === null) return decide(this.#parts, exchange, evidence);
    const subject = id?.['sub'] ?? access?.['sub'];
    const found = this.#parts.answers.user(
      tokens.access,
      typeof subject === 'string' ? subject : null,
      evidence.client,
    );
    if (!(found instanceof Promise)) return decide(this.#parts, exchange, { ...evidence, user: found });
    return found.then((told) => decide(this.#parts, exchange, { ...evidence, user: told }));
  }

  #failed(exchange: Exchange, error: unknown): Attempt | Promise<Attempt> {
    const { config, gateway, sessions, responses, clients, login } = this.#parts;
    const client = clients.chosen(exchange);
    if (error instanceof Reply) return error;
    if (!(error instanceof Unauthorized)) {
      gateway.log.error(error instanceof Error ? error.message : String(error));
      return responses.unexpected(client);
    }
    gateway.log.info(error.message);
    if (this.#methods.has('session') && config.unauthorized_destroy_session) sessions.drop(exchange);
    const canLogIn =
      this.#methods.has('authorization_code') &&
      !error.shown &&
      config.anonymous === null &&
      mayLogIn(exchange);
    if (!canLogIn) return responses.unauthorized(error, client);
    return login.start(exchange).catch((problem: unknown) => {
      gateway.log.error(problem instanceof Error ? problem.message : String(problem));
      return responses.unexpected(client);
    });
  }
}

function granted(
  tokens: Tokens | Promise<Tokens>,
  client: number,
  hide: Evidence['hide'],
): Evidence | Promise<Evidence> {
  const evidence = (got: Tokens): Evidence => ({ ...evidenceOf(got, client), hide });
  return tokens instanceof Promise ? tokens.then(evidence) : evidence(tokens);
}
