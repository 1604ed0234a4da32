/** What an upstream can do wrong before and behind a TLS handshake. */
import { after } from 'node:test';
import { issueIn } from '../support/pki.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pair } from '../support/tls-upstream.ts';
import {
  answers,
  beforeTls,
  closesAtOnce,
  deafPort,
  readsOnly,
  refuses,
  resetsAtOnce,
  served,
  silent,
} from './support/faults.ts';
import { INVALID, type Row, SHORT, startMatrix, testRows, TIMING_OUT } from './support/matrix.ts';

const folder = await tempDir();
after(() => folder[Symbol.asyncDispose]());
const authority = await issueIn(folder.path, { name: 'root', by: null, authority: true });
const leaf = await issueIn(folder.path, { name: 'leaf', by: authority, names: 'DNS:a.test' });

const TRIED = 2;
const PUT = { method: 'PUT', body: 'x'.repeat(8 << 20) };
const HELLO_BYTES = 100;
const HEAD = 'HTTP/1.1 200 OK\r\n';

const bad = (log: RegExp) => ({ status: 502, says: INVALID, log }) as const;
const late = (kind: 'connect' | 'write' | 'read') =>
  ({
    short: kind,
    status: 504,
    says: TIMING_OUT,
    log: new RegExp(`upstream ${kind} timeout: after ${SHORT} ms`),
  }) as const;
/** In words of ours or OpenSSL's. */
const HANDSHAKE = /upstream tls failed: /;

/** Nothing of the request was sent to a peer that is not verified: it may go elsewhere whatever its method. */
const HANDSHAKES: readonly Row[] = [
  { what: 'refuses', fault: refuses, tries: TRIED, ...bad(/upstream connect failed: connect ECONNREFUSED /) },
  { what: 'takes no connection', fault: deafPort, tries: TRIED, ...late('connect') },
  { what: 'hangs before the handshake', fault: beforeTls(silent), tries: TRIED, ...late('connect') },
  {
    what: 'hangs within the handshake',
    fault: beforeTls(readsOnly(HELLO_BYTES)),
    tries: TRIED,
    ...late('connect'),
  },
  {
    what: 'hangs within the handshake, POST',
    fault: beforeTls(silent),
    ask: { method: 'POST', body: 'x' },
    tries: TRIED,
    ...late('connect'),
  },
  {
    what: 'closes in the handshake',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.end();
    }),
    tries: TRIED,
    ...bad(HANDSHAKE),
  },
  {
    what: 'resets in the handshake',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.reset();
    }),
    tries: TRIED,
    ...bad(HANDSHAKE),
  },
  {
    what: 'resets at once',
    fault: beforeTls(resetsAtOnce),
    tries: TRIED,
    ...bad(/upstream (?:tls|connect) failed: /),
  },
  {
    what: 'closes at once',
    fault: beforeTls(closesAtOnce),
    tries: TRIED,
    ...bad(/upstream (?:tls|connect) failed: /),
  },
  {
    what: 'answers in plain text',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.write(`${HEAD}Content-Length: 0\r\n\r\n`);
    }),
    tries: TRIED,
    ...bad(HANDSHAKE),
  },
  {
    what: 'garbage in place of a handshake',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.write('\x16\x03\x03\x00\x04abcd');
    }),
    tries: TRIED,
    ...bad(HANDSHAKE),
  },
  {
    what: 'an alert',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.write('\x15\x03\x03\x00\x02\x02\x28');
    }),
    tries: TRIED,
    ...bad(HANDSHAKE),
  },
  {
    what: 'a certificate of nobody who is trusted',
    fault: served(silent),
    service: { tls_verify: true },
    tries: TRIED,
    ...bad(/upstream tls failed: certificate verify failed/),
  },
];

const BEHIND: readonly Row[] = [
  { what: 'takes the request and hangs', fault: served(silent), tries: TRIED, ...late('read') },
  { what: 'hangs within a body', fault: served(readsOnly(5)), ask: PUT, closes: true, ...late('write') },
  {
    what: 'closes at once behind the handshake',
    fault: served((peer) => peer.socket.end()),
    tries: TRIED,
    ...bad(/upstream closed/),
  },
  {
    what: 'resets at once behind the handshake',
    fault: served(resetsAtOnce),
    tries: TRIED,
    ...bad(/upstream closed/),
  },
  {
    what: 'closes instead of answering',
    fault: served(answers('', 'close')),
    tries: TRIED,
    ...bad(/upstream closed, client/),
  },
  {
    what: 'closes within the head',
    fault: served(answers('HTTP/1.1 2', 'close')),
    ...bad(/upstream closed early/),
  },
  { what: 'hangs within the head', fault: served(answers('HTTP/1.1 2')), ...late('read') },
  { what: 'garbage', fault: served(answers('SSH-2.0-x\r\n\r\n')), ...bad(/malformed response, client/) },
  {
    what: 'a head too large',
    fault: served(answers(`${HEAD}X: ${'a'.repeat(40_000)}\r\n\r\n`)),
    ...bad(/response head too large, client/),
  },
  {
    what: 'hangs within the body',
    fault: served(answers(`${HEAD}Content-Length: 9\r\n\r\nabc`)),
    ...late('read'),
    status: 'cut',
    says: 'abc',
  },
  {
    what: 'closes within the body',
    fault: served(answers(`${HEAD}Content-Length: 9\r\n\r\nabc`, 'close')),
    status: 'cut',
    log: /upstream closed early/,
    says: 'abc',
  },
  {
    what: 'resets within the body',
    fault: served(answers(`${HEAD}Content-Length: 9\r\n\r\nabc`, 'reset')),
    status: 'cut',
    log: /upstream closed early/,
    says: 'abc',
  },
];

const rows = [...HANDSHAKES, ...BEHIND];
testRows(await startMatrix(rows, { protocol: 'https', tls: pair(leaf) }), rows);
