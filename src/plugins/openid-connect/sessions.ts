/**
 * Sessions: sealed cookies that hold the tokens of a login, or name them where they are (`session-store.ts`). Nobody but the
 * gateway reads or makes them. Their times are in the cookie in either case.
 */
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
} from '../common/sealed-cookie.ts';
import { type OidcConfig, Unauthorized } from './config.ts';
import { hideCookies } from './credentials.ts';
import type { Outbox } from './outbox.ts';
import type { Named, SessionStore } from './session-store.ts';
import { type Session, type Tokens, unixNow } from './tokens.ts';

/** Seconds that a store keeps a session whose configuration gives it no end. */
const YEAR_S = 365 * 24 * 3600;

export interface SessionParts {
  readonly sealer: CookieSealer;
  readonly store: SessionStore;
  readonly outbox: Outbox;
  readonly log: PluginServices['log'];
}

export class Sessions {
  readonly #config: OidcConfig;
  readonly #sealer: CookieSealer;
  readonly #store: SessionStore;
  readonly #outbox: Outbox;
  readonly #log: PluginServices['log'];
  readonly #names: ReadonlySet<string>;

  constructor(config: OidcConfig, { sealer, store, outbox, log }: SessionParts) {
    this.#config = config;
    this.#sealer = sealer;
    this.#store = store;
    this.#outbox = outbox;
    this.#log = log;
    this.#names = new Set([
      ...cookieNames(config.session_cookie_name),
      ...cookieNames(config.authorization_cookie_name),
    ]);
  }

  /** Null: there is none that is still good. A promise only where it is not in the cookie. */
  open(exchange: Exchange): Session | null | Promise<Session | null> {
    const named = this.#named(exchange);
    return named === null || this.#isOver(named) ? null : this.#store.read(named);
  }

  #named(exchange: Exchange): Named | null {
    const { session_cookie_name: name } = this.#config;
    const text = readCookie(exchange.request.cookies, name);
    return text === null ? null : (this.#sealer.open(name, text) as Named | null);
  }

  #isOver({ started, used }: Named): boolean {
    const {
      session_absolute_timeout: absolute,
      session_rolling_timeout: rolling,
      session_idling_timeout: idling,
    } = this.#config;
    const now = unixNow();
    const over = (from: number, timeout: number): boolean => timeout > 0 && now >= from + timeout;
    return over(started, absolute) || over(used, rolling) || over(used, idling);
  }

  /** Null: it is too large for cookies. */
  async begin(exchange: Exchange, tokens: Tokens, client: number): Promise<Session | null> {
    const now = unixNow();
    const session = { id: randomUUID(), started: now, used: now, client, tokens };
    await this.#store.keep(session, this.#leftMs(session), true);
    return this.#write(exchange, session) ? session : null;
  }

  /** The same session with other tokens. */
  renew(exchange: Exchange, session: Session, tokens: Tokens): Session | Promise<Session> {
    const renewed = { ...session, tokens, used: unixNow() };
    this.#write(exchange, renewed);
    const kept = this.#store.keep(renewed, this.#leftMs(renewed), false);
    if (kept === undefined) return renewed;
    // This request has its tokens whatever becomes of the next.
    return kept.catch((error: unknown) => this.#failed(error)).then(() => renewed);
  }

  /**
   * Other tokens for it, which `ask` asks the provider for: at most one of the gateways that share the store at a time.
   *
   * @throws Unauthorized when it has been ended meanwhile.
   */
  async refreshed(session: Session, ask: () => Promise<Tokens>): Promise<Tokens> {
    const found = await this.#store.alone(session, this.#config.timeout, async () => {
      const tokens = await ask();
      try {
        await this.#store.keep({ ...session, tokens }, this.#leftMs(session), false);
      } catch (error) {
        this.#failed(error);
      }
      return tokens;
    });
    if (found === null) throw new Unauthorized('the session has been ended', false);
    return found;
  }

  /** It is in use: from time to time the browser is told anew. */
  touch(exchange: Exchange, session: Session): void {
    const { session_rolling_timeout: rolling, session_idling_timeout: idling } = this.#config;
    const shortest = Math.min(rolling || Infinity, idling || Infinity);
    if (unixNow() - session.used < shortest / 10) return;
    const touched = { ...session, used: unixNow() };
    this.#write(exchange, touched);
    this.#store.extend(touched, this.#leftMs(touched)).catch((error: unknown) => this.#failed(error));
  }

  /** Of the browser with the response, and where it is kept: settles when it is gone there. */
  async end(exchange: Exchange): Promise<void> {
    const { session_cookie_name: name } = this.#config;
    this.#outbox.cookie(
      exchange,
      name,
      clearedCookie(name, this.#attributes(exchange), exchange.request.cookies),
    );
    const named = this.#named(exchange);
    if (named !== null) await this.#store.end(named);
  }

  /** Without waiting. */
  drop(exchange: Exchange): void {
    this.end(exchange).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#log.error(`a session is not stored: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** Milliseconds that it can still be good for, if no request comes. */
  #leftMs({ started }: Session): number {
    const {
      session_absolute_timeout: absolute,
      session_rolling_timeout: rolling,
      session_idling_timeout: idling,
    } = this.#config;
    const whole = absolute > 0 ? started + absolute - unixNow() : YEAR_S;
    return Math.max(1, Math.min(whole, rolling || Infinity, idling || Infinity)) * 1000;
  }

  /** Cookies of the gateway's are no business of an upstream. */
  hide(exchange: Exchange): void {
    hideCookies(exchange, this.#names);
  }

  /** False: it is too large for cookies. */
  #write(exchange: Exchange, session: Session): boolean {
    const { session_cookie_name: name } = this.#config;
    const sealed = this.#sealer.seal(name, this.#store.cookie(session));
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
