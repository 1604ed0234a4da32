/**
 * From the fields of a HEADERS frame to what they mean, as strict as HTTP/1.1 is here (`http1/head.ts`, docs/adr/0008):
 * what goes on as an HTTP/1.1 message must be one message, and the one that the client sent.
 *
 * nghttp2 has refused before, with a reset of the stream: upper-case and empty names, unknown, missing, repeated and late
 * pseudo-headers, connection-specific fields, `te` but `trailers`, a `content-length` that is no number or that the DATA
 * frames do not keep. Regular fields with octets that no field may have (control characters in a value, anything but a
 * token as a name) it leaves out. `test/wire/http2-refused.test.ts` proves it with raw frames, so that an update of Node
 * cannot take it away unseen. Here is the rest, and what nghttp2 passes but HTTP/1.1 does not; a fault is answered with
 * the status that it has in HTTP/1.1.
 */
import * as Fault from '../http1/fault.ts';
import { isAuthority, parseLength } from '../http1/head.ts';
import type { HeadLimits } from '../http1/head-parser.ts';
import { BYTE_CLASS, HTAB, METHOD, SP, TARGET } from '../http1/syntax.ts';
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { BodyLength, RequestHead } from '../message.ts';
import { Http2Fields } from './server-fields.ts';

export class Http2RequestHead implements RequestHead {
  method = '';
  target = '';
  rawTarget = '';
  authority = '';
  readonly version = '2';
  readonly headers: Http2Fields;
  bodyLength: BodyLength = NO_BODY;
  upgrade = '';
  acceptsTrailers = false;
  expectsContinue = false;
  /** Octets of names and values. */
  bytes = 0;
  readonly fields: string[] = [];
  scheme = '';
  /** `:protocol` of an extended CONNECT (RFC 8441), or ''. */
  protocol = '';
  hasAuthority = false;
  host: string | null = null;
  length: string | null = null;
  expect: string | null = null;
  cookieAt = -1;

  constructor(raw: readonly string[]) {
    this.headers = new Http2Fields(raw, this.fields);
  }
}

/**
 * Reads the fields of a request; 0 or a fault. `ended`: the HEADERS frame ended the stream. `knownAuthority` was valid
 * before.
 */
export function interpretRequest(
  head: Http2RequestHead,
  raw: readonly string[],
  ended: boolean,
  { limits, knownAuthority }: { readonly limits: HeadLimits; readonly knownAuthority: string },
): number {
  const fault = readFields(head, raw, limits);
  if (fault !== 0) return fault;
  return readAuthority(head, knownAuthority) || readMethod(head) || readTarget(head) || readBody(head, ended);
}

/** Sorts the fields: pseudo-headers and what has a meaning here into the head, the others into its list. */
function readFields(head: Http2RequestHead, raw: readonly string[], limits: HeadLimits): number {
  let { bytes } = head;
  let fault = 0;
  let lines = 0;
  const { fields } = head;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    const size = name.length + value.length;
    bytes += size + 4;
    if (size > limits.lineBytes) fault ||= name === ':path' ? Fault.TARGET_TOO_LONG : Fault.FIELDS_TOO_LARGE;
    if (name.charCodeAt(0) === 0x3a) {
      fault = readPseudo(head, name, value) || fault;
      continue;
    }
    lines++;
    if (isPadded(value)) fault ||= Fault.MALFORMED;
    if (!isSpecial(name)) fields.push(name, value);
    else fault = readSpecial(head, name, value) || fault;
  }
  head.bytes = bytes;
  if (fault !== 0) return fault;
  if (bytes > limits.headBytes) return Fault.FIELDS_TOO_LARGE;
  return lines > limits.lines ? Fault.MALFORMED : 0;
}

/** White space around a value: HTTP/1.1 takes it away, HTTP/2 must not have it (RFC 9113 §8.2.1). */
function isPadded(value: string): boolean {
  const { length } = value;
  return length > 0 && (isWhite(value.charCodeAt(0)) || isWhite(value.charCodeAt(length - 1)));
}

function isWhite(code: number): boolean {
  return code === SP || code === HTAB;
}

function readPseudo(head: Http2RequestHead, name: string, value: string): number {
  if (name === ':method') head.method = value;
  else if (name === ':path') head.target = head.rawTarget = value;
  else if (name === ':scheme') head.scheme = value;
  else if (name === ':protocol') head.protocol = value;
  else if (name !== ':authority') return Fault.MALFORMED;
  else {
    head.authority = value;
    head.hasAuthority = true;
  }
  return 0;
}

/** Names that do not simply go on, told apart by their length first: nearly all fields are none of them. */
function isSpecial(name: string): boolean {
  switch (name.length) {
    case 2:
      return name === 'te';
    case 4:
      return name === 'host';
    case 5:
      return name === 'proxy';
    case 6:
      return name === 'cookie' || name === 'expect';
    case 7:
      return name === 'trailer' || name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 14:
      return name === 'content-length' || name === 'http2-settings';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding' || name === 'sec-websocket-key';
    default:
      return false;
  }
}

function readSpecial(head: Http2RequestHead, name: string, value: string): number {
  switch (name) {
    case 'host':
      if (head.host !== null) return Fault.HOST;
      head.host = value;
      return 0;
    case 'content-length':
      if (head.length !== null) return Fault.FRAMING;
      head.length = value;
      head.fields.push(name, value);
      return 0;
    case 'expect':
      if (head.expect !== null) return Fault.EXPECTATION;
      head.expect = value;
      return 0;
    case 'te':
      head.acceptsTrailers ||= value === 'trailers';
      return 0;
    case 'cookie':
      addCookie(head, value);
      return 0;
    // Hop-by-hop in a request: HTTP/1.1 takes them out as well. `proxy` because CGI programs read it as HTTP_PROXY.
    case 'proxy':
    case 'trailer':
    case 'http2-settings':
      return 0;
    case 'sec-websocket-key':
      // Means nothing beside `:protocol` (RFC 8441 §5): the upstream gets one of ours.
      if (head.protocol === '') head.fields.push(name, value);
      return 0;
    default:
      return Fault.MALFORMED;
  }
}

/** One field in HTTP/1.1 (RFC 9113 §8.2.3). */
function addCookie(head: Http2RequestHead, value: string): void {
  const { fields, cookieAt } = head;
  if (cookieAt < 0) head.cookieAt = fields.push('cookie', value) - 1;
  else fields[cookieAt] = `${fields[cookieAt] ?? ''}; ${value}`;
}

/** `:authority`, or Host from who translates HTTP/1.1; both must say the same (RFC 9113 §8.3.1). */
function readAuthority(head: Http2RequestHead, known: string): number {
  const { host } = head;
  if (host !== null) {
    if (!head.hasAuthority) head.authority = host;
    else if (host !== head.authority && host.toLowerCase() !== head.authority.toLowerCase())
      return Fault.HOST;
  }
  const { authority } = head;
  return authority === '' || (authority !== known && !isAuthority(authority)) ? Fault.HOST : 0;
}

/** A method as HTTP/1.1 takes it; CONNECT only as RFC 8441 extends it, which is HTTP/1.1's upgrade of a GET. */
function readMethod(head: Http2RequestHead): number {
  const { method } = head;
  if (method === 'GET' || method === 'POST') return head.protocol === '' ? 0 : Fault.MALFORMED;
  if (method === 'CONNECT') return readConnect(head);
  if (head.protocol !== '') return Fault.MALFORMED;
  if (method === 'TRACE') return Fault.METHOD_NOT_ALLOWED;
  return consistsOf(method, METHOD) ? 0 : Fault.MALFORMED;
}

function readConnect(head: Http2RequestHead): number {
  if (head.protocol === '') return Fault.METHOD_NOT_ALLOWED;
  const protocol = head.protocol.toLowerCase();
  // RFC 9220 §3, RFC 8441 §4: a protocol that is not known is 501.
  if (protocol !== 'websocket') return Fault.TRANSFER_CODING;
  if (head.length !== null) return Fault.FRAMING;
  head.method = 'GET';
  head.upgrade = protocol;
  return 0;
}

function readTarget(head: Http2RequestHead): number {
  const { target, scheme } = head;
  if (scheme !== 'https' && scheme !== 'http' && !/^https?$/i.test(scheme)) return Fault.MALFORMED;
  if (target === '*') return head.method === 'OPTIONS' ? 0 : Fault.MALFORMED;
  return target.charCodeAt(0) === 0x2f && consistsOf(target, TARGET) ? 0 : Fault.MALFORMED;
}

function consistsOf(text: string, byteClass: number): boolean {
  for (let at = 0; at < text.length; at++)
    if (((BYTE_CLASS[text.charCodeAt(at)] ?? 0) & byteClass) === 0) return false;
  return text.length > 0;
}

function readBody(head: Http2RequestHead, ended: boolean): number {
  const { length, expect } = head;
  if (head.upgrade !== '') return ended ? Fault.FRAMING : 0;
  if (length !== null) {
    const value = parseLength(length);
    if (value < 0 || (ended && value > 0)) return Fault.FRAMING;
    // Told to be empty and not ended: only its end shows that it keeps its word, so it is read like any other.
    head.bodyLength = value === 0 && !ended ? UNKNOWN_LENGTH : value;
  } else if (!ended) head.bodyLength = UNKNOWN_LENGTH;
  if (expect === null) return 0;
  if (expect.toLowerCase() !== '100-continue') return Fault.EXPECTATION;
  head.expectsContinue = head.bodyLength !== NO_BODY && head.bodyLength !== 0;
  return 0;
}
