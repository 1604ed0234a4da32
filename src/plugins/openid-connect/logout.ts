/** The end of a session: here, and at the provider where it has an end (RP-initiated logout). */
import * as oidc from 'openid-client';
import type { Exchange } from '../kit/exchange.ts';
import { refuse, reply, type Reply } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import type { Answers } from './answers.ts';
import type { Clients } from './clients.ts';
import type { OidcConfig } from './config.ts';
import type { Provider } from './provider.ts';
import { forClient } from './responses.ts';
import type { Sessions } from './sessions.ts';
import type { Session } from './tokens.ts';

export interface LogoutParts {
  readonly config: OidcConfig;
  readonly gateway: PluginServices;
  readonly provider: Provider;
  readonly clients: Clients;
  readonly answers: Answers;
  readonly sessions: Sessions;
}

export class Logout {
  readonly #parts: LogoutParts;
  readonly #methods: ReadonlySet<string>;

  constructor(parts: LogoutParts) {
    this.#parts = parts;
    this.#methods = new Set(parts.config.logout_methods);
  }

  isAsked({ request }: Exchange): boolean {
    const { logout_uri_suffix: suffix, logout_query_arg: arg } = this.#parts.config;
    if (!this.#methods.has(request.method)) return false;
    return (suffix !== null && request.path.endsWith(suffix)) || (arg !== null && request.args.has(arg));
  }

  async run(exchange: Exchange): Promise<Reply> {
    const { config, sessions, gateway } = this.#parts;
    let session: Session | null;
    try {
      session = await sessions.open(exchange);
      await sessions.end(exchange);
    } catch (error) {
      // It goes on where it is kept: nobody is told that it has ended.
      gateway.log.error(`a session is not ended: ${error instanceof Error ? error.message : String(error)}`);
      return refuse(503);
    }
    const after = forClient(config.logout_redirect_uri, session?.client ?? 0);
    if (session === null) return left(after);
    try {
      if (config.logout_revoke) await this.#revoke(session);
    } catch (error) {
      gateway.log.warn(`the tokens of a session were not revoked: ${String(error)}`);
    }
    try {
      return left((await this.#providersEnd(session, after)) ?? after);
    } catch (error) {
      gateway.log.warn(`the session at the provider goes on: ${String(error)}`);
      return left(after);
    }
  }

  async #providersEnd({ client, tokens }: Session, after: string | undefined): Promise<string | undefined> {
    const known = await this.#parts.provider.known();
    if (typeof known.metadata['end_session_endpoint'] !== 'string') return undefined;
    const parameters = new URLSearchParams();
    if (tokens.id !== null) parameters.set('id_token_hint', tokens.id);
    if (after !== undefined) parameters.set('post_logout_redirect_uri', after);
    return oidc.buildEndSessionUrl(this.#parts.clients.of(known, client), parameters).href;
  }

  async #revoke({ client, tokens }: Session): Promise<void> {
    const { config, answers } = this.#parts;
    if (config.logout_revoke_refresh_token && tokens.refresh !== null) {
      await answers.revoke(tokens.refresh, 'refresh_token', client);
    }
    if (config.logout_revoke_access_token) await answers.revoke(tokens.access, 'access_token', client);
  }
}

function left(to: string | undefined): Reply {
  const headers = { 'Cache-Control': 'no-store' };
  return to === undefined ? reply(200, null, headers) : reply(302, null, { Location: to, ...headers });
}
