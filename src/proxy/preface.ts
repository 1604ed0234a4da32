/**
 * Which protocol a connection without TLS speaks, on a listener with `http2`: HTTP/2 begins with a preface that is no
 * HTTP/1.1 request (RFC 9113 §3.4), so the client's prior knowledge shows in its first bytes. `Upgrade: h2c` is not
 * answered: RFC 9113 has taken it away.
 */
import type { Socket } from 'node:net';
import { peek, type Blindness, type PeekOptions, type Sight } from '../wire/peek.ts';

export type Protocol = 'http/1.1' | 'h2';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const HTTP1: Sight<Protocol> = { value: 'http/1.1', taken: 0 };
const HTTP2: Sight<Protocol> = { value: 'h2', taken: 0 };

/** As soon as one byte differs it is HTTP/1.1, whose engine says what is wrong with it. */
function lookForPreface(seen: Buffer): Sight<Protocol> | null {
  const length = Math.min(seen.length, PREFACE.length);
  if (seen.compare(PREFACE, 0, length, 0, length) !== 0) return HTTP1;
  return length < PREFACE.length ? null : HTTP2;
}

/** Tells the protocol, or why none could be seen. */
export function readPreface(
  socket: Socket,
  options: Omit<PeekOptions, 'limit'>,
  done: (protocol: Protocol | null, why: Blindness | null) => void,
): void {
  peek(socket, lookForPreface, { ...options, limit: PREFACE.length }, (peeked) => {
    if (peeked.ok) done(peeked.value, null);
    else done(null, peeked.why);
  });
}
