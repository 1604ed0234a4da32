/**
 * The access log, one line for each request in Kong's format:
 *
 *     $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
 *     kong_request_id: "$kong_request_id"
 *
 * Values are escaped as nginx does (`log_format … escape=default`): `"`, `\`, control characters and everything from
 * 0x7F on become `\xHH`, so no client can forge a line. Bytes are put straight into the log's chunk, in one pass that
 * looks at and copies each; only the time is a string, made once a second.
 */
import { CHUNK_BYTES, type LogFile } from './log-file.ts';

export interface AccessEntry {
  readonly remoteAddr: string;
  /** From `Authorization: Basic`; empty when there is none. */
  readonly remoteUser: string;
  /** Method, target and version as received, bytes as latin1; an empty method when no request line could be read. */
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly status: number;
  /** Octets of the body that were sent. */
  readonly bytesSent: number;
  /** Empty when the request had none. */
  readonly referer: string;
  readonly userAgent: string;
  /** Null: the line has no request id, as on the admin side (nginx's `combined`). */
  readonly requestId: string | null;
}

/** A value longer than this is cut; it is the size of one of nginx's large header buffers. */
const MAX_VALUE = 8192;
/** Everything in a line that is not a value. */
const FIXED_BYTES = 256;

const DASH = 0x2d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_X = 0x78;

/** 1 for a byte that is written as it is. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte++) PLAIN[byte] = byte === QUOTE || byte === BACKSLASH ? 0 : 1;
const HEX = Buffer.from('0123456789ABCDEF', 'latin1');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

export class AccessLog {
  readonly #file: LogFile;
  readonly #now: () => number;
  #second = -1;
  /** ` [24/Nov/2026:03:00:00 +0000] "` */
  readonly #time = Buffer.alloc(64);
  #timeLength = 0;

  constructor(file: LogFile, now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
  }

  write(entry: AccessEntry): void {
    const file = this.#file;
    if (!file.reserve(boundOf(entry))) return;
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) this.#setTime(second);
    const out = file.chunk;
    let at = putValue(out, file.used, entry.remoteAddr);
    at = putPlain(out, at, ' - ');
    at = putValue(out, at, entry.remoteUser);
    for (let i = 0; i < this.#timeLength; i++) out[at++] = this.#time[i] ?? 0;
    if (entry.method !== '') {
      at = putEscaped(out, at, entry.method);
      out[at++] = SPACE;
      at = putEscaped(out, at, entry.target);
      at = putPlain(out, at, PROTOCOL[entry.version]);
    } else {
      at = putEscaped(out, at, entry.target);
    }
    at = putPlain(out, at, '" ');
    at = putNumber(out, at, entry.status);
    out[at++] = SPACE;
    at = putNumber(out, at, entry.bytesSent);
    at = putPlain(out, at, ' "');
    at = putValue(out, at, entry.referer);
    at = putPlain(out, at, '" "');
    at = putValue(out, at, entry.userAgent);
    if (entry.requestId !== null) {
      at = putPlain(out, at, '" kong_request_id: "');
      at = putValue(out, at, entry.requestId);
    }
    file.commit(putPlain(out, at, '"\n'));
  }

  #setTime(second: number): void {
    this.#second = second;
    this.#timeLength = this.#time.write(` [${formatLocalTime(new Date(second * 1000))}] "`, 'latin1');
  }
}

const PROTOCOL = { '1.0': ' HTTP/1.0', '1.1': ' HTTP/1.1', '2': ' HTTP/2.0' } as const;

/** nginx's `$time_local`: `24/Nov/2026:03:00:00 +0000`. */
export function formatLocalTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const distance = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(distance / 60))}${two(distance % 60)}`;
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
}

/** Bytes that a line may take at most: every character escaped (four bytes), every value cut. */
function boundOf(entry: AccessEntry): number {
  const usual =
    entry.remoteAddr.length +
    entry.remoteUser.length +
    entry.method.length +
    entry.target.length +
    entry.referer.length +
    entry.userAgent.length +
    (entry.requestId?.length ?? 0);
  // 7 values of MAX_VALUE, escaped, fit a chunk.
  return Math.min(usual * 4 + FIXED_BYTES, CHUNK_BYTES);
}

/** As `putEscaped`, but nginx's `-` for a value that is missing. */
function putValue(out: Buffer, at: number, value: string): number {
  if (value.length === 0) {
    out[at] = DASH;
    return at + 1;
  }
  return putEscaped(out, at, value);
}

function putEscaped(out: Buffer, at: number, value: string): number {
  const length = Math.min(value.length, MAX_VALUE);
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (PLAIN[code] === 1) out[at++] = code;
    else at = putHex(out, at, code);
  }
  return at;
}

/** Values are bytes as latin1; a character beyond (none comes from the wire) shows its low byte. */
function putHex(out: Buffer, at: number, code: number): number {
  out[at] = BACKSLASH;
  out[at + 1] = LOWER_X;
  out[at + 2] = HEX[(code >> 4) & 15] ?? 0;
  out[at + 3] = HEX[code & 15] ?? 0;
  return at + 4;
}

function putPlain(out: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** A non-negative integer in decimal digits. */
function putNumber(out: Buffer, at: number, value: number): number {
  if (value > 0x7fffffff || value < 0) return putPlain(out, at, String(value));
  let rest = value | 0;
  let end = at + 1;
  for (let bound = 10; end - at < 10 && rest >= bound; bound *= 10) end++;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    out[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}
