/**
 * Upstreams that fail, one fault each, on a port of their own. What the tries of a request do to one is counted: its
 * connections, and for HTTP/2, where tries share one, the heads that came.
 */
import type { TlsOptions } from 'node:tls';
import { FRAME } from '../../support/http2-raw.ts';
import { freePort } from '../../support/ports.ts';
import { taken } from '../../support/taken.ts';
import { type RawPeer, startRawUpstream } from '../../support/upstream.ts';
import { startFullPort } from '../../proxy/support/full-port.ts';

export interface Faulty extends AsyncDisposable {
  readonly port: number;
  /** Tries that have arrived; null: nobody listens who could count them. */
  tries(): number | null;
}

export type Fault = (tls: TlsOptions | undefined) => Promise<Faulty>;

const PREFACE_BYTES = 24;
const FRAME_HEADER = 9;

/** Heads among the frames of one HTTP/2 connection. */
function headsOf(received: Buffer): number {
  let heads = 0;
  for (let at = PREFACE_BYTES; at + FRAME_HEADER <= received.length;) {
    if (received[at + 3] === FRAME.headers) heads++;
    at += FRAME_HEADER + received.readUIntBE(at, 3);
  }
  return heads;
}

/** Does that with each connection; with TLS behind the handshake. */
export function served(handler: (peer: RawPeer) => unknown): Fault {
  return async (tls) => {
    const upstream = await startRawUpstream(
      async (peer) => void (await handler(peer)),
      tls === undefined ? {} : { tls },
    );
    return {
      port: upstream.port,
      tries: () => upstream.connections,
      [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
    };
  };
}

/** The same before any handshake. */
export function beforeTls(handler: (peer: RawPeer) => unknown): Fault {
  return () => served(handler)(undefined);
}

/** Speaks HTTP/2 in frames of its own; the tries are the heads that it gets. */
export function framed(handler: (peer: RawPeer) => unknown): Fault {
  return async () => {
    const upstream = await startRawUpstream(async (peer) => void (await handler(peer)));
    return {
      port: upstream.port,
      tries: () => upstream.peers.reduce((sum, { received }) => sum + headsOf(received), 0),
      [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
    };
  };
}

export const refuses: Fault = async () => {
  const port = await freePort();
  return { port, tries: () => null, async [Symbol.asyncDispose]() {} };
};

/** Neither takes a connection nor refuses it. */
export const deafPort: Fault = async () => {
  const full = await startFullPort();
  return { port: full.port, tries: () => null, [Symbol.asyncDispose]: () => full[Symbol.asyncDispose]() };
};

export const resetsAtOnce = (peer: RawPeer): void => peer.reset();
export const closesAtOnce = (peer: RawPeer): void => void peer.socket.destroy();
export const silent = (): void => {};
/** Reads nothing at all. */
export const deaf = (peer: RawPeer): void => void peer.socket.pause();

/** Reads the beginning of what comes, and no more. */
export function readsOnly(octets: number): (peer: RawPeer) => Promise<void> {
  return async (peer) => {
    await peer.bytes(octets);
    peer.socket.pause();
  };
}

/** Answers each request with these bytes (Latin-1), and then keeps the connection, ends or resets it. */
export function answers(
  bytes: string | readonly string[],
  then: 'keep' | 'close' | 'reset' = 'keep',
): (peer: RawPeer) => Promise<void> {
  return async (peer) => {
    peer.socket.setMaxListeners(0);
    for (let request = 1; ; request++) {
      await peer.heads(request);
      for (const part of typeof bytes === 'string' ? [bytes] : bytes) {
        peer.write(part);
        // A part that the gateway has read: the next one comes by itself.
        await taken(peer.socket);
      }
      if (then === 'close') return peer.end();
      if (then === 'reset') return peer.reset();
    }
  };
}
