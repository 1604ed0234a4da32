/**
 * The body phase: a request body kept, streamed, or first the one and then the other.
 *
 * With `request_buffering` (Kong's default) the body is read up to a bound before any upstream is asked: then it goes
 * with its length, and can be sent again when an attempt fails. A larger body streams from the bound on, and without
 * `request_buffering` from the first byte; what is streamed is gone and cannot be retried. Over HTTP/2 the bodies of a
 * connection have a bound together, too.
 *
 * A gRPC call streams from the first byte, too, since its client may wait for answers while it sends. Its first bytes are
 * kept beside until the response begins: nearly every unary call can be tried again that way.
 */
import { GatewayError } from '../lib/gateway-error.ts';
import { BodyTooLarge } from '../plugins/kit/exchange.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../wire/message.ts';
import type { BodyLength, Trailers } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';

/** Smaller pieces are put together: a million one-byte chunks must not become a million buffers. */
const SMALL_BYTES = 4096;
const BLOCK_BYTES = 32 * 1024;
/** What is kept of a stream for another try. */
const REPLAY_BYTES = 64 * 1024;
/** So many pieces are kept as they came. */
const FEW = 16;

/** Kept before it is sent; streamed; streamed with its beginning kept beside. */
export type BodyMode = 'kept' | 'streamed' | 'replayable';

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
  #keptBytes = 0;
  /** Something was streamed past what is kept. */
  #gone = false;
  #buffered = false;
  /** Octets that may be kept of what is streamed. */
  #replay = 0;
  /** All of it is here, before anything was forwarded. */
  #whole = false;
  /** It is a plugin's, not the client's. */
  #replaced = false;
  /** A plugin waits for all of it, and wants no more octets than these. */
  #waiting: PromiseWithResolvers<Buffer> | null = null;
  #limit = 0;
  /** It was too large for a plugin that did without: what was read waits to be sent on. */
  #begun = false;
  /** Of a body that ended before an upstream was ready. */
  #trailers: Trailers | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** True when nothing was sent that is not kept: another attempt can begin from the start. */
  get replayable(): boolean {
    return !this.#gone;
  }

  /** All of it is here and kept. */
  get whole(): boolean {
    return this.#state === COMPLETE && !this.#gone;
  }

  /** Octets that have come so far. */
  get length(): number {
    return this.#length;
  }

  /** All of it, when it is here and kept: nobody writes to them any more. */
  pieces(): readonly Buffer[] {
    this.#closeBlock();
    return [...this.#kept];
  }

  /** Length to declare upstream. */
  get outgoingLength(): BodyLength {
    if (this.#whole && this.#trailers === null) return this.#length;
    const declared = this.#exchange.request.bodyLength;
    // Trailers need a chunked body.
    const whole = this.#buffered && this.#state === COMPLETE && this.#trailers === null;
    return declared === UNKNOWN_LENGTH && whole ? this.#length : declared;
  }

  /** Decides how the body is read and lets the forward phase begin, now or when enough is here. */
  begin(mode: BodyMode): void {
    const { forward, stream } = this.#exchange;
    // A plugin has read it, or put another in its place.
    if (this.#whole || this.#begun) return forward?.start();
    if (mode === 'kept') {
      this.#state = KEEPING;
      this.#buffered = true;
      stream.readBody();
    } else {
      this.#state = STREAMING;
      if (mode === 'replayable') this.#replay = REPLAY_BYTES;
      forward?.start();
    }
  }

  /** The upstream is ready: what is kept goes out, and then the rest as it comes. */
  sendTo(upstream: { write(chunk: Buffer): boolean; end(trailers: Trailers | null): void }): void {
    let credit = true;
    this.#closeBlock();
    for (const chunk of this.#kept) credit = upstream.write(chunk);
    if (this.#state === COMPLETE) return upstream.end(this.#trailers);
    if (this.#length > this.#replay || this.#replay === 0) this.#forget();
    const { stream } = this.#exchange;
    stream.readBody();
    if (credit) stream.resumeBody();
    else stream.pauseBody();
  }

  /** A plugin waits for octets of the client. */
  get reading(): boolean {
    return this.#waiting !== null;
  }

  /** For a plugin, before the request is forwarded. @throws BodyTooLarge */
  async readWhole(limit: number): Promise<Buffer> {
    if (!this.#whole) {
      const declared = this.#exchange.request.bodyLength;
      if (declared > limit || this.#length > limit) throw tooLarge(limit);
      this.#limit = Math.max(this.#limit, limit);
      await this.#readOn();
    }
    const bytes = this.#joined();
    // Another plugin may have wanted more of it.
    if (bytes.length > limit) throw tooLarge(limit);
    return bytes;
  }

  #readOn(): Promise<Buffer> {
    if (this.#waiting !== null) return this.#waiting.promise;
    this.#waiting = Promise.withResolvers();
    // Whoever does not wait for it any more must not end the worker.
    this.#waiting.promise.catch(() => {});
    const { promise } = this.#waiting;
    this.#state = KEEPING;
    this.#buffered = true;
    const { stream } = this.#exchange;
    stream.readBody();
    if (this.#begun) stream.resumeBody();
    return promise;
  }

  /** A plugin's limit is reached: the rest waits with the client, in case that the plugin does without. */
  #overflow(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#begun = true;
    this.#state = STREAMING;
    this.#exchange.stream.pauseBody();
    waiting?.reject(tooLarge(this.#limit));
  }

  /** In place of what the client sent, whose rest is read and dropped. */
  replace(bytes: Buffer): void {
    const { stream, request } = this.#exchange;
    const unread =
      !this.#whole && !this.#replaced && request.bodyLength !== NO_BODY && request.bodyLength !== 0;
    this.release();
    this.#whole = true;
    this.#replaced = true;
    this.#state = COMPLETE;
    this.#trailers = null;
    this.#kept = [bytes];
    this.#length = bytes.length;
    if (!unread) return;
    stream.readBody();
    if (this.#begun) stream.resumeBody();
  }

  #joined(): Buffer {
    this.#closeBlock();
    if (this.#kept.length !== 1) this.#kept = [Buffer.concat(this.#kept)];
    return this.#kept[0] as Buffer;
  }

  add(chunk: Buffer): void {
    if (this.#replaced) return;
    const exchange = this.#exchange;
    this.#length += chunk.length;
    if (this.#length > exchange.context.policy.maxBody) return exchange.fail(payloadTooLarge());
    if (this.#waiting !== null) {
      const mayKeep = this.#keep(chunk);
      if (!mayKeep || this.#length > this.#limit) this.#overflow();
      return;
    }
    const upstream = this.#state === STREAMING ? exchange.forward?.upstream : null;
    if (upstream !== null && upstream !== undefined) {
      if (!upstream.write(chunk)) exchange.stream.pauseBody();
      if (this.#gone) return;
      if (this.#length > this.#replay || !this.#keep(chunk)) this.#forget();
      return;
    }
    // Between two tries.
    if (this.#state === STREAMING && !exchange.responded) exchange.stream.pauseBody();
    const mayKeep = this.#keep(chunk);
    if (this.#state !== KEEPING) return;
    if (mayKeep && this.#length <= exchange.context.policy.requestBuffer) return;
    this.#state = STREAMING;
    exchange.stream.pauseBody();
    exchange.forward?.start();
  }

  end(trailers: Trailers | null): void {
    if (this.#replaced) return;
    const before = this.#state;
    this.#state = COMPLETE;
    this.#trailers = trailers;
    if (this.#waiting !== null) {
      const waiting = this.#waiting;
      this.#waiting = null;
      this.#whole = true;
      waiting.resolve(this.#joined());
      return;
    }
    const { forward } = this.#exchange;
    // The rest came with what was too much for a plugin.
    if (forward === null) this.#whole = true;
    else if (before === KEEPING) forward.start();
    else forward.end(trailers);
  }

  /** The response has begun: there will be no other try. */
  settle(): void {
    if (this.#replay > 0) this.#forget();
  }

  /** The exchange is: who waits for octets waits in vain. */
  over(): void {
    this.#waiting?.reject(new Error('the request is over'));
    this.#waiting = null;
    this.release();
  }

  #forget(): void {
    this.#gone = true;
    this.#blockUsed = 0;
    this.release();
  }

  release(): void {
    this.#kept = [];
    this.#block = null;
    if (this.#keptBytes === 0) return;
    this.#keptBytes = 0;
    this.#exchange.stream.keeps(0);
  }

  /** False: its connection keeps too much. */
  #keep(chunk: Buffer): boolean {
    this.#keptBytes += chunk.length;
    this.#add(chunk);
    return this.#exchange.stream.keeps(this.#keptBytes);
  }

  #add(chunk: Buffer): void {
    if (chunk.length >= SMALL_BYTES || this.#kept.length < FEW) {
      this.#closeBlock();
      // A small part of what was read in one go would keep all of that.
      this.#kept.push(chunk.buffer.byteLength > 2 * chunk.length ? Buffer.from(chunk) : chunk);
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

function tooLarge(limit: number): BodyTooLarge {
  return new BodyTooLarge(`the body has more than ${limit} octets`);
}

export function payloadTooLarge(): GatewayError {
  return new GatewayError('payload_too_large', 'Payload too large', { source: 'client', status: 413 });
}
