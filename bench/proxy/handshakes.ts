/**
 * New TLS connections: each shakes hands, asks once and is closed. With resumption, and without; in TLS 1.2 and 1.3.
 *
 * The clients (`openssl s_time`) connect one after the other and need more CPU than the gateway, so the rate would be
 * theirs. What is compared is the gateway's CPU time for a connection; how many it could have in a second is its reciprocal.
 * The bare server (`bare-tls-server.ts`) tells what of it is `node:tls`.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { makeCertificate } from '../../test/support/certificate.ts';
import { startBareTls } from '../contenders/bare-http2.ts';
import type { Running } from '../contenders/contender.ts';
import { nginx } from '../contenders/nginx.ts';
import { sluice } from '../contenders/sluice.ts';
import { CORES, pinned } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import type { Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const run = promisify(execFile);

const KINDS = [
  { name: 'TLS 1.3, resumed', version: '-tls1_3', how: '-reuse' },
  { name: 'TLS 1.2, resumed', version: '-tls1_2', how: '-reuse' },
  { name: 'TLS 1.3, full', version: '-tls1_3', how: '-new' },
  { name: 'TLS 1.2, full', version: '-tls1_2', how: '-new' },
] as const;

type Kind = (typeof KINDS)[number];

const CLIENTS = 4;
/** JavaScript is compiled in the course of some thousand connections; nginx does not mind them. */
const WARM_UP = 3;

interface Made {
  readonly connections: number;
  /** Of them. */
  readonly resumed: number;
}

async function client(port: number, { version, how }: Kind, seconds: number): Promise<Made> {
  const words = ['openssl', 's_time', '-connect', `127.0.0.1:${port}`, '-www', '/'];
  const { stdout } = await run(...pinned(CORES.load, [...words, version, how, '-time', String(seconds)]));
  const connections = Number(/^(\d+) connections in \d+ real seconds/m.exec(stdout)?.[1] ?? 0);
  // Each connection is marked: `r`, or `t` and `T` for full handshakes.
  const marks = /^[rtT*.]+$/m.exec(stdout)?.[0] ?? '';
  return { connections, resumed: (marks.match(/r/g) ?? []).length };
}

/** CPU microseconds for each connection. */
async function turn({ pid, port }: Running, kind: Kind, seconds: number): Promise<number> {
  const before = cpuTime(pid);
  const all = await Promise.all(Array.from({ length: CLIENTS }, () => client(port, kind, seconds)));
  const after = cpuTime(pid);
  const connections = all.reduce((sum, made) => sum + made.connections, 0);
  const resumed = all.reduce((sum, made) => sum + made.resumed, 0);
  if (connections === 0 || (kind.how === '-reuse' && resumed < connections * 0.9)) {
    throw new Error(`${connections} connections were made and ${resumed} resumed a session`);
  }
  return (after.user - before.user + after.system - before.system) / connections;
}

export const handshakes: Scenario = {
  name: 'handshakes',
  summary: 'new TLS connections with one request each: resumed and full, TLS 1.2 and 1.3',
  async run({ options, upstream, folder, say }) {
    const tls = makeCertificate(folder);
    const start = { upstreamPort: upstream.port, accessLog: false, tls };
    await using stack = new AsyncDisposableStack();
    const base = stack.use(await nginx.start(start));
    const others = [
      { name: 'bare', running: stack.use(await startBareTls(upstream.port, tls)) },
      { name: 'sluice', running: stack.use(await sluice.start(start)) },
    ];
    const rows: string[][] = [];
    for (const kind of KINDS) {
      const figures: number[][] = [];
      for (const { running } of others) await turn(running, kind, options.seconds * WARM_UP);
      for (let round = 0; round < options.rounds; round++) {
        const figure = [];
        for (const running of [base, ...others.map((other) => other.running)]) {
          figure.push(await turn(running, kind, options.seconds));
        }
        figures.push(figure);
        say(
          `${kind.name}: nginx, bare, sluice ${figure.map((cost) => cost.toFixed(0)).join(', ')} µs a connection`,
        );
      }
      for (const [at, { name }] of others.entries()) {
        const costs = figures.map((figure) => figure[at + 1] ?? 0);
        const ratios = figures.map(([nginxCost = 0], round) => nginxCost / (costs[round] ?? 0));
        rows.push([
          kind.name,
          name,
          median(figures.map(([nginxCost = 0]) => nginxCost)).toFixed(0),
          median(costs).toFixed(0),
          median(ratios).toFixed(2),
          ratios.map((ratio) => ratio.toFixed(2)).join(' '),
        ]);
      }
    }
    const header = ['', '', 'nginx CPU µs/connection', 'its own', 'connections/s × nginx', 'by round'];
    return { text: ['### New TLS connections', '', table(header, rows)].join('\n'), data: { rows } };
  },
};
