/**
 * What is known of a connection that has just been accepted, and the PROXY header that it may begin with.
 *
 * Only peers of `trusted_ips` may say who the client is: on a listener with `proxy_protocol` a stranger's connection is
 * refused before a byte of it is read, and so is one without a header, or with one that is malformed or late. nginx
 * reads the header of anybody and trusts it later; here it is the door.
 */
import type * as net from 'node:net';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { Listener } from '../settings/settings.ts';
import { UNIX_PEER, unmapped } from '../wire/listen.ts';
import type { ConnectionGuard, TlsFacts } from '../wire/message.ts';
import { type Blindness, peek } from '../wire/peek.ts';
import type { Protocol } from './preface.ts';
import { MAX_PROXY_HEADER, parseProxyHeader, type ProxiedAddresses } from '../wire/proxy-protocol/header.ts';

/** What is known of a connection when it is ready; the settings judge the rest (`Peer`). */
export interface ArrivalFacts {
  /** Of the socket; `unix:` on a unix socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsFacts | null;
  /** What a trusted peer's PROXY header said, where there was one that said something (not LOCAL or UNKNOWN). */
  readonly proxied?: ProxiedAddresses | null;
  readonly guard?: ConnectionGuard | null;
  /** What ALPN or the first bytes say that it speaks. */
  readonly protocol: Protocol;
}

/** Null: the client has gone while it waited in the kernel's queue. */
export function arrivalOf(socket: net.Socket, listener: Listener): ArrivalFacts | null {
  if (listener.path !== null) {
    const localAddress = `${UNIX_PEER}${listener.path}`;
    const ports = { remotePort: 0, localPort: 0 };
    return {
      remoteAddress: UNIX_PEER,
      localAddress,
      ...ports,
      tls: null,
      proxied: null,
      protocol: 'http/1.1',
    };
  }
  const { remoteAddress } = socket;
  if (remoteAddress === undefined) return null;
  return {
    remoteAddress: unmapped(remoteAddress),
    remotePort: socket.remotePort ?? 0,
    localAddress: unmapped(socket.localAddress ?? ''),
    localPort: socket.localPort ?? listener.port,
    tls: null,
    proxied: null,
    protocol: 'http/1.1',
  };
}

export interface ProxyHeaderOptions {
  readonly wheel: TimerWheel;
  readonly timeoutMs: number;
  readonly trusts: (address: string) => boolean;
}

const WHY: Readonly<Record<Blindness, string>> = {
  timeout: 'it did not come in time',
  limit: 'it is too long',
  gone: 'the connection ended before it was complete',
};

/**
 * Reads the PROXY header. The socket is as freshly accepted then, without it.
 * @param done gets the connection's facts, or a sentence that says why it must not be served.
 */
export function readProxyHeader(
  socket: net.Socket,
  facts: ArrivalFacts,
  { wheel, timeoutMs, trusts }: ProxyHeaderOptions,
  done: (result: ArrivalFacts | string) => void,
): void {
  const from = facts.remoteAddress;
  if (!trusts(from)) {
    socket.on('error', () => {});
    return done(`connection from ${from}, which is not in trusted_ips, to a listener with proxy_protocol`);
  }
  const look = (seen: Buffer) => {
    const header = parseProxyHeader(seen);
    return header === null ? null : { value: header, taken: header.ok ? header.length : 0 };
  };
  peek(socket, look, { wheel, timeoutMs, limit: MAX_PROXY_HEADER }, (seen) => {
    if (!seen.ok) return done(`PROXY header from ${from}: ${WHY[seen.why]}`);
    const { value } = seen;
    done(value.ok ? { ...facts, proxied: value.addresses } : `PROXY header from ${from}: ${value.fault}`);
  });
}
