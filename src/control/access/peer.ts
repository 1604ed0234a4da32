/**
 * Who is at the other end of a connection: its address, and the names of its certificate if an authority of
 * `admin_client_ca` has signed it: `CN:…`, `DNS:…`, `URI:…`, `email:…`.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { UNIX_PEER } from '../../wire/listen.ts';
import { proxiedOf } from '../proxy-header.ts';
import { CERTIFICATE_SUBJECT } from './token-store.ts';

export interface Peer {
  /** Of the client. */
  readonly address: string;
  /** Where it came in. */
  readonly localAddress: string;
  /** Empty without a certificate that was verified. */
  readonly subjects: readonly string[];
}

export function peerOf(incoming: IncomingMessage | Http2ServerRequest): Peer {
  // Of HTTP/2, `request.socket` is a stand-in that hides some of this.
  const socket = 'stream' in incoming ? incoming.stream.session?.socket : incoming.socket;
  const { TLSSocket } = process.getBuiltinModule('node:tls');
  const tls = socket instanceof TLSSocket ? socket : null;
  const proxied = proxiedOf(socket);
  return {
    address: proxied?.remoteAddress ?? socket?.remoteAddress ?? UNIX_PEER,
    localAddress: proxied?.localAddress ?? socket?.localAddress ?? UNIX_PEER,
    subjects: tls !== null && tls.authorized ? certificateSubjects(tls) : [],
  };
}

/** Of a socket or a listener; a unix socket, which is its owner's, counts as such. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address === UNIX_PEER || /^(?:::ffff:)?127\./.test(address);
}

function certificateSubjects(socket: TLSSocket): string[] {
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const common: unknown = (subject as { readonly CN?: unknown } | undefined)?.CN;
  const names = [common].flat().filter((name) => typeof name === 'string');
  // Node quotes a name that holds a comma or a quotation mark. Nobody needs one, and so none is taken apart.
  const alternative = subjectaltname?.includes('"') === false ? subjectaltname.split(', ') : [];
  return [...names.map((name) => `CN:${name}`), ...alternative].filter((name) =>
    CERTIFICATE_SUBJECT.test(name),
  );
}
