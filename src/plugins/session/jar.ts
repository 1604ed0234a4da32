/** The two cookies of a configuration: of the session, and of what begins new ones. */
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import { type CookieAttributes, cookieProblem, endCookies, readCookies, setCookies } from './cookie.ts';
import { seal, unseal } from './seal.ts';
import type { SessionConfig } from './state.ts';

export type Kind = 'session' | 'remember';

export class CookieJar {
  readonly #config: SessionConfig;
  readonly #gateway: PluginServices;
  readonly #attributes: CookieAttributes;

  constructor(config: SessionConfig, gateway: PluginServices) {
    this.#config = config;
    this.#gateway = gateway;
    this.#attributes = {
      path: config.cookie_path,
      domain: config.cookie_domain,
      sameSite: config.cookie_same_site,
      secure: config.cookie_secure,
      httpOnly: config.cookie_http_only,
    };
    for (const kind of ['session', 'remember'] as const) {
      const problem = cookieProblem(this.#name(kind), this.#attributes);
      if (problem !== null) gateway.log.warn(`browsers will drop the cookie: ${problem}`);
    }
  }

  /** What was put into it, or null. */
  open(exchange: Exchange, kind: Kind): string | null {
    const found = readCookies(exchange.request.cookies, this.#name(kind));
    return found === null ? null : unseal(found.value, this.#secret, this.#use(kind));
  }

  /** Lines of Set-Cookie; none when it is too long. */
  set(exchange: Exchange, kind: Kind, text: string): string[] {
    const value = seal(text, this.#secret, this.#use(kind));
    const maxAge = kind === 'remember' ? this.#config.remember_rolling_timeout : null;
    const before = this.#count(exchange, kind);
    const lines = setCookies(this.#name(kind), value, this.#attributes, { before, maxAge });
    if (lines === null) this.#gateway.log.warn('a session is too large for cookies, and was not begun');
    return lines ?? [];
  }

  end(exchange: Exchange, kind: Kind): string[] {
    return endCookies(this.#name(kind), this.#attributes, this.#count(exchange, kind));
  }

  has(exchange: Exchange, kind: Kind): boolean {
    return exchange.request.cookies.has(this.#name(kind));
  }

  #count(exchange: Exchange, kind: Kind): number {
    return readCookies(exchange.request.cookies, this.#name(kind))?.count ?? 0;
  }

  #name(kind: Kind): string {
    return kind === 'session' ? this.#config.cookie_name : this.#config.remember_cookie_name;
  }

  #use(kind: Kind): string {
    return JSON.stringify([kind, this.#config.audience, this.#config.storage]);
  }

  get #secret(): string {
    return this.#gateway.secret(this.#config.secret);
  }
}
