/**
 * The gaming case: steady requests to an upstream by name, whose TTL is a second, over TLS. With kept connections and
 * names that are resolved ahead, with one of the two, and with neither.
 *
 * The name server answers 10 ms late, as one that is not on the same host does; everything else is loopback, so that what
 * a handshake costs here is its CPU time alone. Connections and handshakes are counted by the upstream, questions by
 * the name server, times by the client.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decode, encode } from 'dns-packet';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { startSluice } from '../contenders/sluice.ts';
import { CORES, on } from '../support/cores.ts';
import type { Context, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const NAME = 'game.test';
const ANSWER_MS = 10;
const RATE = 50;
/** Seconds before anything is measured: the gateway's code is hot by then. */
const WARM = 2;
const DAY_MS = 86_400_000;

const KEPT = {};
const NOT_KEPT = { upstream_keepalive_pool_size: 0 };
const AHEAD = {};
const ON_DEMAND = { dns_refresh_ahead: 'off', dns_stale_ttl: 0 };

const CONTENDERS: ReadonlyArray<
  readonly [name: string, settings: Readonly<Record<string, string | number>>]
> = [
  ['keep-alive, names ahead', { ...KEPT, ...AHEAD }],
  ['keep-alive, names on demand', { ...KEPT, ...ON_DEMAND }],
  ['no keep-alive, names ahead', { ...NOT_KEPT, ...AHEAD }],
  ['neither', { ...NOT_KEPT, ...ON_DEMAND }],
];

interface Result {
  readonly connections: number;
  readonly handshakes: number;
  readonly queries: number;
  readonly mean: number;
  readonly p99: number;
  readonly failed: number;
}

/** Knows one name, for a second. */
async function startNames(): Promise<
  AsyncDisposable & { readonly address: string; readonly queries: number }
> {
  const socket = createSocket('udp4');
  let queries = 0;
  socket.on('message', (message, from) => {
    queries++;
    const { id = 0, questions = [] } = decode(message);
    const known = questions[0]?.type === 'A';
    const answers = known ? [{ type: 'A', name: NAME, ttl: 1, data: '127.0.0.1' } as const] : [];
    const answer = encode({ type: 'response', id, flags: 0x0180, questions, answers });
    setTimeout(() => socket.send(answer, from.port, from.address), ANSWER_MS);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    get queries() {
      return queries;
    },
    async [Symbol.asyncDispose]() {
      // Answers that are still to come.
      await delay(2 * ANSWER_MS);
      socket.close();
    },
  };
}

/** Each line of its log is a request: the connection's number, and `r` when its handshake resumed a session. */
function startUpstream(folder: string, log: string): ReturnType<typeof startNginx> {
  const from = new Date(Date.now() - DAY_MS);
  const pair = selfSigned({ names: [NAME], from, until: new Date(Date.now() + DAY_MS) });
  const files = { cert: join(folder, 'dns.crt'), key: join(folder, 'dns.key') };
  writeFileSync(files.cert, pair.cert);
  writeFileSync(files.key, pair.key);
  return startNginx({
    wrapper: on(CORES.upstream),
    http: `
  log_format handshakes '$connection $ssl_session_reused';
  access_log ${log} handshakes;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:%PORT% ssl backlog=4096;
    ssl_certificate ${files.cert};
    ssl_certificate_key ${files.key};
    location / { return 200 'ok'; }
  }`,
  });
}

/** One request after the other at a steady pace, whatever becomes of those before. */
async function play(port: number, seconds: number): Promise<{ times: number[]; failed: number }> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let failed = 0;
  const request = async (): Promise<void> => {
    const begun = performance.now();
    try {
      const [response] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [
        NodeJS.ReadableStream & { statusCode: number },
      ];
      response.resume();
      await once(response, 'end');
      times.push(performance.now() - begun);
      if (response.statusCode !== 200) failed++;
    } catch {
      failed++;
    }
  };
  const all: Array<Promise<void>> = [];
  const start = performance.now();
  for (let n = 0; n < RATE * seconds; n++) {
    const due = start + (n * 1000) / RATE;
    if (due > performance.now()) await delay(due - performance.now());
    all.push(request());
  }
  await Promise.all(all);
  agent.destroy();
  return { times, failed };
}

const linesOf = (log: string): string[] =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '');

async function measure(
  { folder, options }: Context,
  settings: Readonly<Record<string, string | number>>,
): Promise<Result> {
  const log = join(folder, `handshakes-${Math.random()}.log`);
  await using names = await startNames();
  const upstream = await startUpstream(folder, log);
  await using gateway = await startSluice({
    config: {
      _format_version: '3.0',
      services: [{ name: 'game', url: `https://${NAME}:${upstream.port}`, routes: [{ paths: ['/'] }] }],
    },
    settings: { dns_resolver: names.address, dns_hostsfile: '/dev/null', dns_order: 'A', ...settings },
  });
  await play(gateway.port, WARM);
  const before = { queries: names.queries, lines: linesOf(log).length };
  const { times, failed } = await play(gateway.port, options.seconds);
  const queries = names.queries - before.queries;
  await upstream[Symbol.asyncDispose]();
  const known = new Set(
    linesOf(log)
      .slice(0, before.lines)
      .map((line) => line.split(' ')[0]),
  );
  const resumed = new Map(
    linesOf(log)
      .slice(before.lines)
      .map((line): [string, boolean] => [line.split(' ')[0] ?? '', line.endsWith('r')])
      .filter(([connection]) => !known.has(connection)),
  );
  const sorted = times.toSorted((one, other) => one - other);
  return {
    connections: resumed.size,
    handshakes: [...resumed.values()].filter((again) => !again).length,
    queries,
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    failed,
  };
}

export const dns: Scenario = {
  name: 'dns',
  summary: 'an upstream by a name of one second, over TLS: kept connections and names ahead, and without',
  run: async (context) => {
    const results = new Map<string, Result[]>(CONTENDERS.map(([name]) => [name, []]));
    for (let round = 0; round < context.options.rounds; round++) {
      for (const [name, settings] of CONTENDERS) {
        const result = await measure(context, settings);
        results.get(name)?.push(result);
        context.say(`${name}: mean ${result.mean.toFixed(2)} ms, p99 ${result.p99.toFixed(2)} ms`);
      }
    }
    const rows = [...results].map(([name, all]) => {
      const of = (key: keyof Result, digits = 0): string =>
        median(all.map((one) => one[key])).toFixed(digits);
      return [
        name,
        of('connections'),
        of('handshakes'),
        of('queries'),
        of('mean', 2),
        of('p99', 2),
        of('failed'),
      ];
    });
    const head = ['', 'connections', 'full handshakes', 'DNS queries', 'mean ms', 'p99 ms', 'failed'];
    return {
      text: [
        `### An upstream by name, TTL 1 s, over TLS\n\n${RATE} requests/s for ${context.options.seconds} s; the name server takes ${ANSWER_MS} ms:\n`,
        table(head, rows),
      ].join('\n'),
      data: Object.fromEntries(results),
    };
  },
};
