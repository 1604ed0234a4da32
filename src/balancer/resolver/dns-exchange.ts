/**
 * One question to one name server: over UDP, and over TCP when the answer was truncated.
 *
 * Each question has a socket of its own, connected to the server: the kernel chooses the port at random and drops what
 * comes from elsewhere, so that whoever forges an answer has to guess port and id. What is no answer to the question is
 * passed over, up to a bound.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket as TcpSocket } from 'node:net';
import { ipFamily } from '../../lib/is-ip.ts';
import { type DnsQuery, type DnsReply, readReply } from './dns-message.ts';

export interface NameServer {
  /** Without brackets. */
  readonly address: string;
  readonly port: number;
}

/** What became of it; `unreachable`: the server's host says that nobody listens. */
export type DnsOutcome = DnsReply | { readonly kind: 'timeout' | 'unreachable' | 'closed' };

/** Messages to a socket that are no answer. */
const MAX_FOREIGN = 64;

/** Things under way that can be ended together. */
export class Openings {
  readonly #ends = new Set<() => void>();
  closed = false;

  add(end: () => void): void {
    this.#ends.add(end);
  }

  delete(end: () => void): void {
    this.#ends.delete(end);
  }

  close(): void {
    this.closed = true;
    this.#ends.forEach((end) => end());
  }
}

export async function exchange(
  query: DnsQuery,
  server: NameServer,
  timeoutMs: number,
  openings: Openings,
): Promise<DnsOutcome> {
  const outcome = await once(timeoutMs, openings, (done) => overUdp(query, server, done));
  if (outcome.kind !== 'truncated') return outcome;
  const whole = await once(timeoutMs, openings, (done) => overTcp(query, server, done));
  // A server that truncates over TCP, too, has no answer that can be read.
  return whole.kind === 'truncated' ? { kind: 'garbage' } : whole;
}

type Done = (outcome: DnsOutcome) => void;

/** @param begin answers how to end it. Its outcome is the first that comes. */
function once(timeoutMs: number, openings: Openings, begin: (done: Done) => () => void): Promise<DnsOutcome> {
  if (openings.closed) return Promise.resolve({ kind: 'closed' });
  return new Promise((resolve) => {
    let end: (() => void) | null = null;
    let outcome: DnsOutcome | null = null;
    const done: Done = (first) => {
      if (outcome !== null) return;
      outcome = first;
      clearTimeout(timer);
      openings.delete(close);
      end?.();
      resolve(first);
    };
    const close = (): void => done({ kind: 'closed' });
    const timer = setTimeout(done, timeoutMs, { kind: 'timeout' } satisfies DnsOutcome);
    openings.add(close);
    try {
      end = begin(done);
    } catch {
      done({ kind: 'unreachable' });
    }
    // It may have ended while it began.
    if (outcome !== null) end?.();
  });
}

function overUdp(query: DnsQuery, { address, port }: NameServer, done: Done): () => void {
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const socket: UdpSocket = createSocket(ipFamily(address) === 6 ? 'udp6' : 'udp4');
  let open = true;
  let foreign = 0;
  socket.on('error', () => done({ kind: 'unreachable' }));
  socket.on('message', (message: Buffer) => {
    const reply = readReply(message, query);
    if (reply.kind !== 'foreign') done(reply);
    else if (++foreign > MAX_FOREIGN) done({ kind: 'garbage' });
  });
  socket.on('connect', () => {
    if (open) socket.send(query.bytes);
  });
  socket.connect(port, address);
  return () => {
    if (open) socket.close();
    open = false;
  };
}

/** Messages over TCP have two octets of length before them (RFC 1035 §4.2.2). */
function overTcp(query: DnsQuery, { address: host, port }: NameServer, done: Done): () => void {
  const { connect } = process.getBuiltinModule('node:net');
  const socket: TcpSocket = connect({ host, port });
  const chunks: Buffer[] = [];
  let size = 0;
  socket.on('error', () => done({ kind: 'unreachable' }));
  socket.on('close', () => done({ kind: 'garbage' }));
  socket.on('connect', () => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.bytes.length);
    socket.write(Buffer.concat([length, query.bytes]));
  });
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (chunks[0]!.length < 2) chunks.splice(0, chunks.length, Buffer.concat(chunks));
    if (size < 2 || size < 2 + chunks[0]!.readUInt16BE(0)) return;
    const all = Buffer.concat(chunks);
    const reply = readReply(all.subarray(2, 2 + all.readUInt16BE(0)), query);
    done(reply.kind === 'foreign' ? { kind: 'garbage' } : reply);
  });
  return () => socket.destroy();
}
