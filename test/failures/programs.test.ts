/** nginx and HAProxy as upstreams that fail: what real servers do when they refuse, drop, are slow or have nobody behind. */
import { after } from 'node:test';
import { startHaproxy } from '../support/haproxy.ts';
import { startNginx } from '../support/nginx.ts';
import { freePorts } from '../support/ports.ts';
import type { Fault } from './support/faults.ts';
import { INVALID, type Row, SHORT, startMatrix, testRows, TIMING_OUT } from './support/matrix.ts';

const TRIED = 2;
const BODY = 'abcdefghij'.repeat(20);
const [reject = 0, drop = 0, deny = 0, nobody = 0, gone = 0] = await freePorts(5);
const [close = 0, slow = 0, proxy = 0, early = 0] = await freePorts(4);

const haproxy = await startHaproxy(
  `
frontend reject
  bind 127.0.0.1:${reject}
  tcp-request connection reject
frontend drop
  bind 127.0.0.1:${drop}
  http-request silent-drop
frontend deny
  bind 127.0.0.1:${deny}
  http-request return status 503 content-type text/plain string busy
frontend nobody
  bind 127.0.0.1:${nobody}
  default_backend nobody
backend nobody
  retries 0
  server one 127.0.0.1:${gone}
`,
  deny,
);
const nginx = await startNginx({
  http: `
  access_log off;
  server { listen 127.0.0.1:%PORT%; location / { return 200 'ready'; } }
  server { listen 127.0.0.1:${close}; location / { return 444; } }
  server { listen 127.0.0.1:${slow}; root %DIR%/html; location / { limit_rate 100; rewrite .* /body break; } }
  server { listen 127.0.0.1:${proxy}; location / { proxy_pass http://127.0.0.1:${gone}; } }
  server { listen 127.0.0.1:${early}; client_max_body_size 1k; location / { return 200 'ok'; } }
`,
  files: { body: BODY },
});
after(async () => {
  await haproxy[Symbol.asyncDispose]();
  await nginx[Symbol.asyncDispose]();
});

/** The port of a program that is there; nobody counts. */
const on =
  (port: number): Fault =>
  async () => ({ port, tries: () => null, async [Symbol.asyncDispose]() {} });
const bad = (log: RegExp) => ({ status: 502, says: INVALID, log }) as const;

const rows: readonly Row[] = [
  {
    what: 'HAProxy rejects connections',
    fault: on(reject),
    tries: TRIED,
    ...bad(/upstream (?:closed|connect failed)/),
  },
  {
    what: 'HAProxy drops without a word',
    fault: on(drop),
    tries: TRIED,
    short: 'read',
    status: 504,
    says: TIMING_OUT,
    log: new RegExp(`upstream read timeout: after ${SHORT} ms`),
  },
  { what: 'nginx closes (444)', fault: on(close), tries: TRIED, ...bad(/upstream closed, client/) },
  {
    what: 'nginx is slow, and never for as long as the time-out',
    fault: on(slow),
    service: { read_timeout: 3000 },
    status: 200,
    says: BODY,
    log: null,
  },
  {
    what: 'nginx is slow within its head, and longer than the time-out',
    fault: on(slow),
    short: 'read',
    status: 504,
    says: TIMING_OUT,
    log: new RegExp(`upstream read timeout: after ${SHORT} ms`),
  },
  { what: 'HAProxy denies', fault: on(deny), status: 503, own: true, says: 'busy', log: null },
  {
    what: 'HAProxy has nobody behind it',
    fault: on(nobody),
    status: 503,
    own: true,
    says: 'No server is available',
    log: null,
  },
  { what: 'nginx has nobody behind it', fault: on(proxy), status: 502, own: true, says: 'nginx', log: null },
  {
    what: 'nginx refuses a body while it is sent',
    fault: on(early),
    ask: { method: 'PUT', body: 'x'.repeat(8 << 20) },
    status: 413,
    own: true,
    says: 'nginx',
    log: null,
  },
];
testRows(await startMatrix(rows, { protocol: 'http' }), rows);
