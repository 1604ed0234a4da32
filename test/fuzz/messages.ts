/**
 * Messages to mutate, and mutations: what the fuzz run and the comparison with Node's parser have in common. A mutation
 * is plain data, so that a property test can shrink it.
 */

/** A valid request and what may stand in it; several are joined to a stream. */
export const REQUESTS: readonly string[] = [
  'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'GET /a/b?c=d HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: x/1.0\r\nAccept: */*\r\nCookie: a=b; c="d"\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello',
  'POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n',
  'PUT /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n',
  'PUT /t HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\na\r\n0123456789\r\n0\r\nX-T: v\r\nX-U: \r\n\r\n',
  'GET /k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET http://b.test/abs HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'POST /e HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc',
  'DELETE /x HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n',
  'HEAD /h HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nX-Empty:\r\nX-Blank: \t \r\n\r\n',
  'PATCH /y HTTP/1.1\r\nHost: a.test\r\nX-Obs: \xe9\xff\r\nContent-Length: 4\r\n\r\n\r\n\r\n',
];

/** Valid responses that do not end by close. */
export const RESPONSES: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: x\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\nX-T: v\r\nX-U: \r\n\r\n',
  'HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  'HTTP/1.1 404 \r\nContent-Length: 3\r\n\r\nabc',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\n\r\nuntil close',
  'HTTP/1.1 500 Oh\xe9 No\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\n\r\n',
];

/** Pieces that matter to a parser; they are put in, or over what is there. */
export const TOKENS: readonly string[] = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '\0',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '"',
  '#',
  '+',
  '-',
  '0x',
  '0',
  '1',
  '5',
  'a',
  'F',
  'G',
  '10',
  '00',
  '9999999999999999',
  'ffffffffffffffff',
  'Content-Length: 5\r\n',
  'Content-Length: 3\r\n',
  'content-length:0\r\n',
  'Content-Length : 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: 05\r\n',
  'Content-Length: 0x5\r\n',
  ' Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding:chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: chunked, chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Connection: content-length\r\n',
  'Connection: transfer-encoding, host\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Host: b.test\r\n',
  'Host:\r\n',
  'Expect: 100-continue\r\n',
  'X: 1\r\n',
  'X: 1\r\n 2\r\n',
  'X: 1\n',
  ': 1\r\n',
  'X\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  '1\r\na\r\n',
  '0\r\nX: 1\r\n\r\n',
  '\r\n0\r\n',
  ';ext',
  ';a="b"',
  ' ;a',
  '\r\n\r\n0\r\n\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/1.2',
  'GET / HTTP/1.1\r\n',
  'HTTP/1.1 200 OK\r\n',
  'CONNECT a:1 HTTP/1.1\r\n',
  'chunked',
  'close',
];

export type Mutation =
  /** `token` at `at`. */
  | { readonly kind: 'insert'; readonly at: number; readonly token: number }
  /** `token` over what stands at `at`. */
  | { readonly kind: 'replace'; readonly at: number; readonly token: number }
  | { readonly kind: 'delete'; readonly at: number; readonly length: number }
  | { readonly kind: 'flip'; readonly at: number; readonly byte: number }
  /** The line around `at` again, behind itself. */
  | { readonly kind: 'duplicate'; readonly at: number }
  /** `token` at the start of the line around `at`: where a field line would stand. */
  | { readonly kind: 'line'; readonly at: number; readonly token: number }
  | { readonly kind: 'truncate'; readonly at: number };

export const MUTATION_KINDS = [
  'insert',
  'replace',
  'delete',
  'flip',
  'duplicate',
  'line',
  'truncate',
] as const;

/** Applies mutations one after the other; numbers wrap around, so that any number is one. Latin1 text in and out. */
export function mutate(text: string, mutations: readonly Mutation[]): string {
  return mutations.reduce(mutateOnce, text);
}

function mutateOnce(text: string, mutation: Mutation): string {
  const at = mutation.at % (text.length + 1);
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const lineEnd = text.indexOf('\n', at) + 1 || text.length;
  switch (mutation.kind) {
    case 'insert':
      return text.slice(0, at) + tokenOf(mutation.token) + text.slice(at);
    case 'replace': {
      const token = tokenOf(mutation.token);
      return text.slice(0, at) + token + text.slice(at + token.length);
    }
    case 'delete':
      return text.slice(0, at) + text.slice(at + 1 + (mutation.length % 8));
    case 'flip':
      return text.slice(0, at) + String.fromCharCode(mutation.byte & 0xff) + text.slice(at + 1);
    case 'duplicate':
      return text.slice(0, lineEnd) + text.slice(lineStart, lineEnd) + text.slice(lineEnd);
    case 'line':
      return text.slice(0, lineStart) + tokenOf(mutation.token) + text.slice(lineStart);
    default:
      return text.slice(0, at);
  }
}

function tokenOf(index: number): string {
  return TOKENS[index % TOKENS.length] ?? '';
}

/** A generator of 32-bit numbers from a seed (Mulberry32): the same run again from the printed seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to `below` - 1. */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.next(list.length)] as T;
  }

  mutation(): Mutation {
    const at = this.next(0x7fffffff);
    const kind = this.pick(MUTATION_KINDS);
    const token = this.next(TOKENS.length);
    switch (kind) {
      case 'delete':
        return { kind, at, length: this.next(8) };
      case 'flip':
        return { kind, at, byte: this.next(256) };
      case 'duplicate':
      case 'truncate':
        return { kind, at };
      default:
        return { kind, at, token };
    }
  }

  /** One to three messages, joined, with none to four mutations. */
  stream(messages: readonly string[]): string {
    const count = 1 + this.next(3);
    let text = '';
    for (let i = 0; i < count; i++) text += this.pick(messages);
    const mutations = Array.from({ length: this.next(5) }, () => this.mutation());
    return mutate(text, mutations);
  }
}
