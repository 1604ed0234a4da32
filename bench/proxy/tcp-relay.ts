/**
 * TCP through `stream_listen` beside HAProxy in TCP mode: messages of 1 KiB that are answered one by one on each of many
 * connections, and bulk in one direction.
 *
 * The load and the upstream are this process, on the other core; they are slower than the relays. So what is compared is
 * the relay's CPU time for a message or a MiB: a relay that has its core to itself moves as much as that allows.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../../test/support/child.ts';
import { freePort, freePorts } from '../../test/support/ports.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { waitFor } from '../../test/support/wait.ts';
import type { Running } from '../contenders/contender.ts';
import { startSluice } from '../contenders/sluice.ts';
import { CORES, pinned } from '../support/cores.ts';
import { cpuTime } from '../support/proc.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';

const MESSAGE = Buffer.alloc(1024, 'm');
const CHUNK = Buffer.alloc(64 * 1024, 'b');
const CONNECTIONS = 64;
const BULK_CONNECTIONS = 4;

interface Upstream extends AsyncDisposable {
  readonly port: number;
}

/** Answers what it gets, or swallows it. */
async function startUpstream(kind: 'echo' | 'sink'): Promise<Upstream> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (kind === 'sink') socket.resume();
    else socket.on('data', (chunk) => socket.write(chunk));
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1', 1024);
  await once(server, 'listening');
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function startHaproxy(upstreamPort: number): Promise<Running> {
  const port = await freePort();
  const folder = await tempDir();
  const file = join(folder.path, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  nbthread 1
  maxconn 5000
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:${port}
  server one 127.0.0.1:${upstreamPort}
`,
  );
  const child = new Child(...pinned(CORES.gateway, ['haproxy', '-db', '-f', file]));
  await waitFor(() => canConnect(port), { what: 'haproxy' });
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      await child.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function canConnect(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function startRelay(upstreamPort: number): Promise<Running> {
  const [port = 0] = await freePorts(1);
  const routes = [{ name: 'all', protocols: ['tcp'], destinations: [{ port }] }];
  const running = await startSluice({
    config: {
      _format_version: '3.0',
      services: [{ name: 'upstream', url: `tcp://127.0.0.1:${upstreamPort}`, routes }],
    },
    settings: { stream_listen: `127.0.0.1:${port}`, proxy_stream_access_log: 'off' },
  });
  return { port, pid: running.pid, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

interface Turn {
  readonly cpuPerUnit: number;
  readonly perSecond: number;
}

async function measure({ port, pid }: Running, seconds: number, load: typeof messages): Promise<Turn> {
  const { count, stop } = await load(port);
  // Until code is compiled and connections stand.
  await delay(300);
  const before = { cpu: cpuTime(pid), units: count(), at: performance.now() };
  await delay(seconds * 1000);
  const units = count() - before.units;
  const after = cpuTime(pid);
  const elapsed = (performance.now() - before.at) / 1000;
  stop();
  const cpu = after.user + after.system - before.cpu.user - before.cpu.system;
  return { cpuPerUnit: cpu / units, perSecond: units / elapsed };
}

interface Load {
  readonly count: () => number;
  readonly stop: () => void;
}

async function messages(port: number): Promise<Load> {
  let done = 0;
  const sockets = await connectAll(port, CONNECTIONS);
  for (const socket of sockets) {
    let left = MESSAGE.length;
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left > 0) return;
      done++;
      left = MESSAGE.length;
      socket.write(MESSAGE);
    });
    socket.write(MESSAGE);
  }
  return { count: () => done, stop: () => sockets.forEach((socket) => socket.destroy()) };
}

/** In MiB. */
async function bulk(port: number): Promise<Load> {
  const sockets = await connectAll(port, BULK_CONNECTIONS);
  let stopped = false;
  for (const socket of sockets) {
    const fill = (): void => {
      while (!stopped && socket.write(CHUNK)) continue;
    };
    socket.on('drain', fill);
    fill();
  }
  const written = (socket: net.Socket): number => socket.bytesWritten - socket.writableLength;
  return {
    count: () => sockets.reduce((sum, socket) => sum + written(socket), 0) / 1024 ** 2,
    stop() {
      stopped = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function connectAll(port: number, count: number): Promise<net.Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      await once(socket, 'connect');
      socket.on('error', () => {});
      return socket;
    }),
  );
}

async function compare(context: Context, kind: 'echo' | 'sink', load: typeof messages): Promise<Turn[][]> {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await startUpstream(kind));
  const subjects = [stack.use(await startHaproxy(upstream.port)), stack.use(await startRelay(upstream.port))];
  const turns: Turn[][] = subjects.map(() => []);
  for (let round = 0; round < context.options.rounds; round++) {
    for (let step = 0; step < subjects.length; step++) {
      const index = (round + step) % subjects.length;
      const subject = subjects[index];
      if (subject !== undefined) turns[index]?.push(await measure(subject, context.options.seconds, load));
    }
    context.say(`tcp-relay ${kind}: round ${round + 1}`);
  }
  return turns;
}

function shown(unit: string, [base = [], own = []]: readonly Turn[][]): string {
  const row = (name: string, turns: readonly Turn[]): string[] => {
    const ratios = turns.map(({ cpuPerUnit }, round) => (base[round]?.cpuPerUnit ?? Number.NaN) / cpuPerUnit);
    return [
      name,
      median(turns.map(({ cpuPerUnit }) => cpuPerUnit)).toFixed(2),
      median(turns.map(({ perSecond }) => perSecond)).toFixed(0),
      median(ratios).toFixed(2),
    ];
  };
  const header = ['', `CPU µs per ${unit}`, `${unit} per second`, 'throughput of a core, × HAProxy'];
  return table(header, [row('haproxy', base), row('sluice', own)]);
}

export const tcpRelay: Scenario = {
  name: 'tcp-relay',
  summary: 'TCP relay beside HAProxy: messages of 1 KiB on 64 connections, and bulk',
  async run(context): Promise<Report> {
    const small = await compare(context, 'echo', messages);
    const large = await compare(context, 'sink', bulk);
    const text = [
      '### TCP relay, 1 KiB messages, each answered\n',
      shown('message', small),
      '\n### TCP relay, bulk\n',
      shown('MiB', large),
    ].join('\n');
    return { text, data: { small, large } };
  },
};
