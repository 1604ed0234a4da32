/** Certificates as entities, and clients that say what came of a handshake. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls';
import type { Certificate } from '../../src/entities/certificate.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import type { Pair } from '../support/authority.ts';

export async function entityOf(pair: Pair, alternative: Pair | null = null): Promise<Certificate> {
  const text = async (path: string): Promise<string> => await readFile(path, 'utf8');
  return certificateEntity({
    cert: await text(pair.cert),
    key: await text(pair.key),
    cert_alt: alternative === null ? null : await text(alternative.cert),
    key_alt: alternative === null ? null : await text(alternative.key),
  });
}

export function certificateEntity(fields: Partial<Certificate>): Certificate {
  return { id: randomUUID(), cert_alt: null, key_alt: null, tags: null, ...fields } as Certificate;
}

/** Server names with their certificates. */
export function trustOf(names: Readonly<Record<string, Certificate>>): Trust {
  const certificates = Object.values(names).map((one): [string, Certificate] => [one.id, one]);
  const serverNames = Object.entries(names).map(([name, { id }]): [string, string] => [name, id]);
  return new Trust(new Map(certificates), new Map(), new Map(serverNames));
}

/** A connection whose handshake is done. @throws what the handshake failed of. */
export async function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  // `once` throws the error that comes instead.
  await once(socket, 'secureConnect');
  return socket;
}

/** The common name that a server name is answered with, or the error's code. */
export async function nameFor(
  port: number,
  servername: string,
  options: ConnectionOptions = {},
): Promise<string> {
  try {
    const socket = await shake(port, { servername, ...options });
    const { subject } = socket.getPeerCertificate();
    // Not `destroy`, which may take the end of the handshake with it.
    socket.end().resume();
    await once(socket, 'close');
    return String(subject.CN);
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** One request on a connection of its own; answers status and body. */
export async function ask(
  port: number,
  options: ConnectionOptions = {},
  host = 'localhost',
): Promise<{ readonly status: number; readonly text: string; readonly reused: boolean }> {
  const socket = await shake(port, options);
  const reused = socket.isSessionReused();
  const { status, text } = await request(socket, host);
  return { status, text, reused };
}

export async function request(socket: TLSSocket, host: string): Promise<{ status: number; text: string }> {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => void (text += chunk));
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'end');
  socket.destroy();
  return { status: Number(text.slice(9, 12)), text };
}

/** The session of a connection that has had an answer: tickets of TLS 1.3 come behind the handshake. */
export async function sessionOf(port: number, options: ConnectionOptions = {}): Promise<Buffer> {
  const socket = await shake(port, options);
  let session: Buffer = socket.getSession() ?? Buffer.alloc(0);
  socket.on('session', (next: Buffer) => (session = next));
  await request(socket, 'localhost');
  return session;
}
