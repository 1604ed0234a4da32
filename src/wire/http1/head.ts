/**
 * From a parsed head to what it means: authority, framing (RFC 9112 §6), persistence (§9.3), `Expect`, `Upgrade`.
 *
 * What concerns only the connection it came on is read here and taken out of the field lines (RFC 9110 §7.6.1), so that
 * nothing behind this file can forward it or be confused by it.
 */
import { NO_BODY, UNKNOWN_LENGTH } from '../message.ts';
import type { BodyLength, HttpVersion, RequestHead, ResponseHead } from '../message.ts';
import * as Fault from './fault.ts';
import type { FieldLines } from './field-lines.ts';
import { ID } from './field-names.ts';
import type { RequestHeadParser, ResponseHeadParser } from './head-parser.ts';
import { AUTHORITY, BYTE_CLASS, trimOws } from './syntax.ts';

const bits = (...ids: readonly number[]): number => ids.reduce((set, id) => set | (1 << id), 0);

const FRAMING_FIELDS = bits(ID['content-length'], ID['transfer-encoding']);
/** Never forwarded upstream; `proxy` because CGI programs read it as HTTP_PROXY. */
const REQUEST_HOP_BY_HOP = [
  ID.host,
  ID.connection,
  ID['keep-alive'],
  ID['proxy-connection'],
  ID.proxy,
  ID.te,
  ID.trailer,
  ID['transfer-encoding'],
  ID.upgrade,
  ID.expect,
];
const REQUEST_HOP_BY_HOP_SET = bits(...REQUEST_HOP_BY_HOP);
const RESPONSE_HOP_BY_HOP = [
  ID.connection,
  ID['keep-alive'],
  ID['proxy-connection'],
  ID.te,
  ID['transfer-encoding'],
  ID.upgrade,
];
const RESPONSE_HOP_BY_HOP_SET = bits(...RESPONSE_HOP_BY_HOP);
/** One of these changes the plain case. */
const REQUEST_SPECIAL = bits(
  ID['content-length'],
  ID['transfer-encoding'],
  ID.connection,
  ID.expect,
  ID.upgrade,
  ID.te,
  ID['proxy-connection'],
);

/** A length beyond this is no length (2^53 - 1 has 16 digits). */
const MAX_LENGTH_DIGITS = 15;

/** A request's head as HTTP/1.1 brings it, with the facts that only this protocol has. */
export class Http1RequestHead implements RequestHead {
  readonly method: string;
  target: string;
  readonly rawTarget: string;
  authority = '';
  readonly version: HttpVersion;
  readonly headers: FieldLines;
  bodyLength: BodyLength = NO_BODY;
  upgrade = '';
  acceptsTrailers = false;
  /** The connection may serve another request (RFC 9112 §9.3). */
  keepAlive: boolean;
  expectsContinue = false;

  constructor(parser: RequestHeadParser) {
    this.method = parser.method;
    this.target = this.rawTarget = parser.rawTarget;
    this.version = parser.version;
    this.headers = parser.fields;
    this.keepAlive = parser.version === '1.1';
  }
}

/** Reads a complete request head; answers it or a fault. `knownHost` is a Host value that was valid before. */
export function interpretRequest(parser: RequestHeadParser, knownHost: string): Http1RequestHead | number {
  const fields = parser.fields;
  const head = new Http1RequestHead(parser);
  const host = fields.known(ID.host);
  if (host === undefined ? parser.version !== '1.0' : (fields.repeated & (1 << ID.host)) !== 0)
    return Fault.HOST;
  // `knownHost` may be empty: an HTTP/1.0 request came before, or none.
  if (host !== undefined && (host === '' || host !== knownHost) && !isAuthority(host)) return Fault.HOST;
  head.authority = host ?? '';
  if (parser.method === 'CONNECT' || parser.method === 'TRACE') return Fault.METHOD_NOT_ALLOWED;
  if (head.target.charCodeAt(0) !== 0x2f) {
    const fault = readTargetForm(head);
    if (fault !== 0) return fault;
  }
  if ((fields.seen & REQUEST_SPECIAL) !== 0) {
    const fault = readRequestControls(head, fields);
    if (fault !== 0) return fault;
  }
  if ((fields.seen & REQUEST_HOP_BY_HOP_SET) !== 0)
    for (const id of REQUEST_HOP_BY_HOP) fields.removeKnown(id);
  return head;
}

/** Absolute form and `*` (RFC 9112 §3.2.2, §3.2.4); the URI's authority replaces Host. */
function readTargetForm(head: Http1RequestHead): number {
  if (head.target === '*') return head.method === 'OPTIONS' ? 0 : Fault.MALFORMED;
  const match = /^https?:\/\/([^/?]*)(.*)$/i.exec(head.target);
  if (match === null) return Fault.MALFORMED;
  const [, authority = '', rest = ''] = match;
  if (!isAuthority(authority)) return Fault.HOST;
  head.authority = authority;
  if (rest === '' && head.method === 'OPTIONS') head.target = '*';
  else head.target = rest.startsWith('/') ? rest : `/${rest}`;
  return 0;
}

function readRequestControls(head: Http1RequestHead, fields: FieldLines): number {
  if ((fields.seen & FRAMING_FIELDS) !== 0) {
    const length = bodyLength(fields, head.version);
    if (length < UNKNOWN_LENGTH) return length;
    head.bodyLength = length;
  }
  const connection = readConnection(fields);
  if (connection < 0) return connection;
  if ((connection & CLOSE) !== 0) head.keepAlive = false;
  else if ((connection & KEEP_ALIVE) !== 0) head.keepAlive = true;
  if ((connection & UPGRADE) !== 0 && head.version === '1.1')
    head.upgrade = (fields.known(ID.upgrade) ?? '').toLowerCase();
  if (fields.has('te')) head.acceptsTrailers = fields.all('te').some((value) => hasToken(value, 'trailers'));
  const expect = fields.known(ID.expect);
  if (expect !== undefined) {
    if (expect.toLowerCase() !== '100-continue' || (fields.repeated & (1 << ID.expect)) !== 0)
      return Fault.EXPECTATION;
    head.expectsContinue = head.version === '1.1' && head.bodyLength !== NO_BODY && head.bodyLength !== 0;
  }
  return 0;
}

/** Octets of the body from Content-Length or Transfer-Encoding, or a fault: never two answers (RFC 9112 §6.3). */
function bodyLength(fields: FieldLines, version: HttpVersion): number {
  if ((fields.repeated & FRAMING_FIELDS) !== 0) return Fault.FRAMING;
  const coding = fields.known(ID['transfer-encoding']);
  const length = fields.known(ID['content-length']);
  if (coding !== undefined) {
    if (length !== undefined || version === '1.0') return Fault.FRAMING;
    return coding.toLowerCase() === 'chunked' ? UNKNOWN_LENGTH : Fault.TRANSFER_CODING;
  }
  return length === undefined ? Fault.FRAMING : parseLength(length);
}

/** Content-Length of a message: digits without leading zeros, or a fault. */
export function parseLength(text: string): number {
  if (text.length === 0 || text.length > MAX_LENGTH_DIGITS) return Fault.FRAMING;
  if (text.length > 1 && text.charCodeAt(0) === 0x30) return Fault.FRAMING;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return Fault.FRAMING;
    value = value * 10 + digit;
  }
  return value;
}

const CLOSE = 1;
const KEEP_ALIVE = 2;
const UPGRADE = 4;

/** Each option costs a look at every line, so their number must not multiply with that of the lines. */
const MAX_OPTIONS = 64;

/** Options of `Connection` (RFC 9110 §7.6.1) as bits, or a fault; the fields that it names are taken out. */
function readConnection(fields: FieldLines): number {
  if ((fields.seen & (1 << ID.connection)) === 0) return 0;
  const once = (fields.repeated & (1 << ID.connection)) === 0;
  const value = once ? (fields.known(ID.connection) ?? '') : fields.all('connection').join(',');
  if (value === 'keep-alive') return KEEP_ALIVE;
  const lower = value.toLowerCase();
  if (lower === 'keep-alive') return KEEP_ALIVE;
  if (lower === 'close') return CLOSE;
  let options = 0;
  const parts = lower.split(',', MAX_OPTIONS + 1);
  if (parts.length > MAX_OPTIONS) return Fault.MALFORMED;
  for (const part of parts) {
    // Not `trim`, which takes U+00A0 away, too: that byte is part of no token.
    const option = trimOws(part);
    if (option === 'close') options |= CLOSE;
    else if (option === 'keep-alive') options |= KEEP_ALIVE;
    else if (option === 'upgrade') options |= UPGRADE;
    else if (option !== '' && !FRAMING_NAMES.has(option)) fields.remove(option);
  }
  return options;
}

/** Naming these in `Connection` must not take them away: they are read after it. */
const FRAMING_NAMES: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'te',
  'expect',
]);

function hasToken(list: string, token: string): boolean {
  return list.split(',').some((part) => (part.split(';')[0] ?? '').trim().toLowerCase() === token);
}

/** uri-host [":" port] (RFC 9110 §7.2), never empty, no user information. */
export function isAuthority(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    if (((BYTE_CLASS[text.charCodeAt(i)] ?? 0) & AUTHORITY) === 0) return false;
  }
  if (text.charCodeAt(0) === 0x5b) return /^\[[0-9A-Fa-f:.]+\](:\d{0,5})?$/.test(text);
  const colon = text.indexOf(':');
  if (text.includes('[') || text.includes(']') || colon === 0) return false;
  return colon < 0 || /^\d{0,5}$/.test(text.slice(colon + 1));
}

/** A response's head as HTTP/1.1 brings it. */
export class Http1ResponseHead implements ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: FieldLines;
  bodyLength: BodyLength = UNKNOWN_LENGTH;
  chunked = false;
  /** The connection may serve another request when this response has been read. */
  keepAlive: boolean;
  /** Protocol of a `101`, lower case. */
  upgrade = '';

  constructor(parser: ResponseHeadParser) {
    this.status = parser.status;
    this.reason = parser.reason;
    this.headers = parser.fields;
    this.keepAlive = parser.version === '1.1';
  }
}

/** Reads a complete response head to `method`; answers it or a fault. */
export function interpretResponse(
  parser: ResponseHeadParser,
  method: string,
  keepTrailer: boolean,
): Http1ResponseHead | number {
  const fields = parser.fields;
  const head = new Http1ResponseHead(parser);
  const { status } = head;
  const framed = (fields.seen & FRAMING_FIELDS) !== 0;
  const length = framed ? bodyLength(fields, parser.version) : UNKNOWN_LENGTH;
  if (length < UNKNOWN_LENGTH) return length;
  head.chunked = framed && length === UNKNOWN_LENGTH;
  if (!framed) head.keepAlive = false;
  const connection = readConnection(fields);
  if (connection < 0) return connection;
  const bodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200;
  if (bodiless || framed) head.keepAlive = persists(parser.version, connection);
  head.bodyLength = bodiless ? NO_BODY : length;
  if (bodiless) head.chunked = false;
  if (status === 101 && (connection & UPGRADE) !== 0)
    head.upgrade = (fields.known(ID.upgrade) ?? '').toLowerCase();
  if (status === 204 || status < 200) fields.removeKnown(ID['content-length']);
  if ((fields.seen & RESPONSE_HOP_BY_HOP_SET) !== 0)
    for (const id of RESPONSE_HOP_BY_HOP) fields.removeKnown(id);
  if (!keepTrailer) fields.removeKnown(ID.trailer);
  return head;
}

function persists(version: HttpVersion, connection: number): boolean {
  if ((connection & CLOSE) !== 0) return false;
  return version === '1.1' || (connection & KEEP_ALIVE) !== 0;
}
