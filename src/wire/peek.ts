/**
 * Looks at the first bytes of a connection and gives them back, so that whoever serves it next reads it from the start.
 *
 * What was read goes back into the socket's own buffer (`unshift`), from where `'data'` brings it as usual, and where
 * `tls.Server` (`emit('connection', socket)`) and `http2.performServerHandshake` fetch it before they read from the
 * system. A look may also take bytes away: a PROXY header is not part of what follows.
 *
 * Bounded in bytes and time. A peer that ends, fails or says too little ends the look; its socket is then the caller's to
 * destroy and nothing of it is given back, since there is nobody who could be served.
 */
import type { Socket } from 'node:net';
import { type TimerWheel, WheelTimer } from '../lib/timer-wheel.ts';

/** What a look has come to. */
export interface Sight<R> {
  readonly value: R;
  /** Bytes from the start that the next reader does not get. */
  readonly taken: number;
}

/** Gets all bytes since the connection began, each time more. Null: needs more. Must not throw, nor keep the bytes. */
export type Look<R> = (seen: Buffer) => Sight<R> | null;

/** Why nothing was seen: the time is over, the look wants more than `limit` bytes, or the peer ended or failed. */
export type Blindness = 'timeout' | 'limit' | 'gone';

export interface PeekOptions {
  readonly wheel: TimerWheel;
  readonly timeoutMs: number;
  /** A look that has not come to anything with so many bytes ends. */
  readonly limit: number;
}

export type Peeked<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly why: Blindness };

/**
 * Calls `done` once, before it returns when the bytes are here already. The socket has no reader then, as freshly
 * accepted: attach one, or hand it on, in that very call.
 */
export function peek<R>(
  socket: Socket,
  look: Look<R>,
  options: PeekOptions,
  done: (peeked: Peeked<R>) => void,
): void {
  new Peek(socket, look, options, done).start();
}

class Peek<R> {
  readonly #socket: Socket;
  readonly #look: Look<R>;
  readonly #options: PeekOptions;
  readonly #done: (peeked: Peeked<R>) => void;
  readonly #timer = new WheelTimer(() => this.#fail('timeout'));
  #seen: Buffer | null = null;
  #over = false;
  readonly #onReadable = (): void => this.#read();
  readonly #onGone = (): void => this.#fail('gone');

  constructor(socket: Socket, look: Look<R>, options: PeekOptions, done: (peeked: Peeked<R>) => void) {
    this.#socket = socket;
    this.#look = look;
    this.#options = options;
    this.#done = done;
  }

  start(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.readableEnded) return this.#fail('gone');
    socket.on('readable', this.#onReadable);
    socket.on('end', this.#onGone);
    socket.on('error', this.#onGone);
    socket.on('close', this.#onGone);
    this.#options.wheel.arm(this.#timer, this.#options.timeoutMs);
    // What an earlier look gave back: of that comes no event again.
    if (socket.readableLength > 0) this.#read();
  }

  #read(): void {
    const chunk = this.#socket.read() as Buffer | null;
    if (this.#over || chunk === null) return;
    const seen = this.#seen === null ? chunk : Buffer.concat([this.#seen, chunk]);
    const sight = this.#look(seen);
    if (sight === null) {
      this.#seen = seen;
      if (seen.length >= this.#options.limit) this.#fail('limit');
      return;
    }
    this.#leave();
    // Before the call that may serve the socket, and in the same turn: behind a FIN it would be too late.
    if (sight.taken < seen.length) this.#socket.unshift(seen.subarray(sight.taken));
    this.#done({ ok: true, value: sight.value });
  }

  #fail(why: Blindness): void {
    if (this.#over) return;
    this.#leave();
    // The socket may still fail before the caller has destroyed it.
    this.#socket.on('error', ignore);
    this.#done({ ok: false, why });
  }

  #leave(): void {
    const socket = this.#socket;
    this.#over = true;
    this.#seen = null;
    this.#options.wheel.remove(this.#timer);
    socket.off('readable', this.#onReadable);
    socket.off('end', this.#onGone);
    socket.off('error', this.#onGone);
    socket.off('close', this.#onGone);
  }
}

function ignore(): void {}
