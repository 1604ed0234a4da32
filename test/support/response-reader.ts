/**
 * A small reader of HTTP/1.1 responses for tests. It shares no code with the gateway's own parser, so that a
 * mistake there is not repeated here. It understands the framings of RFC 9112 section 6.3: none, Content-Length,
 * chunked with trailers, and until close; interim (1xx) responses come with the final one.
 */

export type HeaderLine = readonly [name: string, value: string];

export interface RawHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** In order of arrival, names as written. */
  readonly headers: readonly HeaderLine[];
}

export interface RawResponse extends RawHead {
  readonly interim: readonly RawHead[];
  /** Decoded: without chunk framing. */
  readonly body: Buffer;
  readonly chunks: readonly Buffer[];
  readonly trailers: readonly HeaderLine[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** First value of a header, by name in any case. */
  header(name: string): string | undefined;
  /** All values of a header. */
  all(name: string): string[];
  text(): string;
  json(): unknown;
}

function splitLines(block: string): HeaderLine[] {
  if (block === '') return [];
  return block.split('\r\n').map((line) => {
    const colon = line.indexOf(':');
    if (colon < 0) throw new Error(`response header line without a colon: ${JSON.stringify(line)}`);
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
}

function parseHead(bytes: Buffer): RawHead {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n');
  const line = end < 0 ? text : text.slice(0, end);
  const match = /^HTTP\/(\d\.\d) (\d{3})(?: (.*))?$/.exec(line);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(line.slice(0, 200))}`);
  return {
    version: match[1] ?? '',
    status: Number(match[2]),
    reason: match[3] ?? '',
    headers: end < 0 ? [] : splitLines(text.slice(end + 2)),
  };
}

function values(headers: readonly HeaderLine[], name: string): string[] {
  const wanted = name.toLowerCase();
  return headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
}

interface Body {
  readonly chunks: Buffer[];
  readonly trailers: readonly HeaderLine[];
  readonly framing: RawResponse['framing'];
  readonly end: number;
}

/** The chunked body from `at`, or null when it is not complete yet. */
function readChunked(bytes: Buffer, start: number): Body | null {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+(?:;.*)?$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n')
      throw new Error('chunk without CRLF at its end');
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
  if (bytes.toString('latin1', at, at + 2) === '\r\n')
    return { chunks, trailers: [], framing: 'chunked', end: at + 2 };
  const end = bytes.indexOf('\r\n\r\n', at);
  if (end < 0) return null;
  return {
    chunks,
    trailers: splitLines(bytes.toString('latin1', at, end)),
    framing: 'chunked',
    end: end + 4,
  };
}

function readBody(bytes: Buffer, start: number, head: RawHead, context: ReadContext): Body | null {
  const whole = (end: number, framing: RawResponse['framing']): Body => ({
    chunks: end > start ? [bytes.subarray(start, end)] : [],
    trailers: [],
    framing,
    end,
  });
  const { status, headers } = head;
  if (context.method === 'HEAD' || status === 101 || status === 204 || status === 304)
    return whole(start, 'none');
  if (context.method === 'CONNECT' && status < 300) return whole(start, 'none');
  if (values(headers, 'transfer-encoding').join(',').toLowerCase().endsWith('chunked'))
    return readChunked(bytes, start);
  const length = values(headers, 'content-length')[0];
  if (length !== undefined) {
    const end = start + Number(length);
    return bytes.length < end ? null : whole(end, 'length');
  }
  return context.closed ? whole(bytes.length, 'close') : null;
}

export interface ReadContext {
  /** The request's method: the answer to HEAD has no body. */
  readonly method: string;
  /** Whether the peer has closed: it ends a body without length. */
  readonly closed: boolean;
}

/** The first complete response in `bytes` and how many bytes it took; null when more must come. Throws on nonsense. */
export function readResponse(
  bytes: Buffer,
  context: ReadContext,
): { response: RawResponse; size: number } | null {
  const interim: RawHead[] = [];
  let at = 0;
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return null;
    const head = parseHead(bytes.subarray(at, headEnd));
    at = headEnd + 4;
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      interim.push(head);
      continue;
    }
    const read = readBody(bytes, at, head, context);
    if (read === null) return null;
    const body = Buffer.concat(read.chunks);
    const response: RawResponse = {
      ...head,
      interim,
      body,
      chunks: read.chunks,
      trailers: read.trailers,
      framing: read.framing,
      header: (name) => values(head.headers, name)[0],
      all: (name) => values(head.headers, name),
      text: () => body.toString('utf8'),
      json: () => JSON.parse(body.toString('utf8')) as unknown,
    };
    return { response, size: read.end };
  }
}
