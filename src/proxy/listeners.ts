/**
 * The listeners of one worker: from a connection that the kernel accepted to one that is ready for its protocol.
 *
 *     accept ──> PROXY header, where the listener has it ──> TLS handshake, where it has it ──> serve
 */
import * as net from 'node:net';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { Listener } from '../settings/settings.ts';
import type { ConnectionGuard, TlsFacts } from '../wire/message.ts';
import { CELL, type WorkerZone } from '../zone/worker-zone.ts';
import { closeQuiet } from './close-quiet.ts';
import { readPreface, type Protocol } from './preface.ts';
import type { TlsListeners } from './tls-listeners.ts';

/** What is known of a connection when it is ready; the settings judge the rest (`Peer`). */
export interface ArrivalFacts {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsFacts | null;
  readonly guard?: ConnectionGuard | null;
  /** What ALPN or the first bytes say that it speaks. */
  readonly protocol: Protocol;
}

export interface ListenersOptions {
  readonly zone: WorkerZone;
  /** Handshakes of the listeners with `ssl`. */
  readonly tls: TlsListeners;
  readonly wheel: TimerWheel;
  /** How long a connection may take to say what it speaks, in milliseconds. */
  readonly prefaceMs: () => number;
  /** Takes a connection that is ready. */
  readonly serve: (socket: net.Socket, facts: ArrivalFacts) => void;
  /** A sentence for the error log. */
  readonly onError: (message: string) => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #servers: net.Server[] = [];

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Ports that are open, in the order in which they were opened. */
  get ports(): number[] {
    return this.#servers.map((server) => (server.address() as net.AddressInfo).port);
  }

  /** @throws Error when the address cannot be had. */
  async open(listener: Listener): Promise<void> {
    refuseNotYet(listener);
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket, listener),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(
      {
        host: listener.host,
        port: listener.port,
        backlog: listener.backlog,
        ipv6Only: listener.ipv6only,
        reusePort: process.platform === 'linux',
      },
      resolve,
    );
    await promise;
    server.off('error', reject);
    server.on('error', (error) => this.#options.onError(`accept failed: ${error.message}`));
    this.#servers.push(server);
  }

  /** Closes when nothing waits in the kernel's queues, at the latest after `limitMs`. */
  async closeQuiet(limitMs: number): Promise<void> {
    await closeQuiet(this.#servers, () => this.#options.zone.get(CELL.accepted), limitMs);
  }

  close(): void {
    for (const server of this.#servers) server.close();
    this.#options.tls.close();
  }

  #accept(socket: net.Socket, listener: Listener): void {
    this.#options.zone.increment(CELL.accepted);
    const { remoteAddress } = socket;
    // The client has gone while it waited in the kernel's queue.
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    this.#ready(socket, listener, {
      remoteAddress: unmapped(remoteAddress),
      remotePort: socket.remotePort ?? 0,
      localAddress: unmapped(socket.localAddress ?? ''),
      localPort: socket.localPort ?? listener.port,
      tls: null,
      protocol: 'http/1.1',
    });
  }

  /** Behind the PROXY header. Without TLS, on a listener with HTTP/2 its first bytes tell which protocol it speaks. */
  #ready(socket: net.Socket, listener: Listener, facts: ArrivalFacts): void {
    const { serve, tls, wheel, prefaceMs } = this.#options;
    if (listener.ssl) return tls.accept(socket, listener, facts, serve);
    if (!listener.http2) return serve(socket, facts);
    readPreface(socket, { wheel, timeoutMs: prefaceMs() }, (protocol) => {
      if (protocol === null) socket.destroy();
      else serve(socket, { ...facts, protocol });
    });
  }
}

/** `::ffff:1.2.3.4` is the client 1.2.3.4 on a socket that takes both families. */
function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** A listener that was asked to be more than plain text must not come up as that. */
function refuseNotYet({ proxyProtocol, path }: Listener): void {
  if (proxyProtocol || path !== null) {
    throw new Error('listeners with the PROXY protocol and unix sockets are not there yet');
  }
}
