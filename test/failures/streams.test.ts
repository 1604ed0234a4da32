/** What the upstream of a TCP stream can do wrong: what its client gets to see, and what the logs say. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { issueIn } from '../support/pki.ts';
import { freePorts } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pair } from '../support/tls-upstream.ts';
import { taken } from '../support/taken.ts';
import type { RawPeer } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { beforeTls, deafPort, readsOnly, refuses, served, silent } from './support/faults.ts';
import { BOUND, linesWith, type Row, startMatrix } from './support/matrix.ts';

const TRIED = 2;
const HELLO_BYTES = 100;

/** Says something, and then that. */
const says = (then: (peer: RawPeer) => unknown) =>
  beforeTls(async (peer) => {
    await peer.bytes(1);
    peer.write('abc');
    await taken(peer.socket);
    await then(peer);
  });

/** No connection could be made: 502 in the access log, as nginx has it, and the client's is closed without a word. */
const unmade = (log: RegExp) => ({ status: 502, says: '', tries: TRIED, log }) as const;
const late = { ...unmade(/connect failed: timed out, client/), short: 'connect' } as const;
const IDLE = /nothing moved for the read time-out, client/;
/** What the client has said may still be on its way then. */
const BROKEN = /the upstream broke off: (?:read|write) (?:ECONNRESET|EPIPE), client/;
const TLS = { protocol: 'tls', tls_verify: false };

const rows: readonly Row[] = [
  { what: 'refuses', fault: refuses, ...unmade(/connect failed: connect ECONNREFUSED /) },
  { what: 'takes no connection', fault: deafPort, ...late },
  { what: 'hangs before the handshake', fault: beforeTls(silent), service: TLS, ...late },
  { what: 'hangs within the handshake', fault: beforeTls(readsOnly(HELLO_BYTES)), service: TLS, ...late },
  {
    what: 'closes in the handshake',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.end();
    }),
    service: TLS,
    ...unmade(/connect failed: /),
  },
  {
    what: 'resets in the handshake',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.reset();
    }),
    service: TLS,
    ...unmade(/connect failed: /),
  },
  {
    what: 'answers the handshake in plain text',
    fault: beforeTls(async (peer) => {
      await peer.bytes(HELLO_BYTES);
      peer.write('220 hello\r\n');
    }),
    service: TLS,
    ...unmade(/connect failed: /),
  },
  {
    what: 'a certificate of nobody who is trusted',
    fault: served(silent),
    service: { ...TLS, tls_verify: true },
    ...unmade(/connect failed: certificate verify failed/),
  },
  {
    what: 'resets instead of answering',
    fault: beforeTls(async (peer) => {
      await peer.bytes(1);
      peer.reset();
    }),
    status: 200,
    says: '',
    log: BROKEN,
  },
  {
    what: 'closes in order',
    fault: beforeTls(async (peer) => {
      await peer.bytes(1);
      peer.end();
    }),
    status: 200,
    says: '',
    log: null,
  },
  { what: 'hangs', fault: beforeTls(silent), short: 'read', status: 200, says: '', log: IDLE },
  { what: 'hangs in the middle', fault: says(silent), short: 'read', status: 200, says: 'abc', log: IDLE },
  { what: 'closes in the middle', fault: says((peer) => peer.end()), status: 200, says: 'abc', log: null },
  {
    what: 'resets in the middle',
    fault: says((peer) => peer.reset()),
    status: 200,
    says: 'abc',
    log: BROKEN,
  },
  { what: 'takes no more', fault: beforeTls(readsOnly(1)), short: 'read', status: 200, says: '', log: IDLE },
];

const folder = await tempDir();
after(() => folder[Symbol.asyncDispose]());
const leaf = await issueIn(folder.path, { name: 'leaf', by: null, names: 'IP:127.0.0.1' });
const ports = await freePorts(rows.length);
const matrix = await startMatrix(rows, {
  protocol: 'tcp',
  settings: {
    stream_listen: ports.map((port) => `127.0.0.1:${port}`).join(', '),
    log_level: 'info',
    proxy_stream_error_log: 'logs/stream-error.log',
  },
  tls: pair(leaf),
  route: (_, index) => ({ name: `r${index}`, protocols: ['tcp'], destinations: [{ port: ports[index] }] }),
});

/** The line of the access log is the n-th: streams are opened one after the other. */
let streams = 0;

for (const [index, row] of rows.entries()) {
  test(row.what, async (context) => {
    const begun = performance.now();
    await using client = await connectRaw(ports[index] ?? 0);
    client.write('x');
    const ending = await client.closed();
    const took = performance.now() - begun;
    context.diagnostic(`${row.status} after ${took.toFixed(0)} ms`);
    assert.ok(took < BOUND, `it took ${took} ms`);
    assert.equal(client.received.toString('latin1'), row.says);
    const count = ++streams;
    const log = await waitFor(async () => {
      const lines = (await matrix.gateway.logFile('stream.log')).split('\n').slice(0, -1);
      return lines.length >= count && lines;
    });
    assert.equal(log.length, count);
    assert.match(log.at(-1) ?? '', new RegExp(`TCP ${row.status} ${row.says.length} `));
    const seen = matrix.faulty.get(row)?.tries() ?? null;
    const failed = row.log === null ? 0 : (row.tries ?? 1);
    if (seen !== null) assert.equal(seen, row.tries ?? 1);
    const errors = await linesWith(matrix.gateway, 'stream-error.log', `route: "r${index}"`, failed);
    assert.equal(errors.length, failed, errors.join('\n'));
    for (const line of errors) if (row.log !== null) assert.match(line, row.log);
    assert.equal(ending, 'end', 'the client is told no more than that');
  });
}
