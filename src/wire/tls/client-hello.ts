/**
 * The ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2) as far as a gateway must know it before the handshake: the server
 * name (RFC 6066 §3), the protocols of ALPN (RFC 7301) and under which ticket key the client wants to resume.
 *
 * It is read by whoever must choose before OpenSSL sees a byte, or passes the connection on without terminating it. So it
 * is strict: where two readers could see two server names, it is refused. Pure and stateless: called again with all that
 * has come until it is whole. Bounded by MAX_CLIENT_HELLO_BYTES.
 */

export interface ClientHello {
  /** Lower case, without a dot at the end; '' when the client names none. */
  readonly serverName: string;
  /** ALPN in the client's order; names that are not ASCII are left out. */
  readonly protocols: readonly string[];
  /** The first 16 octets of the session ticket (in OpenSSL's tickets the name of the key that seals it), or null. */
  readonly ticketName: Buffer | null;
}

/** `incomplete`: so far it is one; more must come. A fault ends in a word for the log. */
export type ClientHelloResult =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'fault'; readonly reason: string };

/** With the record headers. Hellos with post-quantum keys take 2 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 16 * 1024;

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const MAX_RECORD_BYTES = 16_384;
/** Each look begins at the first record again, so that without a bound they would be work for an attacker to cause. */
const MAX_RECORDS = 64;
const RECORD_HEADER = 5;
const TICKET_NAME_BYTES = 16;
const EXTENSION = { serverName: 0, alpn: 16, sessionTicket: 35, preSharedKey: 41 } as const;
const MAX_EXTENSIONS = 64;

const INCOMPLETE: ClientHelloResult = { kind: 'incomplete' };

class Malformed extends Error {}

/** @param bytes all that came on the connection so far. */
export function readClientHello(bytes: Buffer): ClientHelloResult {
  try {
    const message = gather(bytes);
    if (message === null) {
      return bytes.length > MAX_CLIENT_HELLO_BYTES ? fault('oversized ClientHello') : INCOMPLETE;
    }
    return { kind: 'hello', hello: parse(new Reader(message)) };
  } catch (error) {
    if (error instanceof Malformed) return fault(error.message);
    throw error;
  }
}

function fault(reason: string): ClientHelloResult {
  return { kind: 'fault', reason };
}

/** The body of the handshake message out of its records (it may lie in several); null: not all there yet. */
function gather(bytes: Buffer): Buffer | null {
  let whole: Buffer | null = null;
  let have = 0;
  let records = 0;
  for (let at = 0; at < bytes.length;) {
    if (records++ === MAX_RECORDS) throw new Malformed('too many records');
    const size = recordSize(bytes, at);
    if (size === null) return null;
    const fragment = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + size);
    if (fragment.length === 0) return null;
    if (have === 0) {
      whole = fragment.length < size || isWhole(fragment) ? fragment : Buffer.allocUnsafe(bytes.length);
    }
    if (whole !== fragment) whole?.set(fragment, have);
    have += fragment.length;
    const message = whole?.subarray(0, have) ?? fragment;
    if (message[0] !== CLIENT_HELLO) throw new Malformed('no ClientHello');
    if (isWhole(message)) return message.subarray(4);
    if (fragment.length < size) return null;
    at += RECORD_HEADER + size;
  }
  return null;
}

/** Of the fragment in the record that begins there; null: its header is not all there. */
function recordSize(bytes: Buffer, at: number): number | null {
  if (bytes[at] !== HANDSHAKE_RECORD) throw new Malformed('not a TLS handshake');
  if (at + 1 < bytes.length && bytes[at + 1] !== 3) throw new Malformed('unknown TLS version');
  if (at + RECORD_HEADER > bytes.length) return null;
  const size = bytes.readUInt16BE(at + 3);
  if (size === 0 || size > MAX_RECORD_BYTES) throw new Malformed('record of an invalid size');
  return size;
}

function isWhole(message: Buffer): boolean {
  if (message.length < 4) return false;
  const length = message.readUIntBE(1, 3) + 4;
  if (length + RECORD_HEADER > MAX_CLIENT_HELLO_BYTES) throw new Malformed('oversized ClientHello');
  if (message.length > length) throw new Malformed('bytes behind the ClientHello');
  return message.length === length;
}

function parse(hello: Reader): ClientHello {
  if (hello.take(2)[0] !== 3) throw new Malformed('unknown TLS version');
  hello.take(32);
  if (hello.vector(1).length > 32) throw new Malformed('session id of an invalid size');
  const suites = hello.vector(2).length;
  if (suites === 0 || suites % 2 !== 0) throw new Malformed('cipher suites of an invalid size');
  if (hello.vector(1).length === 0) throw new Malformed('no compression method');
  const extensions = hello.ended ? null : new Reader(hello.vector(2));
  if (!hello.ended) throw new Malformed('bytes behind the extensions');
  const found = extensions === null ? new Map<number, Buffer>() : readExtensions(extensions);
  return {
    serverName: serverName(found.get(EXTENSION.serverName)),
    protocols: protocols(found.get(EXTENSION.alpn)),
    ticketName: ticketName(found.get(EXTENSION.preSharedKey), found.get(EXTENSION.sessionTicket)),
  };
}

/** None may come twice (RFC 8446 §4.2). */
function readExtensions(extensions: Reader): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  while (!extensions.ended) {
    const type = extensions.number(2);
    if (found.has(type)) throw new Malformed('an extension twice');
    if (found.size === MAX_EXTENSIONS) throw new Malformed('too many extensions');
    found.set(type, extensions.vector(2));
  }
  return found;
}

function serverName(extension: Buffer | undefined): string {
  if (extension === undefined) return '';
  const outer = new Reader(extension);
  const list = new Reader(outer.vector(2));
  if (!outer.ended) throw new Malformed('bytes behind the server name');
  if (list.number(1) !== 0) throw new Malformed('server name of an unknown type');
  const name = list.vector(2).toString('latin1');
  if (!list.ended) throw new Malformed('several server names');
  if (name.length > 255 || !/^[A-Za-z0-9._:-]+$/.test(name)) throw new Malformed('invalid server name');
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '') throw new Malformed('invalid server name');
  return bare.toLowerCase();
}

function protocols(extension: Buffer | undefined): readonly string[] {
  if (extension === undefined) return [];
  const outer = new Reader(extension);
  const list = new Reader(outer.vector(2));
  if (!outer.ended || list.ended) throw new Malformed('protocols of an invalid size');
  const names: string[] = [];
  while (!list.ended) {
    const name = list.vector(1).toString('latin1');
    if (name === '') throw new Malformed('empty protocol name');
    if (/^[\x21-\x7e]+$/.test(name)) names.push(name);
  }
  return names;
}

/** Of TLS 1.3's first identity, else of the ticket of TLS 1.2. A ticket that is too short is none. */
function ticketName(preShared: Buffer | undefined, ticket: Buffer | undefined): Buffer | null {
  let identity = ticket ?? null;
  if (preShared !== undefined) identity = new Reader(new Reader(preShared).vector(2)).vector(2);
  if (identity === null || identity.length < TICKET_NAME_BYTES) return null;
  return identity.subarray(0, TICKET_NAME_BYTES);
}

/** Reads from front to back; whatever is not there is a fault. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Buffer {
    const from = this.#at;
    if (from + count > this.#bytes.length) throw new Malformed('cut short');
    this.#at += count;
    return this.#bytes.subarray(from, from + count);
  }

  number(octets: number): number {
    return this.take(octets).readUIntBE(0, octets);
  }

  /** What follows a length of so many octets. */
  vector(lengthOctets: number): Buffer {
    return this.take(this.number(lengthOctets));
  }
}
