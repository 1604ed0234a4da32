/** A stream that carries a WebSocket connection (RFC 8441), behind the `Tunnel` interface. */
import type { ServerHttp2Stream } from 'node:http2';
import type { Tunnel, TunnelHandler } from '../message.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { breakOff, closeUnread, closeWhenFinished, discardBody } from './server-listeners.ts';
import type { Http2ServerSession } from './server-session.ts';

export class Http2Tunnel implements Tunnel {
  readonly #stream: ServerHttp2Stream;
  readonly #session: Http2ServerSession;
  #handler: TunnelHandler | null = null;
  #closed = false;
  /** Only what waits for the client still leaves; what it sends is for nobody. */
  #finishing = false;

  constructor(stream: ServerHttp2Stream, session: Http2ServerSession) {
    this.#stream = stream;
    this.#session = session;
    session.context.zone.increment(CELL.tunnels);
  }

  get writable(): boolean {
    return !this.#stream.writableNeedDrain;
  }

  start(handler: TunnelHandler): void {
    this.#handler = handler;
    if (this.#closed) return handler.onClose();
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => this.#guard(() => this.#onData(chunk)));
    stream.on('end', () => this.#guard(() => handler.onEnd()));
    stream.on('drain', () => this.#guard(() => handler.onDrain()));
  }

  write(chunk: Buffer): boolean {
    if (this.#closed || this.#stream.writableEnded || this.#stream.destroyed) return false;
    this.#session.payload += chunk.length;
    // It leaves at the end of the turn, when the buffer that it was read into may be read into again.
    this.#stream.write(Buffer.from(chunk));
    return false;
  }

  pause(): void {
    if (!this.#finishing) this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    if (!this.#closed && !this.#stream.writableEnded) this.#stream.end();
  }

  finish(): void {
    const stream = this.#stream;
    if (this.#closed || stream.destroyed) return;
    this.end();
    this.#finishing = true;
    discardBody(stream);
    if (stream.writableFinished) closeUnread(stream);
    else closeWhenFinished(stream);
  }

  destroy(): void {
    breakOff(this.#stream);
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.context.zone.decrement(CELL.tunnels);
    this.#handler?.onClose();
  }

  #onData(chunk: Buffer): void {
    this.#session.payload += chunk.length;
    if (!this.#finishing) this.#handler?.onData(chunk);
  }

  #guard(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.#session.context.onDefect(error);
      this.destroy();
    }
  }
}
