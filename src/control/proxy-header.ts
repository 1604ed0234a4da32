/**
 * PROXY headers on the listeners of the main thread (`proxy_protocol`): read in front of whatever the server makes of a
 * connection, TLS too, by the same rules as on the proxy's listeners.
 *
 * Who the client is then, the header says: for the access log, and for counting who guesses tokens, since all of them
 * have the balancer's address. The addresses are kept by the connection's own four, as a request over TLS has another
 * socket object, and forgotten when it closes.
 */
import type { Server, Socket } from 'node:net';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import { arrivalOf, readProxyHeader } from '../proxy/arrival.ts';
import type { Listener } from '../settings/settings.ts';
import type { ProxiedAddresses } from '../wire/proxy-protocol/header.ts';

const HEADER_MS = 15_000;

export interface ProxyHeaderRules {
  readonly wheel: TimerWheel;
  readonly trusts: (address: string) => boolean;
  readonly onRefused: (message: string) => void;
}

const known = new Map<string, ProxiedAddresses>();
let refused = 0;

/** Connections refused by now. */
export function refusedHeaders(): number {
  return refused;
}

/** Lets the server have a connection only behind its header; call before anything else listens to it. */
export function readHeadersFirst(server: Server, listener: Listener, rules: ProxyHeaderRules): void {
  const { wheel, trusts, onRefused } = rules;
  const serve = server.listeners('connection') as Array<(socket: Socket) => void>;
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const facts = arrivalOf(socket, listener);
    if (facts === null) {
      socket.destroy();
      return;
    }
    readProxyHeader(socket, facts, { wheel, trusts, timeoutMs: HEADER_MS }, (result) => {
      if (typeof result === 'string') {
        refused++;
        onRefused(result);
        socket.destroy();
        return;
      }
      if (result.proxied) remember(socket, result.proxied);
      for (const listen of serve) listen.call(server, socket);
    });
  });
}

function remember(socket: Socket, addresses: ProxiedAddresses): void {
  const key = keyOf(socket);
  known.set(key, addresses);
  socket.once('close', () => known.delete(key));
}

/** What the PROXY header said of a request's connection. */
export function proxiedOf(socket: Socket | undefined): ProxiedAddresses | undefined {
  return known.size === 0 || socket === undefined ? undefined : known.get(keyOf(socket));
}

function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
