/** `npm run bench`: runs scenarios one after another, prints their tables and keeps the figures in a JSON file. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tempDir } from '../test/support/temp-dir.ts';
import { away } from './control/away.ts';
import { nodes } from './control/nodes.ts';
import { store } from './control/store.ts';
import { auth } from './proxy/auth.ts';
import { get100k, post100k } from './proxy/bodies.ts';
import { dyingTarget } from './proxy/dying-target.ts';
import { dns } from './proxy/dns.ts';
import { grpc } from './proxy/grpc.ts';
import { handshakes } from './proxy/handshakes.ts';
import { https } from './proxy/https.ts';
import { health } from './proxy/health.ts';
import { h2c, http2 } from './proxy/http2.ts';
import { idle1000 } from './proxy/idle-1000.ts';
import { idleWebSockets } from './proxy/idle-websockets.ts';
import { memory } from './proxy/memory.ts';
import { pluginFaults } from './proxy/plugin-faults.ts';
import { reload } from './proxy/reload.ts';
import { routes100k, routes609 } from './proxy/routes.ts';
import { small, smallLog } from './proxy/small.ts';
import { startup } from './proxy/startup.ts';
import { targetChurn } from './proxy/target-churn.ts';
import { upstreamTls } from './proxy/upstream-tls.ts';
import { webSocketRelay } from './proxy/websocket-relay.ts';
import { tcpRelay } from './proxy/tcp-relay.ts';
import { moveAway } from './support/cores.ts';
import type { BenchOptions, Report, Scenario } from './support/scenario.ts';
import { startBenchUpstream } from './support/upstream.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const SCENARIOS: readonly Scenario[] = [
  small,
  smallLog,
  https,
  handshakes,
  get100k,
  post100k,
  idle1000,
  http2,
  h2c,
  grpc,
  idleWebSockets,
  webSocketRelay,
  upstreamTls,
  health,
  dyingTarget,
  targetChurn,
  dns,
  auth,
  pluginFaults,
  routes609,
  routes100k,
  reload,
  memory,
  startup,
  tcpRelay,
  store,
  nodes,
  away,
];

const USAGE = `Usage: npm run bench -- [OPTIONS]

  --scenario NAME     only this one (may be given several times)
  --contender NAME    only contenders whose name contains this (may be given several times; nginx is the base)
  --quick             2 rounds of 2 seconds: a first look, not a figure to quote
  --rounds N          turns of each contender (5)
  --seconds N         length of each turn's load (5)
  --minutes N         length of the memory run (10)
  --json FILE         where the figures go (.cache/bench/<scenario>-<time>.json)
  --micro [TEXT]      the micro-benchmarks (whose path contains TEXT) instead

Scenarios:
${SCENARIOS.map(({ name, summary }) => `  ${name.padEnd(20)}${summary}`).join('\n')}
`;

function version(command: string, args: readonly string[]): string {
  try {
    // nginx prints its version on standard error.
    return execFileSync('sh', ['-c', '"$@" 2>&1 | head -n 1', 'sh', command, ...args], {
      encoding: 'utf8',
    }).trim();
  } catch {
    return `${command}: not there`;
  }
}

function machine(): Record<string, unknown> {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? '',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    nginx: version('nginx', ['-v']),
    haproxy: version('haproxy', ['-v']),
  };
}

function runMicro(wanted: string): void {
  const files = globSync('bench/micro/**/*.ts', { cwd: ROOT }).filter(
    (file) => !file.endsWith('.test.ts') && file.includes(wanted),
  );
  if (files.length === 0) throw new Error('no such micro-benchmark');
  // Each prints its own table. One process for each, so that none inherits what another has made of the code.
  for (const file of files.toSorted()) {
    execFileSync(process.execPath, [resolve(ROOT, file)], { stdio: 'inherit' });
  }
}

async function runScenarios(
  scenarios: readonly Scenario[],
  options: BenchOptions,
  json: string,
): Promise<void> {
  moveAway();
  const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const results: Record<string, unknown> = {};
  const about = machine();
  process.stdout.write(`${Object.values(about).join(', ')}\n`);
  await using upstream = await startBenchUpstream();
  await using directory = await tempDir();
  let problem: unknown;
  for (const scenario of scenarios) {
    process.stderr.write(`\n== ${scenario.name}: ${scenario.summary}\n`);
    try {
      const report: Report = await scenario.run({ options, upstream, folder: directory.path, say });
      process.stdout.write(`\n${report.text}\n`);
      results[scenario.name] = report.data;
    } catch (error) {
      process.stdout.write(`\n### ${scenario.name} failed\n\n${String(error)}\n`);
      problem ??= error;
    }
    await mkdir(dirname(json), { recursive: true });
    await writeFile(json, `${JSON.stringify({ machine: about, options, results }, null, 1)}\n`);
  }
  process.stdout.write(`\nFigures of every round: ${json}\n`);
  if (problem !== undefined) throw problem;
}

function positive(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`not a positive number: ${text}`);
  return value;
}

async function main(argv: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      contender: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      json: { type: 'string' },
      micro: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  if (values.micro) return runMicro(positionals[0] ?? '');
  if (process.platform !== 'linux')
    throw new Error('CPU time is read from /proc: these benchmarks need Linux');
  const names = values.scenario.flatMap((text) => text.split(','));
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined || positionals.length > 0) {
    throw new Error(`no scenario ${unknown ?? positionals[0]}\n\n${USAGE}`);
  }
  const scenarios = SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
  const options: BenchOptions = {
    rounds: positive(values.rounds, values.quick ? 2 : 5),
    seconds: positive(values.seconds, values.quick ? 2 : 5),
    minutes: positive(values.minutes, values.quick ? 0.5 : 10),
    contenders: values.contender,
  };
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
  // Only now: help and micro-benchmarks need none of them.
  execFileSync(
    'sh',
    [`${ROOT}scripts/servers`, 'nginx', 'wrk', 'haproxy', 'h2load=nghttp2-client', 'nghttpd=nghttp2-server'],
    {
      stdio: 'inherit',
    },
  );
  const file = values.json ?? `${ROOT}.cache/bench/${names.join('+') || 'all'}-${time}.json`;
  await runScenarios(scenarios, options, resolve(file));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
