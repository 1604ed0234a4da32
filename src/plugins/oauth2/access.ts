/** Who shows an access token (RFC 6750) is who it was given to. */
import type { Oauth2Token } from '../../entities/oauth2-token.ts';
import { accessToken, type TokenPlace } from '../common/access-token.ts';
import { headerValue, quotedString } from '../common/header-value.ts';
import type { Attempt } from '../common/identity.ts';
import type { Exchange } from '../kit/exchange.ts';
import { reply, type Reply } from '../kit/reply.ts';
import { failure } from './answers.ts';
import type { Oauth2Context } from './context.ts';

const SCOPE = 'X-Authenticated-Scope';
const USER = 'X-Authenticated-UserId';
const MISSING = failure('invalid_request', 'The access token is missing');
const INVALID = failure('invalid_token', 'The access token is invalid or has expired');
const GLOBAL = failure(
  'invalid_token',
  "The access token is global, but the current plugin is configured without 'global_credentials'",
);

/** The upstream believes them. */
export function clearTokenHeaders(exchange: Exchange): void {
  const { headers } = exchange.upstreamRequest;
  for (const name of [SCOPE, USER, 'X_Authenticated_Scope', 'X_Authenticated_UserId']) headers.remove(name);
}

/** Kong 3.9's form of the header. @param code null: nothing was shown that could be wrong. */
export function challenge(realm: string | null, code: string | null, description = ''): string {
  const named = realm === null || realm === '' ? 'Bearer' : `Bearer realm=${quotedString(realm)}`;
  return code === null ? named : `${named} error="${code}" error_description="${description}"`;
}

export class TokenAccess {
  readonly #context: Oauth2Context;
  readonly #place: TokenPlace;
  readonly #missing: Reply;
  readonly #invalid: Reply;
  readonly #global: Reply;

  constructor(context: Oauth2Context) {
    this.#context = context;
    const { realm, auth_header_name: header, hide_credentials: hide } = context.config;
    this.#place = { header: header.toLowerCase(), hide, bare: true };
    const told = challenge(realm, INVALID.error, INVALID.error_description);
    this.#missing = reply(401, MISSING, { 'WWW-Authenticate': challenge(realm, null) });
    this.#invalid = reply(401, INVALID, { 'WWW-Authenticate': told });
    this.#global = reply(401, GLOBAL, { 'WWW-Authenticate': told });
  }

  attempt(exchange: Exchange): Attempt | Promise<Attempt> {
    const shown = accessToken(exchange, this.#place);
    if (shown instanceof Promise) return shown.then((token) => this.#judge(exchange, token));
    return this.#judge(exchange, shown);
  }

  #judge(exchange: Exchange, shown: string | null): Attempt | Promise<Attempt> {
    if (shown === null) return this.#missing;
    const token = this.#context.tokens.findByAccessToken(shown);
    if (token instanceof Promise) return token.then((found) => this.#accept(exchange, found));
    return this.#accept(exchange, token);
  }

  #accept(exchange: Exchange, token: Oauth2Token | null): Attempt {
    if (token === null) return this.#invalid;
    const { config, gateway } = this.#context;
    if (!config.global_credentials && token.service === null) return this.#global;
    if (token.service !== null && token.service.id !== exchange.service?.id) return this.#invalid;
    const age = Date.now() / 1000 - token.created_at;
    if (token.expires_in > 0 && age > token.expires_in) return this.#invalid;
    // Revoked a moment ago, and the token with it.
    const credential = gateway.entities.get('oauth2_credentials', token.credential.id);
    const consumer = credential === null ? null : gateway.entities.get('consumers', credential.consumer.id);
    if (credential === null || consumer === null) return this.#invalid;
    const { headers } = exchange.upstreamRequest;
    if (token.scope !== null) headers.set(SCOPE, headerValue(token.scope));
    if (token.authenticated_userid !== null) headers.set(USER, headerValue(token.authenticated_userid));
    return {
      consumer,
      credential: { id: credential.id, consumerId: consumer.id },
      identifier: credential.client_id,
    };
  }
}
