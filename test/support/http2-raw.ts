/**
 * An HTTP/2 client that writes frames by hand, so that it can send what no library sends: header blocks are literals
 * without Huffman code, and nothing is checked. Of what comes back it reads frames, and of a header block its status.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from './wait.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;
/** RFC 9113 §7. */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;

export type Fields = ReadonlyArray<readonly [name: string, value: string]>;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What became of a request: a status, or the error code of its stream or of the connection. */
export type Outcome =
  | { readonly status: number }
  | { readonly reset: number }
  | { readonly goaway: number }
  | { readonly closed: true };

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADER = 9;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(HEADER + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEADER);
  return bytes;
}

/** HPACK: each field a literal without indexing (RFC 7541 §6.2.2). */
export function block(fields: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) parts.push(Buffer.from([0]), text(name), text(value));
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([prefixed(bytes.length, 7), bytes]);
}

/** An integer behind a prefix of so many bits (RFC 7541 §5.1). */
function prefixed(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export function get(path = '/', more: Fields = []): Fields {
  return [[':method', 'GET'], [':scheme', 'http'], [':authority', 'example.test'], [':path', path], ...more];
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export class RawHttp2 implements AsyncDisposable {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  closed = false;
  #rest = Buffer.alloc(0);
  #next = 1;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  /** The next id of a stream. */
  id(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  write(...frames: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** Sends a request's head, in one frame that ends the stream unless said; answers its stream. */
  request(fields: Fields, flags: number = FLAG.endStream): number {
    const id = this.id();
    this.write(frame(FRAME.headers, flags | FLAG.endHeaders, id, block(fields)));
    return id;
  }

  data(stream: number, payload: Buffer | string, end = false): void {
    this.write(frame(FRAME.data, end ? FLAG.endStream : 0, stream, Buffer.from(payload)));
  }

  reset(stream: number, code: number = CODE.cancel): void {
    this.write(frame(FRAME.reset, 0, stream, uint32(code)));
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter(
      (each) => each.type === type && (stream === undefined || each.stream === stream),
    );
  }

  /** Body octets that came for a stream. */
  body(stream: number): Buffer {
    return Buffer.concat(this.of(FRAME.data, stream).map(({ payload }) => payload));
  }

  /** Waits for the first thing that says what became of a stream. */
  outcome(stream: number): Promise<Outcome> {
    return waitFor(() => this.#outcome(stream), { what: `an outcome of stream ${stream}` });
  }

  /** The code of the GOAWAY that ends the connection. */
  goaway(): Promise<number> {
    const code = (): number | undefined =>
      this.of(FRAME.goaway)
        .map(codeOf)
        .find((each) => each !== CODE.none);
    return waitFor(() => code() ?? (this.closed ? CODE.none : undefined), { what: 'a GOAWAY' });
  }

  /** A round trip: what was sent before has been read. */
  async ping(): Promise<void> {
    const before = this.#pongs();
    this.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    await waitFor(() => this.#pongs() > before || this.closed, { what: 'a PING to be answered' });
  }

  #pongs(): number {
    return this.of(FRAME.ping).filter(({ flags }) => (flags & FLAG.ack) !== 0).length;
  }

  #outcome(stream: number): Outcome | null {
    for (const each of this.frames) {
      if (each.type === FRAME.goaway && codeOf(each) !== CODE.none) return { goaway: codeOf(each) };
      if (each.stream !== stream) continue;
      const status = each.type === FRAME.headers ? statusOf(each.payload) : 0;
      if (status >= 200) return { status };
      if (each.type === FRAME.reset) return { reset: each.payload.readUInt32BE(0) };
    }
    return this.closed ? { closed: true } : null;
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEADER) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < HEADER + length) return;
      const payload = this.#rest.subarray(HEADER, HEADER + length);
      const type = this.#rest[3] ?? 0;
      const flags = this.#rest[4] ?? 0;
      this.frames.push({ type, flags, stream: this.#rest.readUInt32BE(5), payload });
      this.#rest = this.#rest.subarray(HEADER + length);
      if (type === FRAME.settings && (flags & FLAG.ack) === 0) this.write(frame(FRAME.settings, FLAG.ack, 0));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

/** Connects and says the preface; `more` settings are id and value in turn. */
export async function connectHttp2(port: number, more: readonly number[] = []): Promise<RawHttp2> {
  // No table for header compression (SETTINGS_HEADER_TABLE_SIZE): a status can be read without one.
  const settings = [1, 0, ...more];
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const client = new RawHttp2(socket);
  const payload = Buffer.alloc(settings.length * 3);
  for (let at = 0; at < settings.length; at += 2) {
    payload.writeUInt16BE(settings[at] ?? 0, at * 3);
    payload.writeUInt32BE(settings[at + 1] ?? 0, at * 3 + 2);
  }
  client.write(Buffer.from(PREFACE, 'latin1'), frame(FRAME.settings, 0, 0, payload));
  return client;
}

/** Error code of a GOAWAY. */
function codeOf({ payload }: Frame): number {
  return payload.readUInt32BE(4);
}

const INDEXED_STATUS: Readonly<Record<number, number>> = {
  8: 200,
  9: 204,
  10: 206,
  11: 304,
  12: 400,
  13: 404,
  14: 500,
};
/** Huffman codes of the digits: 0 to 2 have five bits, the others six (RFC 7541, appendix B). */
const SHORT_DIGITS = 3;
const LONG_DIGITS_FROM = 25;

/** `:status`, the first field of each of our responses: indexed, or a literal with the name's index. */
export function statusOf(bytes: Buffer): number {
  // A change of the table's size may stand before it.
  const at = ((bytes[0] ?? 0) & 0xe0) === 0x20 ? 1 : 0;
  const first = bytes[at] ?? 0;
  if ((first & 0x80) !== 0) return INDEXED_STATUS[first & 0x7f] ?? 0;
  const length = (bytes[at + 1] ?? 0) & 0x7f;
  const value = bytes.subarray(at + 2, at + 2 + length);
  return Number(((bytes[at + 1] ?? 0) & 0x80) === 0 ? value.toString('latin1') : digits(value));
}

function digits(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let decoded = '';
  while (decoded.length < 3) {
    const five = Number.parseInt(bits.slice(0, 5), 2);
    const short = five < SHORT_DIGITS;
    decoded += short ? five : Number.parseInt(bits.slice(0, 6), 2) - LONG_DIGITS_FROM + 3;
    bits = bits.slice(short ? 5 : 6);
  }
  return decoded;
}
