/** What an HTTP/1.1 upstream can do wrong, and exactly what becomes of the request. */
import {
  answers,
  closesAtOnce,
  deafPort,
  type Fault,
  readsOnly,
  refuses,
  resetsAtOnce,
  served,
  silent,
} from './support/faults.ts';
import { INVALID, type Row, SHORT, startMatrix, testRows, TIMING_OUT } from './support/matrix.ts';

const TRIED = 2;
const LARGE = 'x'.repeat(8 << 20);
const HEAD = 'HTTP/1.1 200 OK\r\n';

const said = (bytes: string | readonly string[], then?: 'keep' | 'close' | 'reset'): Fault =>
  served(answers(bytes, then));

/** With what the error log says in words of our own, and behind a colon the system's. */
const bad = (log: RegExp) => ({ status: 502, says: INVALID, log }) as const;
const late = (kind: 'connect' | 'write' | 'read') =>
  ({
    short: kind,
    status: 504,
    says: TIMING_OUT,
    log: new RegExp(`upstream ${kind} timeout: after ${SHORT} ms`),
  }) as const;
const CLOSED = /upstream closed(?:: read ECONNRESET)?, client/;
/** It depends on who is first: the end of the connection, or the request. */
const AT_ONCE = /upstream (?:closed|connect failed)[ ,:]/;
const EARLY = /upstream closed early(?:: read ECONNRESET)?, client/;
const MALFORMED = /malformed response, client/;
const TOO_LARGE = /response head too large, client/;
const FRAMING = /conflicting response framing, client/;
const PUT = { method: 'PUT', body: LARGE };
const POST = { method: 'POST', body: 'x' };

/** No byte of a response has come: what may be tried again is. */
const BEFORE: readonly Row[] = [
  { what: 'refuses', fault: refuses, ...bad(/upstream connect failed: connect ECONNREFUSED /), tries: TRIED },
  {
    what: 'refuses, POST',
    fault: refuses,
    ask: POST,
    ...bad(/upstream connect failed: connect ECONNREFUSED /),
    tries: TRIED,
  },
  { what: 'takes no connection', fault: deafPort, ...late('connect'), tries: TRIED },
  { what: 'resets at once', fault: served(resetsAtOnce), ...bad(AT_ONCE), tries: TRIED },
  { what: 'closes at once', fault: served(closesAtOnce), ...bad(AT_ONCE), tries: TRIED },
  { what: 'takes the request and hangs', fault: served(silent), ...late('read'), tries: TRIED },
  { what: 'takes the request and hangs, POST', fault: served(silent), ask: POST, ...late('read') },
  { what: 'hangs behind the first octets', fault: served(readsOnly(5)), ...late('read'), tries: TRIED },
  { what: 'hangs within a body', fault: served(readsOnly(5)), ask: PUT, closes: true, ...late('write') },
  { what: 'closes instead of answering', fault: said('', 'close'), ...bad(CLOSED), tries: TRIED },
  { what: 'closes instead of answering, POST', fault: said('', 'close'), ask: POST, ...bad(CLOSED) },
  { what: 'resets instead of answering', fault: said('', 'reset'), ...bad(CLOSED), tries: TRIED },
];

/** Something has come: no try is repeated. */
const WITHIN_HEAD: readonly Row[] = [
  { what: 'hangs within the head', fault: said('HTTP/1.1 200 OK\r\nX:'), ...late('read') },
  { what: 'closes within the head', fault: said('HTTP/1.1 200 OK\r\nX:', 'close'), ...bad(EARLY) },
  { what: 'resets within the head', fault: said('HTTP/1.1 200 OK\r\nX:', 'reset'), ...bad(EARLY) },
  { what: 'says 100 and hangs', fault: said('HTTP/1.1 100 Continue\r\n\r\n'), ...late('read') },
  { what: 'says 102 and closes', fault: said('HTTP/1.1 102 Processing\r\n\r\n', 'close'), ...bad(EARLY) },
  {
    what: 'says 100 without end',
    fault: said('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)),
    ...bad(MALFORMED),
  },
  {
    what: 'switches protocols unasked',
    fault: said('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    ...bad(MALFORMED),
  },
  { what: 'garbage', fault: said('SSH-2.0-OpenSSH_9.2\r\n\r\n'), ...bad(MALFORMED) },
  { what: 'garbage, binary', fault: said('\x16\x03\x01\x02\x00\x01\x00\x01'), ...bad(MALFORMED) },
  { what: 'an HTTP/2 preface', fault: said('\x00\x00\x00\x04\x00\x00\x00\x00\x00'), ...bad(MALFORMED) },
  { what: 'HTTP/0.9', fault: said('<html>hello</html>', 'close'), ...bad(MALFORMED) },
  { what: 'HTTP/2.0 as text', fault: said('HTTP/2.0 200 OK\r\n\r\n'), ...bad(MALFORMED) },
  { what: 'status 99', fault: said('HTTP/1.1 99 Low\r\n\r\n'), ...bad(MALFORMED) },
  { what: 'no status', fault: said('HTTP/1.1 OK\r\n\r\n'), ...bad(MALFORMED) },
  { what: 'a line too long', fault: said(`${HEAD}X: ${'a'.repeat(40_000)}\r\n\r\n`), ...bad(TOO_LARGE) },
  { what: 'a line without end', fault: said(`${HEAD}X: ${'a'.repeat(400_000)}`), ...bad(TOO_LARGE) },
  {
    what: 'a head too large',
    fault: said(`${HEAD}${`X: ${'a'.repeat(1000)}\r\n`.repeat(40)}\r\n`),
    ...bad(TOO_LARGE),
  },
  { what: 'too many headers', fault: said(`${HEAD}${'X: a\r\n'.repeat(2000)}\r\n`), ...bad(TOO_LARGE) },
  {
    what: 'two lengths',
    fault: said(`${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`),
    ...bad(FRAMING),
  },
  { what: 'no length', fault: said(`${HEAD}Content-Length: -1\r\n\r\n`), ...bad(FRAMING) },
  {
    what: 'length and chunks',
    fault: said(`${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    ...bad(FRAMING),
  },
];

const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const whole = { status: 200, log: null } as const;
const cut = (log: RegExp) => ({ status: 'cut', log }) as const;

/** The head is with the client: what is missing breaks off. */
const WITHIN_BODY: readonly Row[] = [
  {
    what: 'hangs within the body',
    fault: said(`${HEAD}Content-Length: 9\r\n\r\nabc`),
    ...late('read'),
    status: 'cut',
    says: 'abc',
  },
  {
    what: 'closes within the body',
    fault: said(`${HEAD}Content-Length: 9\r\n\r\nabc`, 'close'),
    ...cut(EARLY),
    says: 'abc',
  },
  {
    what: 'resets within the body',
    fault: said(`${HEAD}Content-Length: 9\r\n\r\nabc`, 'reset'),
    ...cut(EARLY),
    says: 'abc',
  },
  {
    what: 'hangs within a chunk',
    fault: said(`${CHUNKED}9\r\nabc`),
    ...late('read'),
    status: 'cut',
    says: '3\r\nabc\r\n',
  },
  {
    what: 'closes without a last chunk',
    fault: said(`${CHUNKED}3\r\nabc\r\n`, 'close'),
    ...cut(EARLY),
    says: '3\r\nabc\r\n',
  },
  {
    what: 'a chunk of no size',
    fault: said(`${CHUNKED}3\r\nabc\r\nxyz\r\n`),
    ...cut(/malformed response chunk, client/),
    says: '3\r\nabc\r\n',
  },
  {
    what: 'a chunk longer than it says',
    fault: said(`${CHUNKED}3\r\nabcdef\r\n0\r\n\r\n`),
    ...cut(/malformed response chunk, client/),
    says: '3\r\nabc\r\n',
  },
  {
    what: 'more than its length',
    fault: said(`${HEAD}Content-Length: 3\r\n\r\nabcdef`),
    ...whole,
    says: 'abc',
  },
  { what: 'no length, and closes', fault: said(`${HEAD}\r\nabc`, 'close'), ...whole, says: 'abc' },
  {
    what: 'sixteen 100s before the answer',
    fault: said([
      ...Array.from({ length: 16 }, () => 'HTTP/1.1 100 Continue\r\n\r\n'),
      `${HEAD}Content-Length: 2\r\n\r\nok`,
    ]),
    ...whole,
    says: 'ok',
  },
];

const rows = [...BEFORE, ...WITHIN_HEAD, ...WITHIN_BODY];
testRows(await startMatrix(rows, { protocol: 'http' }), rows);
