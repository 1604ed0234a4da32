/**
 * The relay step: bytes both ways until both sides are done.
 *
 * Each direction stops its source while its sink is slow, so that at most a socket's own mark and one read wait for it. A
 * `write` that answers no is not enough to stop: it does so for every large chunk, also when the kernel has taken all.
 * FIN is passed on, and the other direction goes on. A stream on which nothing moves for the service's `read_timeout`
 * ends, as nginx's `proxy_timeout` has it.
 *
 * The upstream's side reads into one buffer again and again. When the kernel has not taken a chunk at once it stays where
 * it is, and the next read gets another buffer. TLS takes a chunk at once, whatever has left of what it made of it. What
 * the client's side has read is freed as soon as the kernel has all of it.
 */
import type * as net from 'node:net';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import { freeRead } from '../../wire/read-buffers.ts';
import type { Stream } from './stream.ts';

const READ_BYTES = 64 * 1024;

/** What an upstream's socket reads into. */
export class ReadBuffer {
  /** Gets what was read; true: it is still referenced when the call returns. */
  deliver: (chunk: Buffer) => boolean = () => false;
  #buffer: Buffer | null = null;
  readonly onread: net.OnReadOpts = {
    buffer: () => (this.#buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)),
    callback: (length, buffer) => {
      if (this.deliver((buffer as Buffer).subarray(0, length))) this.#buffer = null;
      return true;
    },
  };
}

interface Legs {
  readonly client: net.Socket;
  readonly upstream: net.Socket;
  readonly buffer: ReadBuffer;
  readonly idleMs: number;
}

export function relay(stream: Stream, { client, upstream, buffer, idleMs }: Legs): void {
  const { wheel } = stream.context;
  const encrypted = 'encrypted' in client;
  let clientPaused = false;
  let upstreamPaused = false;
  let open = 2;
  const timer = new WheelTimer(() => {
    stream.log('info', 'stream_idle', 'nothing moved for the read time-out');
    destroy();
  });

  function destroy(): void {
    client.destroy();
    upstream.destroy();
  }

  /** What waits for the other side still goes to it; the timer bounds how long. */
  function closed(other: net.Socket): void {
    if (--open > 0) {
      other.destroySoon();
      return;
    }
    wheel.remove(timer);
    stream.end();
  }

  stream.cut = destroy;
  buffer.deliver = (chunk) => {
    if (open === 2) wheel.arm(timer, idleMs);
    stream.bytesSent += chunk.length;
    if (!client.writable) return false;
    // Behind bytes that wait a few more must not keep the whole buffer that they were read into.
    const copied = client.writableLength > 0;
    const room = client.write(copied ? Buffer.from(chunk) : chunk);
    const waits = client.writableLength > 0;
    if (waits && !room) {
      upstreamPaused = true;
      upstream.pause();
    }
    return !copied && !encrypted && waits;
  };
  client.on('data', (chunk: Buffer) => {
    if (open === 2) wheel.arm(timer, idleMs);
    stream.bytesReceived += chunk.length;
    if (!upstream.writable) return;
    const room = upstream.write(chunk);
    if (upstream.writableLength === 0) return freeRead(chunk);
    if (room) return;
    clientPaused = true;
    client.pause();
  });
  client.on('drain', () => {
    if (!upstreamPaused) return;
    upstreamPaused = false;
    if (open === 2) wheel.arm(timer, idleMs);
    upstream.resume();
  });
  upstream.on('drain', () => {
    if (!clientPaused) return;
    clientPaused = false;
    if (open === 2) wheel.arm(timer, idleMs);
    client.resume();
  });
  client.on('end', () => upstream.end());
  upstream.on('end', () => client.end());
  upstream.on('error', ({ message }) =>
    stream.log('error', 'stream_broken', `the upstream broke off: ${message}`),
  );
  client.on('close', () => closed(upstream));
  upstream.on('close', () => closed(client));
  wheel.arm(timer, idleMs);
  // What a client did while there was no upstream it does not tell again.
  if (client.destroyed) closed(upstream);
  else if (client.readableEnded) upstream.end();
  // With `onread` nothing flows before somebody asks for it.
  upstream.resume();
}
