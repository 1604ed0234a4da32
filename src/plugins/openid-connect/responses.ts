/** What a client that is not let in gets: a message, or a redirect where the configuration has one. */
import type { Exchange } from '../kit/exchange.ts';
import { refuse, reply, type Reply } from '../kit/reply.ts';
import type { OidcConfig, Unauthorized } from './config.ts';

export class Responses {
  readonly #config: OidcConfig;
  readonly #realm: string;

  constructor(config: OidcConfig) {
    this.#config = config;
    this.#realm = new URL(config.issuer).host;
  }

  unauthorized(problem: Unauthorized, client: number): Reply {
    const { unauthorized_error_message: message, unauthorized_redirect_uri: uris } = this.#config;
    const error = problem.shown ? ', error="invalid_token"' : '';
    const headers = { 'WWW-Authenticate': `Bearer realm="${this.#realm}"${error}` };
    return redirected(uris, client) ?? refuse(401, this.#text(message, problem.message), headers);
  }

  /** @param scope whether it is for want of a scope. */
  forbidden(why: string, client: number, scope = false): Reply {
    const { forbidden_error_message: message, forbidden_redirect_uri: uris } = this.#config;
    const headers = scope
      ? { 'WWW-Authenticate': `Bearer realm="${this.#realm}", error="insufficient_scope"` }
      : undefined;
    return redirected(uris, client) ?? refuse(403, this.#text(message, why), headers);
  }

  unexpected(client: number): Reply {
    return redirected(this.#config.unexpected_redirect_uri, client) ?? refuse(500);
  }

  #text(message: string, why: string): string {
    return this.#config.display_errors ? `${message} (${why})` : message;
  }
}

function redirected(uris: readonly string[] | null, client: number): Reply | null {
  const to = forClient(uris, client);
  return to === undefined ? null : reply(302, null, { Location: to, 'Cache-Control': 'no-store' });
}

/** The place that a list of the configuration has for a client; undefined: there is none. */
export function forClient(list: readonly string[] | null, client: number): string | undefined {
  return list?.[client] ?? list?.[0];
}

/** A login is for browsers that look at a page; what changes something cannot be repeated after it. */
export function mayLogIn({ request }: Exchange): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}
