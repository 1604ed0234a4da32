/**
 * A connection to an upstream, plain or TLS, that is not given to anybody before its peer is who it must be.
 *
 *     connect ──> (plain) ready
 *        └──> handshake ──> chain, depth, name ──> ready
 *                  └───────────────┴──> destroyed with a TlsFailure ('error', 'close')
 *
 * Whoever asks for a connection listens for 'error' and 'close' as on any socket, and waits for `onReady` before the
 * first write: so no byte of a request reaches a peer that was not verified. One time-out of the caller covers all of
 * it. Reads can go into a buffer of the caller (`onread`), with TLS too.
 */
import type { X509Certificate } from 'node:crypto';
import * as net from 'node:net';
import type * as tls from 'node:tls';
import type { Destination, UpstreamTls } from './destination.ts';

/** Why there is no TLS with an upstream; the message is for logs. */
export class TlsFailure extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'TlsFailure';
  }
}

export interface ConnectOptions {
  /** Protocols to offer (ALPN), or null to offer none. `socket.alpnProtocol` says which was chosen. */
  readonly alpn: readonly string[] | null;
  readonly onread?: net.OnReadOpts;
  /** Connected, and with TLS verified. */
  readonly onReady: () => void;
}

export type UpstreamSocket = net.Socket | tls.TLSSocket;

/** Fails by an event, never by throwing: also when the certificate or key of the trust cannot be used. */
export function connectUpstream(to: Destination, options: ConnectOptions): UpstreamSocket {
  const tcp = {
    host: to.host,
    port: to.port,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    autoSelectFamily: false,
    ...(options.onread === undefined ? {} : { onread: options.onread }),
  };
  if (to.tls !== null) return connectTls(tcp, to.tls, options);
  return net.connect(tcp).once('connect', options.onReady);
}

function connectTls(
  tcp: net.TcpNetConnectOpts,
  terms: UpstreamTls,
  { alpn, onReady }: ConnectOptions,
): UpstreamSocket {
  const { trust, serverName } = terms;
  let secureContext: tls.SecureContext;
  try {
    secureContext = trust.context;
  } catch (error) {
    return new net.Socket().destroy(new TlsFailure(messageOf(error), error));
  }
  const peer = `${serverName} ${tcp.host ?? ''} ${tcp.port}`;
  const session = trust.session(peer);
  const socket = process.getBuiltinModule('node:tls').connect({
    ...tcp,
    secureContext,
    // Verified below, where a failure says why.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(serverName === '' || net.isIP(serverName) !== 0 ? { servername: '' } : { servername: serverName }),
    ...(alpn === null ? {} : { ALPNProtocols: [...alpn] }),
    ...(session === undefined ? {} : { session }),
  });
  let verified = false;
  let latest: Buffer | null = null;
  // TLS 1.2 has its session before the handshake is judged.
  socket.on('session', (fresh) => {
    if (verified) trust.keepSession(peer, fresh);
    else latest = fresh;
  });
  socket.once('secureConnect', () => {
    const failure = judge(socket, terms);
    if (failure !== null) {
      socket.destroy(failure);
      return;
    }
    verified = true;
    if (latest !== null) trust.keepSession(peer, latest);
    latest = null;
    onReady();
  });
  return socket;
}

/** Null: the peer is who it must be. */
function judge(socket: tls.TLSSocket, { trust, serverName }: UpstreamTls): TlsFailure | null {
  const { authorities, depth } = trust.spec;
  if (authorities === null) return null;
  if (!socket.authorized) {
    return new TlsFailure(`certificate verify failed: ${messageOf(socket.authorizationError)}`);
  }
  // Its session is kept only when chain and name were found good, and for this trust and this name alone.
  if (socket.isSessionReused()) return null;
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return new TlsFailure('the upstream sent no certificate');
  let between: number;
  try {
    between = authorities.depthOf(leaf, depth);
  } catch (error) {
    // OpenSSL reads a text with several as far as it gets.
    return new TlsFailure(`an authority cannot be read: ${messageOf(error)}`, error);
  }
  if (between > depth) {
    return new TlsFailure(`certificate chain too long: depth ${depth} allows fewer certificates between`);
  }
  return isNamed(leaf, serverName) ? null : new TlsFailure(`certificate does not match '${serverName}'`);
}

/** nginx takes addresses for names, which no certificate has; here one may be issued to an address. */
function isNamed(leaf: X509Certificate, name: string): boolean {
  if (leaf.checkHost(name) !== undefined) return true;
  return net.isIP(name) !== 0 && leaf.checkIP(name) !== undefined;
}

/** What broke a handshake, in words for a log: OpenSSL's reason without its file names and addresses. */
export function handshakeFailure(error: Error | null): TlsFailure {
  if (error instanceof TlsFailure) return error;
  if (error === null) return new TlsFailure('the upstream closed the connection in the handshake');
  const { reason } = error as { reason?: unknown };
  return new TlsFailure(typeof reason === 'string' ? reason : error.message, error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
