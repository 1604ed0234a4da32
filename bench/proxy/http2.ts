/**
 * HTTP/2 side by side with nginx: 16 streams at once on each of 8 connections, over TLS and in plain text, to an
 * HTTP/1.1 upstream on both sides. The load is h2load's; what is compared is CPU time per request. A third one shows
 * what `node:http2` itself costs: a proxy on it that does nothing else.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { makeCertificate } from '../../test/support/certificate.ts';
import { freePort } from '../../test/support/ports.ts';
import { startNginxHttp2 } from '../contenders/nginx-http2.ts';
import { startBareHttp2 } from '../contenders/bare-http2.ts';
import { plainConfig, startSluice } from '../contenders/sluice.ts';
import { CORES, pinned } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const CONNECTIONS = 8;
const STREAMS = 16;
/** So many requests make JavaScript fast: the cost of one falls until about 75,000 were served. */
const WARM_UP = ['-n', '100000'];
/** What a browser sends; h2load adds the pseudo-headers. */
const HEADERS = [
  'user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0',
  'accept: application/json, text/plain, */*',
  'accept-language: en-US,en;q=0.5',
  'accept-encoding: gzip, deflate, br, zstd',
  'authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo',
  'cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
  'referer: https://app.example.com/orders',
  'sec-fetch-dest: empty',
  'sec-fetch-mode: cors',
  'sec-fetch-site: same-site',
];
const run = promisify(execFile);

export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

export interface Figures {
  readonly cpu: number;
  readonly perSecond: number;
  readonly failed: number;
}

/** `amount`: h2load's options for how long, or for how many requests. */
async function load(
  scheme: string,
  port: number,
  amount: readonly string[],
): Promise<{ done: number; failed: number }> {
  const url = `${scheme}://127.0.0.1:${port}/api/v1/orders/4711?expand=items`;
  const words = ['h2load', '-c', String(CONNECTIONS), '-m', String(STREAMS), ...amount];
  const headers = HEADERS.flatMap((line) => ['-H', line]);
  const { stdout } = await run(...pinned(CORES.load, [...words, ...headers, url]));
  const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(stdout);
  if (counts === null) throw new Error(`h2load said nothing of use:\n${stdout}`);
  const [succeeded = 0, ...others] = counts.slice(1).map(Number);
  return { done: succeeded, failed: others.reduce((sum, count) => sum + count, 0) };
}

async function measure(scheme: string, { pid, port }: Subject, seconds: number): Promise<Figures> {
  const before = cpuTime(pid);
  const { done, failed } = await load(scheme, port, ['-D', String(seconds)]);
  const after = cpuTime(pid);
  const cpu = (after.user + after.system - before.user - before.system) / done;
  return { cpu, perSecond: done / seconds, failed };
}

async function compareHttp2(context: Context, scheme: 'http' | 'https', title: string): Promise<Report> {
  const { options, upstream, folder, say } = context;
  const pair = makeCertificate(folder);
  const port = await freePort();
  const tls = scheme === 'https';
  await using stack = new AsyncDisposableStack();
  const nginx = stack.use(await startNginxHttp2(upstream.port, tls ? pair : null));
  const bare = stack.use(await startBareHttp2(upstream.port, tls ? pair : null));
  const sluice = stack.use(
    await startSluice({
      config: plainConfig(upstream.port),
      settings: {
        proxy_listen: `127.0.0.1:${port} ${tls ? 'ssl ' : ''}http2`,
        nginx_http_keepalive_requests: 1_000_000_000,
        ...(tls ? { ssl_cert: pair.cert, ssl_cert_key: pair.key } : {}),
      },
    }),
  );
  const subjects: readonly Subject[] = [
    { name: 'nginx', pid: nginx.pid, port: nginx.port },
    { name: 'sluice', pid: sluice.pid, port },
    { name: 'bare node:http2', pid: bare.pid, port: bare.port },
  ];
  for (const subject of subjects) await load(scheme, subject.port, WARM_UP);
  const figures: Figures[][] = subjects.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      const turn = await measure(scheme, subject, options.seconds);
      figures[index]?.push(turn);
      say(`${subject.name}: ${turn.cpu.toFixed(2)} µs/request, ${Math.round(turn.perSecond)} requests/s`);
    }
  }
  return reportOf(title, subjects, figures);
}

export function reportOf(title: string, subjects: readonly Subject[], figures: readonly Figures[][]): Report {
  const base = figures[0] ?? [];
  const ratios = figures.map((own) => own.map(({ cpu }, round) => cpu / (base[round]?.cpu ?? Number.NaN)));
  const rows = subjects.map(({ name }, index) => {
    const own = figures[index] ?? [];
    return [
      name,
      median(own.map(({ cpu }) => cpu)).toFixed(1),
      median(ratios[index] ?? []).toFixed(2),
      String(Math.round(median(own.map(({ perSecond }) => perSecond)))),
      String(own.reduce((sum, { failed }) => sum + failed, 0)),
    ];
  });
  const byRound = subjects.map(
    ({ name }, index) =>
      `${name} × nginx by round: ${(ratios[index] ?? []).map((ratio) => ratio.toFixed(2)).join(' ')}`,
  );
  const header = ['', 'CPU µs/request', '× nginx', 'requests/s', 'failed'];
  const text = [`### ${title}`, '', table(header, rows), '', ...byRound.slice(1)].join('\n');
  return { text, data: { title, figures, ratios } };
}

export const http2: Scenario = {
  name: 'http2',
  summary: 'HTTP/2 over TLS: 8 connections with 16 streams each (h2load)',
  run: (context) => compareHttp2(context, 'https', 'HTTP/2 over TLS, 8 connections × 16 streams'),
};

export const h2c: Scenario = {
  name: 'h2c',
  summary: 'the same without TLS, by prior knowledge',
  run: (context) => compareHttp2(context, 'http', 'HTTP/2 in plain text, 8 connections × 16 streams'),
};
