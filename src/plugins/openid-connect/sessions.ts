/** Sessions: cookies that hold the tokens of a login, sealed. Nobody but the gateway reads or makes them. */
import { randomUUID } from 'node:crypto';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import {
  clearedCookie,
  type CookieAttributes,
  cookieLines,
  cookieNames,
  type CookieSealer,
  readCookie,
} from '../sealed-cookie.ts';
import type { OidcConfig } from './config.ts';
import { hideCookies } from './credentials.ts';
import type { Outbox } from './outbox.ts';
import { type Session, type Tokens, unixNow } from './tokens.ts';

export class Sessions {
  readonly #config: OidcConfig;
  readonly #sealer: CookieSealer;
  readonly #outbox: Outbox;
  readonly #log: PluginServices['log'];
  readonly #names: ReadonlySet<string>;

  constructor(config: OidcConfig, sealer: CookieSealer, outbox: Outbox, log: PluginServices['log']) {
    this.#config = config;
    this.#sealer = sealer;
    this.#outbox = outbox;
    this.#log = log;
    this.#names = new Set([
      ...cookieNames(config.session_cookie_name),
      ...cookieNames(config.authorization_cookie_name),
    ]);
  }

  /** Null: there is none that is still good. */
  open(exchange: Exchange): Session | null {
    const { session_cookie_name: name } = this.#config;
    const text = readCookie(exchange.request.cookies, name);
    if (text === null) return null;
    const session = this.#sealer.open(name, text) as Session | null;
    return session === null || this.#isOver(session) ? null : session;
  }

  #isOver({ started, used }: Session): boolean {
    const {
      session_absolute_timeout: absolute,
      session_rolling_timeout: rolling,
      session_idling_timeout: idling,
    } = this.#config;
    const now = unixNow();
    const over = (from: number, timeout: number): boolean => timeout > 0 && now >= from + timeout;
    return over(started, absolute) || over(used, rolling) || over(used, idling);
  }

  begin(exchange: Exchange, tokens: Tokens, client: number): Session | null {
    const now = unixNow();
    const session = { id: randomUUID(), started: now, used: now, client, tokens };
    return this.#write(exchange, session) ? session : null;
  }

  /** The same session with other tokens. */
  renew(exchange: Exchange, session: Session, tokens: Tokens): Session {
    const renewed = { ...session, tokens, used: unixNow() };
    this.#write(exchange, renewed);
    return renewed;
  }

  /** It is in use: from time to time the browser is told anew. */
  touch(exchange: Exchange, session: Session): void {
    const { session_rolling_timeout: rolling, session_idling_timeout: idling } = this.#config;
    const shortest = Math.min(rolling || Infinity, idling || Infinity);
    if (unixNow() - session.used < shortest / 10) return;
    this.#write(exchange, { ...session, used: unixNow() });
  }

  end(exchange: Exchange): void {
    const { session_cookie_name: name } = this.#config;
    this.#outbox.cookie(
      exchange,
      name,
      clearedCookie(name, this.#attributes(exchange), exchange.request.cookies),
    );
  }

  /** Cookies of the gateway's are no business of an upstream. */
  hide(exchange: Exchange): void {
    hideCookies(exchange, this.#names);
  }

  /** False: it is too large for cookies. */
  #write(exchange: Exchange, session: Session): boolean {
    const { session_cookie_name: name } = this.#config;
    const sealed = this.#sealer.seal(name, session);
    const lines = cookieLines(name, sealed, this.#attributes(exchange), exchange.request.cookies);
    if (lines === null) {
      this.#log.error(`the tokens of a session make ${sealed.length} octets: cookies cannot hold them`);
      return false;
    }
    this.#outbox.cookie(exchange, name, lines);
    return true;
  }

  #attributes({ request }: Exchange): CookieAttributes {
    const config = this.#config;
    return {
      path: config.session_cookie_path,
      domain: config.session_cookie_domain,
      sameSite: config.session_cookie_same_site,
      httpOnly: config.session_cookie_http_only,
      secure: config.session_cookie_secure ?? request.forwarded.scheme === 'https',
    };
  }
}
