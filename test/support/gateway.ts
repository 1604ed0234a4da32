/**
 * The gateway as its users run it: `bin/sluice start` in a process of its own, on free ports, with a prefix in a
 * temporary folder. Disposing stops it and fails when it had ended by itself, so that a crash never goes unseen.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Child, type Exit } from './child.ts';
import { freePorts } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

const SLUICE = fileURLToPath(new URL('../../bin/sluice', import.meta.url));

/** A declarative file: its text, or an object that is written as JSON. */
export type KongConfig = string | Readonly<Record<string, unknown>>;

export interface GatewayOptions {
  /** Declarative file; without one the gateway starts empty. */
  readonly config?: KongConfig;
  /**
   * Lines of sluice.conf; they override those of `startGateway` (one worker, loopback, free ports). `%STATUS%`
   * is the port on which it asks whether the gateway is ready.
   */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Added to an environment that has no SLUICE_ and KONG_ names but SLUICE_NO_RESTART=1. */
  readonly env?: Readonly<Record<string, string>>;
  /** More options of `sluice start`. */
  readonly args?: readonly string[];
  /** Milliseconds to become ready; 60,000 unless said. */
  readonly timeout?: number;
  /** A command that runs the gateway as its arguments, such as `taskset -c 0`. */
  readonly wrapper?: readonly string[];
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function cleanEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:SLUICE|KONG)_/.test(name) && name !== 'NODE_TEST_CONTEXT',
  );
  // Without the launcher's supervisor: the child is the gateway itself, and a crash ends it instead of being repaired.
  return { ...Object.fromEntries(kept), SLUICE_NO_RESTART: '1', ...added };
}

/** Runs `bin/sluice` with arguments to its end. */
export async function sluice(
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<CliResult> {
  const child = spawn(SLUICE, args, { env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

export class Gateway implements AsyncDisposable {
  readonly proxyPort: number;
  readonly adminPort: number;
  readonly statusPort: number;
  readonly prefix: string;
  /** Absolute path of its sluice.conf. */
  readonly conf: string;
  readonly child: Child;
  #folder: AsyncDisposable;
  #endExpected = false;

  constructor(child: Child, folder: AsyncDisposable, paths: { prefix: string; conf: string; ports: Ports }) {
    this.child = child;
    this.#folder = folder;
    this.prefix = paths.prefix;
    this.conf = paths.conf;
    this.proxyPort = paths.ports.proxy;
    this.adminPort = paths.ports.admin;
    this.statusPort = paths.ports.status;
  }

  /** The process that was started: the main one. */
  get pid(): number {
    return this.child.pid;
  }

  /** `http://127.0.0.1:PORT` of the proxy listener. */
  get url(): string {
    return `http://127.0.0.1:${this.proxyPort}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  get statusUrl(): string {
    return `http://127.0.0.1:${this.statusPort}`;
  }

  /** Replaces the declarative file (when given) and runs `sluice reload`; throws when that fails. */
  async reload(config?: KongConfig): Promise<void> {
    if (config !== undefined) await this.writeConfig(config);
    const result = await sluice(['reload', '-c', this.conf]);
    if (result.code !== 0) {
      throw new Error(
        `sluice reload exited with ${result.code}\n${result.stdout}${result.stderr}\n${await this.logs()}`,
      );
    }
  }

  /** Replaces the declarative file on disk and tells nobody. */
  async writeConfig(config: KongConfig): Promise<void> {
    await writeFile(configPath(this.prefix), textOf(config));
  }

  /** `POST /config` on the admin listener. */
  async postConfig(config: KongConfig): Promise<{ status: number; body: unknown }> {
    const json = typeof config !== 'string';
    const response = await fetch(`${this.adminUrl}/config`, {
      method: 'POST',
      headers: { 'content-type': json ? 'application/json' : 'text/yaml' },
      body: textOf(config),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for an end that the test wants. */
  waitExit(): Promise<Exit> {
    this.#endExpected = true;
    return this.child.exited;
  }

  /** Stops it: SIGTERM fast, SIGQUIT gracefully. */
  stop(signal: NodeJS.Signals = 'SIGTERM', grace = 30_000): Promise<Exit> {
    this.#endExpected = true;
    return this.child.stop(signal, grace);
  }

  /** Text of a log file below `prefix/logs`, empty when it is not there. */
  async logFile(name: string): Promise<string> {
    try {
      return await readFile(join(this.prefix, 'logs', name), 'utf8');
    } catch {
      return '';
    }
  }

  /** What it printed, and its error log. */
  async logs(): Promise<string> {
    return `${this.child.output}${await this.logFile('error.log')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const crashed = this.child.exit !== null && !this.#endExpected;
    const logs = crashed ? await this.logs() : '';
    await this.child.stop();
    await this.#folder[Symbol.asyncDispose]();
    if (crashed) throw new Error(`the gateway ended by itself: ${JSON.stringify(this.child.exit)}\n${logs}`);
  }
}

interface Ports {
  readonly proxy: number;
  readonly admin: number;
  readonly status: number;
}

function textOf(config: KongConfig): string {
  return typeof config === 'string' ? config : JSON.stringify(config, null, 1);
}

function configPath(prefix: string): string {
  return join(prefix, '..', 'kong.yml');
}

async function answers(port: number, wanted: (status: number) => boolean): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/status/ready`, {
      headers: { connection: 'close' },
    });
    await response.arrayBuffer();
    return wanted(response.status);
  } catch {
    return false;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts a gateway and waits until `GET /status/ready` says that it is (without a config: until it answers at all). */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const [proxy = 0, admin = 0, status = 0] = await freePorts(3);
  const folder = await tempDir();
  const prefix = join(folder.path, 'prefix');
  const conf = join(folder.path, 'sluice.conf');
  await mkdir(prefix);
  if (options.config !== undefined) await writeFile(configPath(prefix), textOf(options.config));
  const settings: Record<string, string | number> = {
    prefix,
    database: 'off',
    proxy_listen: `127.0.0.1:${proxy}`,
    admin_listen: `127.0.0.1:${admin}`,
    status_listen: `127.0.0.1:${status}`,
    nginx_worker_processes: 1,
    ...(options.config === undefined ? {} : { declarative_config: configPath(prefix) }),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(
    ([key, value]) => `${key} = ${String(value).replaceAll('%STATUS%', String(status))}\n`,
  );
  await writeFile(conf, lines.join(''));
  const [wrapper, ...wrapped] = [...(options.wrapper ?? []), SLUICE];
  const child = new Child(wrapper ?? SLUICE, [...wrapped, 'start', '-c', conf, ...(options.args ?? [])], {
    env: cleanEnvironment(options.env),
    cwd: folder.path,
  });
  const gateway = new Gateway(child, folder, { prefix, conf, ports: { proxy, admin, status } });
  const ready = (): Promise<boolean> => {
    if (child.exit !== null) throw new Error(`it exited with ${JSON.stringify(child.exit)}`);
    if (settings['status_listen'] === 'off') return accepts(proxy);
    return answers(status, (code) => options.config === undefined || code === 200);
  };
  try {
    await waitFor(ready, { timeout: options.timeout ?? 60_000, what: 'the gateway to be ready' });
  } catch (error) {
    const logs = await gateway.logs();
    await gateway.stop('SIGKILL');
    await gateway[Symbol.asyncDispose]();
    throw new Error(`the gateway did not start: ${String(error)}\n${logs}`, { cause: error });
  }
  return gateway;
}
