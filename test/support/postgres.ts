/**
 * A real Postgres with a cluster of its own in a temporary folder. It has a database `kong` whose owner `kong` (password
 * `secret`) is no superuser. Writes are not flushed to the disk unless a test is about that.
 */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { appendFile, chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import {
  PACE,
  type Pace,
  type PostgresOptions,
  type ServerOptions,
} from '../../src/store/postgres/options.ts';
import type { Certificate } from './certificate.ts';
import { Child } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir, type TempDir } from './temp-dir.ts';
import { handOver, unprivileged } from './unprivileged.ts';
import { waitFor } from './wait.ts';

/** Debian keeps them off the PATH. */
const BIN = globSync('/usr/lib/postgresql/*/bin').toSorted().at(-1);

function binary(name: string): string {
  return BIN === undefined ? name : join(BIN, name);
}

export interface PostgresServerOptions {
  /** Whether what is committed survives a crash of the machine, and not of the server alone. */
  readonly durable?: boolean;
  /** Makes the server speak TLS, for those who ask for it. */
  readonly certificate?: Certificate;
}

export class Postgres implements AsyncDisposable {
  readonly port: number;
  readonly #folder: TempDir;
  #child: Child;

  constructor(folder: TempDir, port: number) {
    this.#folder = folder;
    this.port = port;
    this.#child = this.#run();
  }

  get data(): string {
    return join(this.#folder.path, 'data');
  }

  #run(): Child {
    const [command, ...args] = unprivileged(binary('postgres'), '-D', this.data);
    return new Child(command, args);
  }

  /** Returns when it answers. */
  async ready(): Promise<void> {
    // After a crash the old server's processes may hold its memory for a moment, and the new one does not start.
    await waitFor(
      async () => {
        if (this.#child.exit !== null) this.#child = this.#run();
        return this.admin('select 1').then(
          () => true,
          () => false,
        );
      },
      { timeout: 60_000, interval: 50, what: `Postgres: ${this.#child.output}` },
    );
  }

  async start(): Promise<void> {
    this.#child = this.#run();
    await this.ready();
  }

  /** SIGINT: connections are cut, transactions under way rolled back (Postgres calls it fast). */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await this.#child.stop(signal);
  }

  async restart(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  /** One statement as superuser, over the unix socket. */
  admin<R extends QueryResultRow>(text: string, database = 'postgres'): Promise<R[]> {
    return this.#query<R>({ host: this.#folder.path, user: 'postgres', database }, text);
  }

  /** One statement in the database `kong` as its owner. */
  query<R extends QueryResultRow>(text: string): Promise<R[]> {
    return this.#query<R>({ host: '127.0.0.1', user: 'kong', password: 'secret', database: 'kong' }, text);
  }

  async #query<R extends QueryResultRow>(
    where: { host: string; user: string; password?: string; database: string },
    text: string,
  ): Promise<R[]> {
    const client = new Client({ ...where, port: this.port, connectionTimeoutMillis: 20_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<R>(text);
      return rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  get server(): ServerOptions {
    return {
      host: '127.0.0.1',
      port: this.port,
      user: 'kong',
      password: 'secret',
      database: 'kong',
      tls: null,
      timeout: 20_000,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop('SIGINT');
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Options of a log on this server, reached through `port` if that is another one. */
export function logOptions(
  { server }: Postgres,
  more: {
    port?: number;
    listenPort?: number;
    timeout?: number;
    keepCommits?: number;
    pace?: Partial<Pace>;
  } = {},
): PostgresOptions {
  const reached = { ...server, port: more.port ?? server.port, timeout: more.timeout ?? server.timeout };
  const listenPort = more.listenPort ?? reached.port;
  // Straight at the server notifications do arrive, be it late.
  const pace = listenPort === server.port ? { ...PACE, probe: 30_000 } : PACE;
  return {
    primary: {
      server: reached,
      schema: 'sluice',
      size: 4,
      backlog: Number.POSITIVE_INFINITY,
      waitTimeout: 30_000,
      idleTimeout: 10_000,
    },
    replica: null,
    listen: { ...reached, port: listenPort },
    keepCommits: more.keepCommits ?? 1000,
    pace: { ...pace, ...more.pace },
  };
}

export async function startPostgres(options: PostgresServerOptions = {}): Promise<Postgres> {
  const folder = await tempDir();
  handOver(folder.path);
  const port = await freePort();
  const data = join(folder.path, 'data');
  const layout = ['-D', data, '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C'];
  const logins = ['--auth-local=trust', '--auth-host=scram-sha-256'];
  const [command, ...args] = unprivileged(binary('initdb'), ...layout, ...logins);
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder.path });
  await configure(folder.path, port, options);
  const postgres = new Postgres(folder, port);
  try {
    await postgres.ready();
    await postgres.admin(`create role kong login password 'secret'`);
    await postgres.admin('create database kong owner kong');
  } catch (error) {
    await postgres[Symbol.asyncDispose]();
    throw error;
  }
  return postgres;
}

async function configure(folder: string, port: number, options: PostgresServerOptions): Promise<void> {
  const lines = [
    `listen_addresses = '127.0.0.1'`,
    `port = ${port}`,
    `unix_socket_directories = '${folder}'`,
    'max_connections = 60',
    `fsync = ${options.durable === true ? 'on' : 'off'}`,
  ];
  if (options.certificate !== undefined) {
    const [cert, key] = [join(folder, 'server.crt'), join(folder, 'server.key')];
    await copyFile(options.certificate.cert, cert);
    await copyFile(options.certificate.key, key);
    await chmod(key, 0o600);
    handOver(key);
    handOver(cert);
    lines.push('ssl = on', `ssl_cert_file = '${cert}'`, `ssl_key_file = '${key}'`);
  }
  await appendFile(join(folder, 'data', 'postgresql.conf'), `${lines.join('\n')}\n`);
}
