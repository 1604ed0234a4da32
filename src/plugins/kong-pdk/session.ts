/** One call of a phase of a `kong-pdk` plugin: what its calls of `kong` speak of. */
import type { EarlyChanges } from '../common/early-changes.ts';
import type { CertificateExchange, Exchange, StreamExchange } from '../kit/exchange.ts';
import type { Reply } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';

/** The phases that Kong's server of JavaScript plugins knows. */
export const KONG_PHASES = ['certificate', 'rewrite', 'access', 'response', 'preread', 'log'] as const;
export type KongPhase = (typeof KONG_PHASES)[number];

export interface SessionOptions {
  readonly phase: KongPhase;
  readonly gateway: PluginServices;
  readonly early: EarlyChanges;
  readonly exchange?: Exchange;
  readonly stream?: StreamExchange;
  readonly handshake?: CertificateExchange;
  /** The upstream's, in the phase `response`. */
  readonly body?: Buffer;
  /** The class has a `response` method: responses are buffered. */
  readonly buffers: boolean;
}

export class Session {
  readonly phase: KongPhase;
  readonly gateway: PluginServices;
  readonly early: EarlyChanges;
  readonly body: Buffer | null;
  readonly buffers: boolean;
  readonly #exchange: Exchange | null;
  readonly #stream: StreamExchange | null;
  readonly #handshake: CertificateExchange | null;
  /** What it answers in place of the upstream. */
  reply: Reply | null = null;
  /** Tells who waits that there is a reply. */
  onReply: (() => void) | null = null;

  constructor(options: SessionOptions) {
    this.phase = options.phase;
    this.gateway = options.gateway;
    this.early = options.early;
    this.body = options.body ?? null;
    this.buffers = options.buffers;
    this.#exchange = options.exchange ?? null;
    this.#stream = options.stream ?? null;
    this.#handshake = options.handshake ?? null;
  }

  /** @throws Error in the phases of connections. */
  get exchange(): Exchange {
    if (this.#exchange === null) throw new Error(`there is no request in the phase ${this.phase}`);
    return this.#exchange;
  }

  /** What requests and streams have in common. @throws Error in a handshake. */
  get flow(): Exchange | StreamExchange {
    return this.#stream ?? this.exchange;
  }

  get address(): { readonly ip: string; readonly port: number; readonly socketIp: string } {
    if (this.#handshake === null) return this.flow.client;
    const { ip, port } = this.#handshake.client;
    return { ip, port, socketIp: ip };
  }

  get isStream(): boolean {
    return this.#exchange === null;
  }

  /** The request is on its way to the upstream. @throws Error */
  get outgoing(): Exchange {
    if (this.phase !== 'rewrite' && this.phase !== 'access') {
      throw new Error(`the upstream has been asked by the phase ${this.phase}`);
    }
    return this.exchange;
  }

  /** Makes a change of the response, now or when there is one. @throws Error it has been sent */
  changeResponse(change: (exchange: Exchange) => void): void {
    if (this.phase === 'response') change(this.exchange);
    else if (this.phase === 'rewrite' || this.phase === 'access') this.early.add(this.exchange, change);
    else throw new Error(`a response cannot be changed in the phase ${this.phase}`);
  }

  end(reply: Reply): void {
    if (this.phase === 'log' || this.isStream)
      throw new Error(`nothing can be answered in the phase ${this.phase}`);
    this.reply ??= reply;
    this.onReply?.();
  }
}
