/**
 * UDP: one socket for each listener and worker (the kernel sends a client always to the same one), and a session for each
 * client's address and port, which lives as long as something moves.
 *
 * What strangers can make grow is bounded: sessions of the node, datagrams that wait for an upstream's name, bytes that
 * wait in a socket. What is over a bound is dropped and counted, as the network itself might have done.
 */
import type * as dgram from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Listener } from '../../settings/settings.ts';
import { unmapped } from '../../wire/listen.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { routeStream } from './route.ts';
import { Stream, type StreamContext } from './stream.ts';
import { UdpSession } from './udp-session.ts';
import { literal, MAX_QUEUED } from './udp-sockets.ts';

export class UdpListener {
  readonly #context: StreamContext;
  readonly #socket: dgram.Socket;
  readonly #sessions = new Map<string, UdpSession>();
  #closing = false;

  private constructor(context: StreamContext, socket: dgram.Socket) {
    this.#context = context;
    this.#socket = socket;
  }

  /** @throws Error when the address cannot be had. */
  static async open(listener: Listener, context: StreamContext): Promise<UdpListener> {
    const { host, port, ipv6only } = listener;
    const family = host.includes(':')
      ? ({ type: 'udp6', ipv6Only: ipv6only } as const)
      : ({ type: 'udp4' } as const);
    const reusePort = process.platform === 'linux';
    const socket = createSocket({ ...family, reusePort, lookup: literal });
    // Before the call: an address that need not be looked up may be bound within it.
    const listening = once(socket, 'listening');
    socket.bind({ address: host, port, exclusive: true });
    await listening;
    const opened = new UdpListener(context, socket);
    socket.on('error', (error) => context.errorLog.log('error', 'udp', `udp listener: ${error.message}`));
    socket.on('message', (datagram, from) => opened.#onDatagram(datagram, from));
    return opened;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Sessions go on; other clients are not heard any more. */
  drain(): void {
    this.#closing = true;
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end();
    this.#socket.close();
  }

  send(datagram: Buffer, port: number, address: string): boolean {
    if (this.#socket.getSendQueueSize() > MAX_QUEUED) return false;
    this.#socket.send(datagram, port, address, (error) => {
      if (error !== null) this.#context.zone.increment(CELL.datagramsDropped);
    });
    return true;
  }

  #onDatagram(datagram: Buffer, { address, port }: dgram.RemoteInfo): void {
    const key = `${address} ${port}`;
    const session = this.#sessions.get(key) ?? this.#begin(key, address, port);
    if (session === null) this.#context.zone.increment(CELL.datagramsDropped);
    else session.fromClient(datagram);
  }

  #begin(key: string, address: string, port: number): UdpSession | null {
    const context = this.#context;
    if (this.#closing) return null;
    if (context.zone.nodeSum(CELL.udpSessions) >= context.bounds.udpSessions) {
      context.errorLog.log('warn', 'udp_sessions', 'too many UDP sessions: stream_udp_sessions is reached');
      return null;
    }
    const own = this.#socket.address();
    const arrival = {
      clientIp: unmapped(address),
      clientPort: port,
      localIp: own.address,
      localPort: own.port,
    };
    const stream = new Stream(context, arrival, 'udp');
    const service = routeStream(stream);
    if (service === null) return null;
    const session = new UdpSession(stream, service, {
      toClient: (datagram) => this.send(datagram, port, address),
      onEnd: () => this.#sessions.delete(key),
    });
    this.#sessions.set(key, session);
    session.begin();
    return session;
  }
}
