/**
 * The listeners of one worker: from a connection that the kernel accepted to one that is ready for its protocol.
 *
 *     accept ──> PROXY header, where the listener has it ──> TLS handshake, where it has it ──> serve
 */
import * as net from 'node:net';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { Listener } from '../settings/settings.ts';
import { keepAlive, listenOn, MODE_EVERYBODY } from '../wire/listen.ts';
import { CELL, type WorkerZone } from '../zone/worker-zone.ts';
import { type ArrivalFacts, arrivalOf, readProxyHeader } from './arrival.ts';
import { closeQuiet } from './close-quiet.ts';
import { readPreface } from './preface.ts';
import type { TlsListeners } from './tls-listeners.ts';

export interface ListenersOptions {
  readonly zone: WorkerZone;
  readonly wheel: TimerWheel;
  /** Handshakes of the listeners with `ssl`. */
  readonly tls: TlsListeners;
  /** Is the address one of `trusted_ips`? */
  readonly trusts: (address: string) => boolean;
  /** Milliseconds that a PROXY header, and then the first bytes that tell the protocol, may take. */
  readonly headerMs: () => number;
  /** Takes a connection that is ready. */
  readonly serve: (socket: net.Socket, facts: ArrivalFacts) => void;
  /** A connection was refused: a sentence for the error log. */
  readonly onRefused: (message: string) => void;
  /** A sentence for the error log. */
  readonly onError: (message: string) => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #servers: net.Server[] = [];
  /** Those that are not ready yet. */
  readonly #arriving = new Set<net.Socket>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Ports that are open, in the order in which they were opened; unix sockets have none. */
  get ports(): number[] {
    return this.#servers
      .map((server) => server.address())
      .filter((address) => typeof address === 'object' && address !== null)
      .map(({ port }) => port);
  }

  /** @throws Error when the address cannot be had. */
  async open(listener: Listener): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket, listener),
    );
    await listenOn(server, listener, { shared: true, mode: MODE_EVERYBODY });
    server.on('error', (error) => this.#options.onError(`accept failed: ${error.message}`));
    this.#servers.push(server);
  }

  /** Closes when nothing waits in the kernel's queues, at the latest after `limitMs`. */
  async closeQuiet(limitMs: number): Promise<void> {
    await closeQuiet(this.#servers, () => this.#options.zone.get(CELL.accepted), limitMs);
  }

  /** Ends what is not ready yet, too. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#arriving) socket.destroy();
    this.#options.tls.close();
  }

  #accept(socket: net.Socket, listener: Listener): void {
    this.#options.zone.increment(CELL.accepted);
    const facts = arrivalOf(socket, listener);
    if (facts === null) {
      socket.destroy();
      return;
    }
    keepAlive(socket, listener);
    if (!listener.proxyProtocol) return this.#ready(socket, listener, facts);
    const { wheel, trusts, headerMs } = this.#options;
    this.#arriving.add(socket);
    readProxyHeader(socket, facts, { wheel, trusts, timeoutMs: headerMs() }, (result) => {
      this.#arriving.delete(socket);
      if (typeof result === 'string') this.#refuse(socket, result);
      else this.#ready(socket, listener, result);
    });
  }

  #refuse(socket: net.Socket, message: string): void {
    this.#options.zone.increment(CELL.proxyHeadersRefused);
    this.#options.onRefused(message);
    socket.destroy();
  }

  /** Behind the PROXY header. Without TLS, on a listener with HTTP/2 its first bytes tell which protocol it speaks. */
  #ready(socket: net.Socket, listener: Listener, facts: ArrivalFacts): void {
    const { serve, tls, wheel, headerMs } = this.#options;
    if (listener.ssl) return tls.accept(socket, listener, facts, serve);
    if (!listener.http2) return serve(socket, facts);
    readPreface(socket, { wheel, timeoutMs: headerMs() }, (protocol) => {
      if (protocol === null) socket.destroy();
      else serve(socket, { ...facts, protocol });
    });
  }
}
