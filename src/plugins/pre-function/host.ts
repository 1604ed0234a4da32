/**
 * The host's side of `kong`: functions that snippets reach through the sandbox. There is one table of them for each sandbox,
 * and the exchange that they speak of stands in a slot while a phase runs. They trust nothing that comes: it is text, and
 * what the kit does not take, it refuses.
 */
import type { HostFunction } from '../../lib/quickjs/sandbox.ts';
import type { Plain } from '../../lib/quickjs/texts.ts';
import { EarlyChanges } from '../common/early-changes.ts';
import type { CertificateExchange, Exchange } from '../kit/exchange.ts';
import type { Reply } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { makeReply } from './exit.ts';
import { factOf, handshakeFact } from './facts.ts';
import { jsonOf } from './json.ts';
import type { SandboxHost } from './prelude.ts';
import type { SnippetPhase } from './schema.ts';
import { changeHeaders, type HeaderChange } from './headers.ts';
import type { BodyPiece } from './piece.ts';
import { setOf } from './set.ts';
import { SnippetState } from './state.ts';

/** Kong's levels and ours. */
const LEVELS = {
  debug: 'debug',
  info: 'info',
  notice: 'notice',
  warn: 'warn',
  err: 'error',
  crit: 'error',
  alert: 'error',
  emerg: 'error',
} as const;
const LONGEST_LINE = 4096;
/** Keys that snippets put into `kong.ctx` for one exchange. */
const MOST_KEYS = 200;

export class SnippetHost {
  readonly gateway: PluginServices;
  readonly early = new EarlyChanges();
  readonly #states = new WeakMap<Exchange, SnippetState>();
  #exchange: Exchange | null = null;
  #handshake: CertificateExchange | null = null;
  phase: SnippetPhase = 'access';
  /** What the snippet answers in place of the upstream. */
  reply: Reply | null = null;
  /** The request's body, where a snippet asks for it. */
  requestBody: string | null = null;
  piece: BodyPiece | null = null;

  constructor(gateway: PluginServices) {
    this.gateway = gateway;
  }

  begin(phase: SnippetPhase, exchange: Exchange): void {
    this.phase = phase;
    this.#exchange = exchange;
    this.reply = null;
  }

  beginHandshake(handshake: CertificateExchange): void {
    this.phase = 'certificate';
    this.#handshake = handshake;
  }

  end(): void {
    this.#exchange = null;
    this.#handshake = null;
    this.requestBody = null;
    this.piece = null;
  }

  /** @throws Error in a handshake, which has no request. */
  get exchange(): Exchange {
    if (this.#exchange === null) throw new Error(`there is no request in the phase ${this.phase}`);
    return this.#exchange;
  }

  stateOf(exchange: Exchange): SnippetState {
    let state = this.#states.get(exchange);
    if (state === undefined) this.#states.set(exchange, (state = new SnippetState()));
    return state;
  }

  /** Kong lets snippets set headers of the response before there is one. */
  get isEarly(): boolean {
    return this.phase === 'rewrite' || this.phase === 'access';
  }

  get table(): Readonly<Record<keyof SandboxHost, HostFunction>> {
    return {
      fact: (name) => this.#fact(name),
      json: (name, argument) => jsonOf(this, name, argument),
      requestHeader: (name) => this.exchange.request.headers.get(name) ?? null,
      queryArg: (name) => this.exchange.request.args.get(name)?.[0] ?? null,
      setRequestHeader: (name, value) => {
        const { upstreamRequest } = this.exchange;
        if (name.length === 4 && name.toLowerCase() === 'host') upstreamRequest.host = value;
        else upstreamRequest.headers.set(name, value);
      },
      responseHeader: (name) => this.exchange.response.headers.get(name) ?? null,
      serviceHeader: (name) => this.exchange.upstreamResponse.headers.get(name) ?? null,
      setResponseHeader: (name, value) => changeHeaders(this, 'response set', name, [value]),
      header: (change, name, values) =>
        changeHeaders(this, change as HeaderChange, name, JSON.parse(values) as string[]),
      set: (name, value) => setOf(this, name, value),
      exit: (status, kind, body, headers) => this.#exit(status, kind, body, headers),
      log: (level, message) => this.#log(level, message),
      sharedGet: (space, key) => this.#sharedGet(space, key),
      sharedSet: (space, key, json) => this.#sharedSet(space, key, json),
      chunk: () => this.piece?.text ?? '',
      body: (whose) => this.#body(whose),
    };
  }

  #fact(name: string): Plain {
    if (this.#handshake !== null) return handshakeFact(this.#handshake, this.gateway, name);
    return factOf(this, name);
  }

  #exit(status: string, kind: string, body: string, headers: string): undefined {
    if (!this.isEarly) throw new Error(`kong.response.exit has no place in the phase ${this.phase}`);
    this.reply ??= makeReply(Number(status), kind, body, JSON.parse(headers));
  }

  #log(level: string, message: string): undefined {
    if (this.#exchange !== null && !this.stateOf(this.#exchange).mayLog()) return;
    const method = LEVELS[level as keyof typeof LEVELS];
    this.gateway.log[method](message.slice(0, LONGEST_LINE));
  }

  #sharedGet(space: string, key: string): Plain {
    if (space === 'plugin') return this.stateOf(this.exchange).context.get(key) ?? null;
    const value = this.exchange.shared.get(key);
    return value === undefined ? null : (JSON.stringify(value) ?? null);
  }

  #sharedSet(space: string, key: string, json: string): undefined {
    const { shared } = this.exchange;
    const map = space === 'plugin' ? this.stateOf(this.exchange).context : shared;
    if (json === 'null') map.delete(key);
    else if (map.size >= MOST_KEYS && !map.has(key)) throw new RangeError('too many keys in kong.ctx');
    else if (map === shared) shared.set(key, JSON.parse(json));
    else this.stateOf(this.exchange).context.set(key, json);
  }

  #body(whose: string): Plain {
    if (whose === 'request') {
      if (this.requestBody !== null) return this.requestBody;
      throw new Error('the body of a request is read in the phases rewrite and access only');
    }
    if (this.piece === null) throw new Error('the body of a response is there in the phase body_filter only');
    return this.piece.whole();
  }
}
