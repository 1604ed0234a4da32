/**
 * gRPC unary calls side by side with nginx's `grpc_pass`: the load is h2load's, 16 calls at once on each of 8 connections,
 * each with a small message and the metadata of a usual client; the upstream is nghttpd, which answers with a message and
 * trailers. Plain text on both legs; a bare proxy on `node:http2` tells what Sluice adds to it; what is compared is CPU time per call.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startNginx } from '../../test/support/nginx.ts';
import { freePort } from '../../test/support/ports.ts';
import { waitFor } from '../../test/support/wait.ts';
import { startBareGrpc } from '../contenders/bare-http2.ts';
import { startSluice } from '../contenders/sluice.ts';
import { CORES, on, pinned } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { reportOf, type Figures, type Subject } from './http2.ts';

const CONNECTIONS = 8;
const CALLS = 16;
/** As in `http2.ts`: JavaScript is not fast before. */
const WARM_UP = ['-n', '100000'];
const PATH = 'bench.Orders/Get';
const HEADERS = [
  'content-type: application/grpc',
  'te: trailers',
  'grpc-accept-encoding: identity,deflate,gzip',
  'user-agent: grpc-node-js/1.14.7',
  'grpc-timeout: 30S',
  'authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo',
  'x-tenant: example',
];
const run = promisify(execFile);

/** A message with gRPC's prefix. */
function message(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

/** `amount`: h2load's options for how long, or for how many calls. */
async function load(
  port: number,
  amount: readonly string[],
  body: string,
): Promise<{ done: number; failed: number }> {
  const words = ['h2load', '-c', `${CONNECTIONS}`, '-m', `${CALLS}`, ...amount, '-d', body];
  const headers = HEADERS.flatMap((line) => ['-H', line]);
  const url = `http://127.0.0.1:${port}/${PATH}`;
  const { stdout } = await run(...pinned(CORES.load, [...words, ...headers, url]));
  const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(stdout);
  if (counts === null) throw new Error(`h2load said nothing of use:\n${stdout}`);
  const [succeeded = 0, ...others] = counts.slice(1).map(Number);
  return { done: succeeded, failed: others.reduce((sum, count) => sum + count, 0) };
}

async function measure({ pid, port }: Subject, seconds: number, body: string): Promise<Figures> {
  const before = cpuTime(pid);
  const { done, failed } = await load(port, ['-D', `${seconds}`], body);
  const after = cpuTime(pid);
  const cpu = (after.user + after.system - before.user - before.system) / done;
  return { cpu, perSecond: done / seconds, failed };
}

/** An upstream that answers each call with the same message. */
async function startUpstream(folder: string): Promise<AsyncDisposable & { readonly port: number }> {
  const root = join(folder, 'grpc');
  mkdirSync(join(root, 'bench.Orders'), { recursive: true });
  writeFileSync(join(root, PATH), message('an order of some forty octets, as it may be'));
  const port = await freePort();
  const words = [
    'nghttpd',
    '--no-tls',
    '-a',
    '127.0.0.1',
    '-d',
    root,
    '--trailer',
    'grpc-status: 0',
    `${port}`,
  ];
  const child = spawn(...pinned(CORES.upstream, words), { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const url = `http://127.0.0.1:${port}/${PATH}`;
  await waitFor(() => run('h2load', ['-n', '1', url]).then(({ stdout }) => stdout.includes('1 succeeded')), {
    what: 'nghttpd',
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

function startNginxGrpc(upstreamPort: number, port: number): ReturnType<typeof startNginx> {
  return startNginx({
    wrapper: on(CORES.gateway),
    http: `
  access_log off;
  upstream backend {
    server 127.0.0.1:${upstreamPort};
    keepalive 512;
    keepalive_requests 10000;
  }
  server {
    listen 127.0.0.1:%PORT%;
    listen 127.0.0.1:${port} http2 backlog=16384;
    keepalive_requests 1000000000;
    location / {
      grpc_pass grpc://backend;
      grpc_set_header Host 127.0.0.1:${upstreamPort};
      grpc_set_header Via "2 nginx";
      grpc_set_header X-Real-IP $remote_addr;
      grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      grpc_set_header X-Forwarded-Proto $scheme;
      grpc_set_header X-Forwarded-Host $host;
      grpc_set_header X-Forwarded-Port $server_port;
      grpc_set_header X-Forwarded-Path $uri;
      grpc_set_header X-Kong-Request-Id $request_id;
      grpc_pass_header Server;
      add_header Via "2 nginx" always;
      add_header X-Kong-Upstream-Latency $upstream_response_time always;
      add_header X-Kong-Proxy-Latency $request_time always;
      add_header X-Kong-Request-Id $request_id always;
    }
  }`,
  });
}

async function compareGrpc({ options, folder, say }: Context): Promise<Report> {
  const body = join(folder, 'call');
  writeFileSync(body, message('which order'));
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startUpstream(folder));
  const nginxPort = await freePort();
  const port = await freePort();
  const nginx = stack.use(await startNginxGrpc(upstream.port, nginxPort));
  const sluice = stack.use(
    await startSluice({
      config: {
        _format_version: '3.0',
        services: [
          {
            name: 'orders',
            url: `grpc://127.0.0.1:${upstream.port}`,
            routes: [{ name: 'all', protocols: ['grpc'], paths: ['/'] }],
          },
        ],
      },
      settings: {
        proxy_listen: `127.0.0.1:${port} http2`,
        nginx_http_keepalive_requests: 1_000_000_000,
      },
    }),
  );
  const bare = stack.use(await startBareGrpc(upstream.port));
  const subjects: readonly Subject[] = [
    { name: 'nginx grpc_pass', pid: nginx.pid, port: nginxPort },
    { name: 'sluice', pid: sluice.pid, port },
    { name: 'bare node:http2', pid: bare.pid, port: bare.port },
  ];
  for (const subject of subjects) await load(subject.port, WARM_UP, body);
  const figures: Figures[][] = subjects.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      const turn = await measure(subject, options.seconds, body);
      figures[index]?.push(turn);
      say(`${subject.name}: ${turn.cpu.toFixed(2)} µs/call, ${Math.round(turn.perSecond)} calls/s`);
    }
  }
  return reportOf(`gRPC unary calls, ${CONNECTIONS} connections × ${CALLS} calls`, subjects, figures);
}

export const grpc: Scenario = {
  name: 'grpc',
  summary: 'gRPC unary calls in plain text: 8 connections with 16 calls each (h2load, nghttpd)',
  run: (context) => compareGrpc(context),
};
