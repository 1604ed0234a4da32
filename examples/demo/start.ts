/**
 * `npm start`. Without arguments: the demo, an upstream and a gateway in front of it, until Ctrl-C. With arguments
 * they go to `sluice start` as they are, and nothing of the demo runs.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startUpstream } from './upstream.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const SLUICE = path('../../bin/sluice');
const DEMO_PREFIX = path('../../.cache/demo');
const OWN_PREFIX = path('../../.cache/start');
const UPSTREAM_PORT = 9080;
const PROXY_PORT = 8000;
const PORTS: readonly [port: number, use: string][] = [
  [PROXY_PORT, 'the proxy'],
  [8001, 'the Admin API'],
  [8007, 'the status API'],
  [UPSTREAM_PORT, "the demo's upstream"],
];

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

async function takenPorts(): Promise<string[]> {
  const problems: string[] = [];
  for (const [port, use] of PORTS) {
    if (!(await isFree(port))) problems.push(`port ${port} (for ${use}) is taken by another program`);
  }
  return problems;
}

/** Passes the end on to the gateway and resolves with its exit code. */
async function untilEnd(gateway: ChildProcess): Promise<number> {
  // A terminal's Ctrl-C reaches the gateway by itself; one that was sent to this process alone does not.
  process.on('SIGINT', () => setTimeout(() => gateway.kill('SIGTERM'), 500).unref());
  for (const signal of ['SIGTERM', 'SIGQUIT'] as const) process.on(signal, () => gateway.kill(signal));
  // A terminal that closes says so by HUP, which to a gateway means reload: it would live on, unseen, with its ports.
  process.on('SIGHUP', () => gateway.kill('SIGTERM'));
  await once(gateway, 'exit');
  return gateway.exitCode ?? (gateway.signalCode === 'SIGINT' ? 0 : 1);
}

async function untilReady(gateway: ChildProcess): Promise<boolean> {
  while (gateway.exitCode === null && gateway.signalCode === null) {
    try {
      if ((await fetch('http://127.0.0.1:8007/status/ready')).ok) return true;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

/** The environment without settings of another gateway, which would win over the demo's file. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:SLUICE|KONG)_/.test(name)));
}

async function demo(): Promise<number> {
  const problems = await takenPorts();
  if (problems.length > 0) {
    process.stderr.write(`npm start: ${problems.join('\nnpm start: ')}\n`);
    process.stderr.write('Stop it, or run your own files: npm start -- -c my.conf\n');
    return 1;
  }
  const upstream = await startUpstream(UPSTREAM_PORT);
  const gateway = spawn(SLUICE, ['start', '-c', path('sluice.conf'), '--config', path('kong.yml')], {
    stdio: 'inherit',
    env: { ...ownEnvironment(), SLUICE_PREFIX: DEMO_PREFIX },
  });
  const ended = untilEnd(gateway);
  if (await untilReady(gateway)) {
    process.stdout.write(`\nSluice listens on http://127.0.0.1:${PROXY_PORT} (Ctrl-C ends it)\n`);
    process.stdout.write(`Try: curl -i http://127.0.0.1:${PROXY_PORT}/demo/hello\n\n`);
  }
  const code = await ended;
  upstream.close();
  upstream.closeAllConnections();
  return code;
}

function own(args: readonly string[]): Promise<number> {
  const env = { ...process.env };
  // The default prefix is a system folder, which a trial should neither need nor touch.
  if (!args.some((arg) => /^(?:-c|--conf(?:=|$))/.test(arg)))
    env['SLUICE_PREFIX'] ??= env['KONG_PREFIX'] ?? OWN_PREFIX;
  // npm changes to the package's folder; the user's paths are relative to where the command was given.
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  return untilEnd(spawn(SLUICE, ['start', ...args], { stdio: 'inherit', env, cwd }));
}

const args = process.argv.slice(2);
process.exitCode = await (args.length === 0 ? demo() : own(args));
