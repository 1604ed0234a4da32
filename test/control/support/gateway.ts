/**
 * A gateway with the stand-in data plane, in a process of its own with a prefix in a temporary folder. Disposing kills
 * it.
 */
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../support/child.ts';
import { freePorts } from '../../support/ports.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';
import type { SupervisorTuning } from '../../../src/control/supervisor.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

export interface Options {
  /** Declarative file; none starts empty. */
  readonly config?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly tuning?: Partial<SupervisorTuning>;
  /** Do not wait until it serves. */
  readonly unready?: boolean;
}

/** What the stand-in answers. */
export interface Answer {
  readonly worker: number;
  readonly revision: number;
  readonly logLevel: string;
  readonly reopened: number;
  /** User name of the consumer that has the key of the question. */
  readonly consumer: string | null;
}

export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A declarative file with one route for each path. */
export function config(...paths: readonly string[]): string {
  const routes = paths.map((path) => `  - name: r${path.slice(1)}\n    paths: [${path}]\n`);
  return `_format_version: "3.0"\nservices:\n- name: s\n  host: up.test\n  routes:\n${routes.join('')}`;
}

export class StandInGateway implements AsyncDisposable {
  readonly prefix: string;
  child: Child;
  readonly ports: readonly number[];
  readonly #folder: AsyncDisposable & { readonly path: string };

  constructor(child: Child, folder: AsyncDisposable & { readonly path: string }, ports: readonly number[]) {
    this.child = child;
    this.#folder = folder;
    this.prefix = join(folder.path, 'prefix');
    this.ports = ports;
  }

  get settingsFile(): string {
    return join(this.#folder.path, 'sluice.conf');
  }

  get configFile(): string {
    return join(this.#folder.path, 'kong.yml');
  }

  url(listener: 'proxy' | 'admin' | 'status', path = '/'): string {
    return `http://127.0.0.1:${this.ports[['proxy', 'admin', 'status'].indexOf(listener)]}${path}`;
  }

  /** One request on a connection of its own, to whichever worker gets it. */
  async ask(path = '/'): Promise<Answer> {
    const response = await fetch(this.url('proxy', path));
    return (await response.json()) as Answer;
  }

  /**
   * Asks until every worker has answered, a score of times at least: which of them gets a connection is the kernel's
   * choice.
   */
  async askAll(path = '/', workers = 2): Promise<Answer[]> {
    const answers: Answer[] = [];
    await waitFor(
      async () => {
        answers.push(...(await Promise.all(Array.from({ length: 20 }, () => this.ask(path)))));
        return new Set(answers.map(({ worker }) => worker)).size === workers;
      },
      { what: 'every worker to answer' },
    );
    return answers;
  }

  /** A gate for the stand-in: what waits at it goes on when it is opened. `query` is `gate=…`. */
  gate(name = 'gate'): { readonly query: string; open(): Promise<void> } {
    const path = join(this.#folder.path, name);
    return { query: `gate=${encodeURIComponent(path)}`, open: () => writeFile(path, '') };
  }

  control(method: string, path: string, body?: unknown): Promise<Reply> {
    return callSocket(join(this.prefix, 'control.sock'), method, path, body);
  }

  async health(): Promise<{
    status: string;
    workers: Array<{ id: number; state: string; revision: number }>;
  }> {
    const { body } = await this.control('GET', '/health');
    return body as unknown as Awaited<ReturnType<StandInGateway['health']>>;
  }

  /** `server` of `/status`. */
  async counters(): Promise<Readonly<Record<string, number>>> {
    const response = await fetch(this.url('status', '/status'));
    return ((await response.json()) as { server: Record<string, number> }).server;
  }

  /** The settings file with these lines changed. */
  async writeSettings(settings: Readonly<Record<string, string | number>>): Promise<void> {
    const file = this.settingsFile;
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
    await writeFile(file, (await readFile(file, 'utf8')) + lines.join(''));
  }

  async stop(): Promise<void> {
    await this.child.stop('SIGTERM');
  }

  /** Another process with the same settings and prefix. */
  async restart(): Promise<void> {
    if (this.child.exit === null) await this.stop();
    this.child = spawnMain(this.settingsFile);
    await running(this);
  }

  async errorLog(): Promise<string> {
    return await readFile(join(this.prefix, 'logs/error.log'), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exit === null) await this.child.stop('SIGKILL');
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function callSocket(socketPath: string, method: string, path: string, body: unknown): Promise<Reply> {
  const call = request({ socketPath, method, path, agent: false });
  call.end(body === undefined ? '' : JSON.stringify(body));
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, body: JSON.parse(text) as Reply['body'] };
}

export async function startStandIn(options: Options = {}): Promise<StandInGateway> {
  const ports = await freePorts(3);
  const folder = await tempDir();
  const [proxy, admin, status] = ports;
  const settings = {
    prefix: join(folder.path, 'prefix'),
    database: 'off',
    nginx_worker_processes: 2,
    proxy_listen: `127.0.0.1:${proxy}`,
    admin_listen: `127.0.0.1:${admin}`,
    status_listen: `127.0.0.1:${status}`,
    ...(options.config === undefined ? {} : { declarative_config: join(folder.path, 'kong.yml') }),
    ...options.settings,
  };
  await mkdir(settings.prefix);
  if (options.config !== undefined) await writeFile(join(folder.path, 'kong.yml'), options.config);
  const conf = join(folder.path, 'sluice.conf');
  await writeFile(
    conf,
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  );
  const child = spawnMain(conf, options.tuning);
  const gateway = new StandInGateway(child, folder, ports);
  try {
    if (options.unready !== true) await running(gateway);
    return gateway;
  } catch (error) {
    // Whoever gets no gateway disposes of none.
    const log = await gateway.errorLog();
    await gateway[Symbol.asyncDispose]();
    throw new Error(`it does not run: ${child.output}${log}`, { cause: error });
  }
}

/** As patient as `startGateway`: a machine may have other things to do. */
const STARTED = { timeout: 60_000, what: 'the gateway to run' };

async function running(gateway: StandInGateway): Promise<void> {
  await waitFor(async () => {
    if (gateway.child.exit !== null) throw new Error(`it ended: ${gateway.child.output}`);
    return (await gateway.health().catch(() => null))?.status === 'running';
  }, STARTED);
}

export function spawnMain(conf: string, tuning: Partial<SupervisorTuning> = {}): Child {
  return new Child(process.execPath, [MAIN, conf, JSON.stringify(tuning)]);
}
