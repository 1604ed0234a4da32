/**
 * The body phase: a request body kept, streamed, or first the one and then the other.
 *
 * With `request_buffering` (Kong's default) the body is read up to a bound before any upstream is asked: then it goes
 * with its length, and can be sent again when an attempt fails. A larger body streams from the bound on, and without
 * `request_buffering` from the first byte; what is streamed is gone and cannot be retried.
 */
import { GatewayError } from '../lib/gateway-error.ts';
import { UNKNOWN_LENGTH } from '../wire/message.ts';
import type { BodyLength, Trailers } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';

/** Smaller pieces are put together: a million one-byte chunks must not become a million buffers. */
const SMALL_BYTES = 4096;
const BLOCK_BYTES = 32 * 1024;
/** So many pieces are kept as they came. */
const FEW = 16;

const KEEPING = 0;
const STREAMING = 1;
const COMPLETE = 2;

export class RequestBody {
  readonly #exchange: Exchange;
  #state = COMPLETE;
  #kept: Buffer[] = [];
  /** The last of `#kept` has room for small pieces up to here. */
  #block: Buffer | null = null;
  #blockUsed = 0;
  #length = 0;
  /** Something was streamed past what is kept. */
  #gone = false;
  #buffered = false;
  /** Of a body that ended before an upstream was ready. */
  #trailers: Trailers | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** True when nothing was sent that is not kept: another attempt can begin from the start. */
  get replayable(): boolean {
    return !this.#gone;
  }

  /** Length to declare upstream. */
  get outgoingLength(): BodyLength {
    const declared = this.#exchange.request.bodyLength;
    // Trailers need a chunked body.
    const whole = this.#buffered && this.#state === COMPLETE && this.#trailers === null;
    return declared === UNKNOWN_LENGTH && whole ? this.#length : declared;
  }

  /** Decides how the body is read and lets the forward phase begin, now or when enough is here. */
  begin(buffering: boolean): void {
    const { forward, stream } = this.#exchange;
    if (buffering) {
      this.#state = KEEPING;
      this.#buffered = true;
      stream.readBody();
    } else {
      this.#state = STREAMING;
      forward?.start();
    }
  }

  /** The upstream is ready: what is kept goes out, and then the rest as it comes. */
  sendTo(upstream: { write(chunk: Buffer): boolean; end(trailers: Trailers | null): void }): void {
    let credit = true;
    this.#closeBlock();
    for (const chunk of this.#kept) credit = upstream.write(chunk);
    if (this.#state === COMPLETE) return upstream.end(this.#trailers);
    this.#kept = [];
    this.#gone = true;
    const { stream } = this.#exchange;
    stream.readBody();
    if (credit) stream.resumeBody();
    else stream.pauseBody();
  }

  add(chunk: Buffer): void {
    const exchange = this.#exchange;
    this.#length += chunk.length;
    if (this.#length > exchange.context.policy.maxBody) return exchange.fail(payloadTooLarge());
    const upstream = this.#state === STREAMING ? exchange.forward?.upstream : null;
    if (upstream !== null && upstream !== undefined) {
      if (!upstream.write(chunk)) exchange.stream.pauseBody();
      return;
    }
    this.#keep(chunk);
    if (this.#length <= exchange.context.policy.requestBuffer || this.#state !== KEEPING) return;
    this.#state = STREAMING;
    exchange.stream.pauseBody();
    exchange.forward?.start();
  }

  end(trailers: Trailers | null): void {
    const before = this.#state;
    this.#state = COMPLETE;
    this.#trailers = trailers;
    const { forward } = this.#exchange;
    if (before === KEEPING) forward?.start();
    else forward?.upstream?.end(trailers);
  }

  release(): void {
    this.#kept = [];
    this.#block = null;
  }

  #keep(chunk: Buffer): void {
    if (chunk.length >= SMALL_BYTES || this.#kept.length < FEW) {
      this.#closeBlock();
      this.#kept.push(chunk);
      return;
    }
    if (this.#block === null || this.#block.length - this.#blockUsed < chunk.length) {
      this.#closeBlock();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    }
    this.#blockUsed += chunk.copy(this.#block, this.#blockUsed);
  }

  #closeBlock(): void {
    if (this.#block === null) return;
    this.#kept.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = null;
    this.#blockUsed = 0;
  }
}

export function payloadTooLarge(): GatewayError {
  return new GatewayError('payload_too_large', 'Payload too large', { source: 'client', status: 413 });
}
