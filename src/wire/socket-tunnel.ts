/** A socket that left its protocol, behind the `Tunnel` interface; the connection that owned it passes events on. */
import type { Socket } from 'node:net';
import type { Tunnel, TunnelHandler } from './message.ts';

export class SocketTunnel implements Tunnel {
  readonly #socket: Socket;
  /** TLS takes a chunk at once, and only later tells that what it made of it has left. */
  readonly #encrypted: boolean;
  #rest: Buffer | null;
  #handler: TunnelHandler | null = null;
  #ended = false;
  #closed = false;

  /** `rest`: bytes that were read past the head, memory of their own. */
  constructor(socket: Socket, rest: Buffer | null) {
    this.#socket = socket;
    this.#encrypted = 'encrypted' in socket;
    this.#rest = rest;
  }

  get writable(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  start(handler: TunnelHandler): void {
    this.#handler = handler;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) handler.onData(rest);
    if (this.#ended) handler.onEnd();
    if (this.#closed) handler.onClose();
  }

  write(chunk: Buffer): boolean {
    if (this.#closed || this.#socket.writableEnded) return false;
    // Behind bytes that wait, a few more must not keep the whole buffer that they were read into.
    const waits = this.#socket.writableLength > 0;
    this.#socket.write(waits ? Buffer.from(chunk) : chunk);
    return !waits && !this.#encrypted && this.#socket.writableLength > 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  finish(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What was read; true when it is still referenced. */
  deliver(chunk: Buffer): boolean {
    if (this.#handler !== null) return this.#handler.onData(chunk);
    this.#rest = this.#rest === null ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    return false;
  }

  drained(): void {
    this.#handler?.onDrain();
  }

  ended(): void {
    this.#ended = true;
    this.#handler?.onEnd();
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler?.onClose();
  }
}
