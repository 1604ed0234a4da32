/** Serializes heads into the scratch: start line and framing of our own making, then the field lines. */
import { putDecimal, putLatin1 } from '../../lib/bytes.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { BodyLength, Headers, OutgoingRequest, ResponseHead, Trailers } from '../message.ts';
import { FieldLines, writeField } from './field-lines.ts';
import { ID } from './field-names.ts';
import type { Output } from './output.ts';

/** Room for start line, Host, Connection, Upgrade and framing around the fields. */
const FIXED_BYTES = 160;
/** `HTTP/1.1 200 OK CRLF` and its like, made once for each status and reason. */
const statusLines = new Map<number, { readonly reason: string; readonly bytes: Buffer }>();

/** A request head for an upstream: always HTTP/1.1, Host first (RFC 9112 §3.2). */
export function writeRequestHead(output: Output, head: OutgoingRequest): void {
  const { method, target, authority, headers, bodyLength, upgrade } = head;
  const declared = dropForeignLength(headers, bodyLength);
  const text = fieldText(headers);
  const room =
    FIXED_BYTES +
    method.length +
    target.length +
    authority.length +
    upgrade.length +
    fieldBytes(headers, text);
  const buffer = output.reserve(room);
  let at = putLatin1(buffer, output.length, method);
  buffer[at++] = 0x20;
  at = putLatin1(buffer, at, target);
  at = putLatin1(buffer, at, ' HTTP/1.1\r\nHost: ');
  at = putLatin1(buffer, at, authority);
  at = putLatin1(
    buffer,
    at,
    upgrade === '' ? '\r\nConnection: keep-alive' : '\r\nConnection: keep-alive, Upgrade\r\nUpgrade: ',
  );
  if (upgrade !== '') at = putLatin1(buffer, at, upgrade);
  buffer[at++] = 0x0d;
  buffer[at++] = 0x0a;
  if (head.acceptsTrailers) at = putLatin1(buffer, at, 'TE: trailers\r\n');
  at = putFraming(buffer, at, bodyLength, declared);
  output.advance(putFields(buffer, at, headers, text));
}

/** How a response leaves: what its connection says of itself and of the body's end. */
export interface ResponseFraming {
  readonly chunked: boolean;
  /** `Connection` value, or '' for none. */
  readonly connection: string;
  readonly upgrade: string;
}

export function writeResponseHead(output: Output, head: ResponseHead, framing: ResponseFraming): void {
  const { status, reason, headers, bodyLength } = head;
  const declared = bodyLength === NO_BODY ? true : dropForeignLength(headers, bodyLength);
  const line = statusLine(status, reason);
  const text = fieldText(headers);
  const room = FIXED_BYTES + line.length + framing.upgrade.length + fieldBytes(headers, text);
  const buffer = output.reserve(room);
  let at = output.length;
  line.copy(buffer, at);
  at += line.length;
  if (framing.connection !== '') at = writeField(buffer, at, 'Connection', framing.connection);
  if (framing.upgrade !== '') at = writeField(buffer, at, 'Upgrade', framing.upgrade);
  at = framing.chunked
    ? putLatin1(buffer, at, 'Transfer-Encoding: chunked\r\n')
    : putFraming(buffer, at, bodyLength === UNKNOWN_LENGTH ? NO_BODY : bodyLength, declared);
  output.advance(putFields(buffer, at, headers, text));
}

/** `0 CRLF`, trailers, CRLF: the end of a chunked body. */
export function writeLastChunk(output: Output, trailers: Trailers | null): void {
  let room = 8;
  for (let i = 0; trailers !== null && i < trailers.length; i++) room += (trailers[i]?.length ?? 0) + 4;
  const buffer = output.reserve(room);
  let at = putLatin1(buffer, output.length, '0\r\n');
  for (let i = 0; trailers !== null && i < trailers.length; i += 2) {
    at = writeField(buffer, at, trailers[i] ?? '', trailers[i + 1] ?? '');
  }
  buffer[at++] = 0x0d;
  buffer[at++] = 0x0a;
  output.advance(at);
}

/** True when the lines hold a Content-Length that says the same as `bodyLength`; another one is removed. */
function dropForeignLength(headers: Headers, bodyLength: BodyLength): boolean {
  const declared =
    headers instanceof FieldLines ? headers.known(ID['content-length']) : headers.get('content-length');
  if (declared === undefined) return false;
  if (bodyLength >= 0 && declared === String(bodyLength)) return true;
  headers.remove('content-length');
  return false;
}

function putFraming(buffer: Buffer, at: number, bodyLength: BodyLength, declared: boolean): number {
  if (bodyLength === NO_BODY || declared) return at;
  if (bodyLength === UNKNOWN_LENGTH) return putLatin1(buffer, at, 'Transfer-Encoding: chunked\r\n');
  at = putDecimal(buffer, putLatin1(buffer, at, 'Content-Length: '), bodyLength);
  buffer[at++] = 0x0d;
  buffer[at++] = 0x0a;
  return at;
}

/**
 * Fields that are strings as one text, so that one call writes them all: those of HTTP/2 lie outside of the heap, and to
 * read them character by character costs more than everything else in a head. Null: they are bytes already.
 */
function fieldText(headers: Headers): string | null {
  if (headers instanceof FieldLines) return null;
  let text = '';
  headers.each((name, value) => (text += `${name}: ${value}\r\n`));
  return text;
}

function fieldBytes(headers: Headers, text: string | null): number {
  return text === null ? (headers as FieldLines).byteLength : text.length;
}

function putFields(buffer: Buffer, at: number, headers: Headers, text: string | null): number {
  if (text === null) at = (headers as FieldLines).copyTo(buffer, at);
  else at += buffer.write(text, at, 'latin1');
  buffer[at++] = 0x0d;
  buffer[at++] = 0x0a;
  return at;
}

function statusLine(status: number, reason: string): Buffer {
  const known = statusLines.get(status);
  if (known !== undefined && known.reason === reason) return known.bytes;
  const bytes = Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n`, 'latin1');
  statusLines.set(status, { reason, bytes });
  return bytes;
}
