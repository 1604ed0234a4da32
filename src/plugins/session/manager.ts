/** Begins, takes up, renews and ends sessions; what becomes of their cookies is noted for the response. */
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import type { CookieJar } from './jar.ts';
import {
  isOver,
  newState,
  rememberTimeouts,
  renewed,
  type SessionConfig,
  type SessionData,
  type SessionState,
  type Timeouts,
  timeoutsOf,
  timeToLive,
  wantsRenewal,
  wantsTouch,
} from './state.ts';
import type { SessionStorage } from './storage.ts';

/** What a request found, and what its response says. */
export interface Visit {
  state: SessionState | null;
  cookies: string[];
  /** The session was ended by this request: no other begins. */
  over: boolean;
}

export class SessionManager {
  readonly #config: SessionConfig;
  readonly #gateway: PluginServices;
  readonly #storage: SessionStorage;
  readonly #jar: CookieJar;

  constructor(config: SessionConfig, gateway: PluginServices, storage: SessionStorage, jar: CookieJar) {
    this.#config = config;
    this.#gateway = gateway;
    this.#storage = storage;
    this.#jar = jar;
  }

  /** Null: the request has no session. A promise only where the store is asked. */
  find(exchange: Exchange): Visit | null | Promise<Visit | null> {
    const state = this.#open(exchange, 'session');
    const remember = (): Visit | null | Promise<Visit | null> =>
      this.#config.remember && this.#jar.has(exchange, 'remember') ? this.#again(exchange) : null;
    const visit = (found: SessionState | null): Visit | null | Promise<Visit | null> =>
      found === null ? remember() : { state: found, cookies: [], over: false };
    return state instanceof Promise ? state.then(visit) : visit(state);
  }

  /** Renews what is to be renewed. Nothing to wait for in the usual case. */
  refresh(exchange: Exchange, visit: Visit): void | Promise<void> {
    const { state } = visit;
    if (state === null || visit.cookies.length > 0) return undefined;
    const timeouts = timeoutsOf(this.#config);
    const now = seconds();
    if (wantsRenewal(state, timeouts, now)) return this.#renew(exchange, visit, state);
    const touched = { ...state, touched: now };
    if (!wantsTouch(state, timeouts, now)) {
      visit.state = touched;
      return undefined;
    }
    visit.state = touched;
    visit.cookies = this.#jar.set(exchange, 'session', this.#storage.write(touched));
    return undefined;
  }

  /** At the response, which nothing holds up: the store is told meanwhile. */
  begin(exchange: Exchange, data: SessionData): Visit {
    const now = seconds();
    const state = newState(data, now);
    const cookies = this.#jar.set(exchange, 'session', this.#storage.write(state));
    if (cookies.length === 0) return { state: null, cookies, over: false };
    this.#later(this.#storage.keep(state, timeToLive(state, timeoutsOf(this.#config), now)));
    if (this.#config.remember) cookies.push(...this.#remember(exchange, newState(data, now)));
    return { state, cookies, over: false };
  }

  /** Of the store at once, and of the browser with the response. */
  async end(exchange: Exchange, visit: Visit): Promise<void> {
    visit.over = true;
    visit.cookies = this.#jar.end(exchange, 'session');
    if (this.#config.remember) visit.cookies.push(...this.#jar.end(exchange, 'remember'));
    const remembered = this.#config.remember ? await this.#open(exchange, 'remember') : null;
    for (const state of [visit.state, remembered]) {
      if (state !== null) await this.#storage.end(state);
    }
    visit.state = null;
  }

  /** Another client is behind the cookie now. */
  drop(state: SessionState): void {
    this.#later(this.#storage.end(state));
  }

  #open(
    exchange: Exchange,
    kind: 'session' | 'remember',
  ): SessionState | null | Promise<SessionState | null> {
    const text = this.#jar.open(exchange, kind);
    if (text === null) return null;
    const timeouts = kind === 'session' ? timeoutsOf(this.#config) : rememberTimeouts(this.#config);
    const current = (state: SessionState | null): SessionState | null =>
      state === null || isOver(state, timeouts, seconds()) ? null : state;
    const state = this.#storage.read(text);
    return state instanceof Promise ? state.then(current) : current(state);
  }

  async #again(exchange: Exchange): Promise<Visit | null> {
    const remembered = await this.#open(exchange, 'remember');
    if (remembered === null) return null;
    const now = seconds();
    const state = newState(remembered.data, now);
    await this.#storage.keep(state, timeToLive(state, timeoutsOf(this.#config), now));
    const cookies = this.#jar.set(exchange, 'session', this.#storage.write(state));
    const next = renewed(remembered, now);
    if (await this.#replace(remembered, next, rememberTimeouts(this.#config))) {
      cookies.push(...this.#jar.set(exchange, 'remember', this.#storage.write(next)));
    }
    return { state, cookies, over: false };
  }

  /** Unless it was ended meanwhile, or another request is renewing it. */
  async #renew(exchange: Exchange, visit: Visit, old: SessionState): Promise<void> {
    const next = renewed(old, seconds());
    if (!(await this.#replace(old, next, timeoutsOf(this.#config)))) return;
    visit.state = next;
    visit.cookies = this.#jar.set(exchange, 'session', this.#storage.write(next));
  }

  /** The old one goes on for a while: requests that were sent with its cookie are on their way. */
  async #replace(old: SessionState, next: SessionState, timeouts: Timeouts): Promise<boolean> {
    await this.#storage.keep(next, timeToLive(next, timeouts, seconds()));
    if (await this.#storage.supersede(old, next, Math.ceil(this.#config.stale_ttl * 1000))) return true;
    this.#later(this.#storage.end(next));
    return false;
  }

  #remember(exchange: Exchange, state: SessionState): string[] {
    const ttlMs = timeToLive(state, rememberTimeouts(this.#config), seconds());
    this.#later(this.#storage.keep(state, ttlMs));
    return this.#jar.set(exchange, 'remember', this.#storage.write(state));
  }

  #later(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#gateway.log.error(
        `a session is not stored: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
