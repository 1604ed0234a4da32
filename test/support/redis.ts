/** A real `redis-server` in memory, which can be ended, started again on the same port, and held so that it answers nothing. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { Child } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Ends it as a crash does; what it held is lost. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** It goes on to accept connections, and answers nothing (SIGSTOP). */
  hold(): void;
  go(): void;
  /** What the server answers, as it is written on the wire. Not over TLS. */
  ask(...command: readonly string[]): Promise<string>;
}

export interface RedisOptions {
  readonly password?: string;
  /** Serves TLS alone. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly port?: number;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const folder = await tempDir();
  const port = options.port ?? (await freePort());
  const { password, tls } = options;
  const args = [
    '--bind',
    '127.0.0.1',
    '--dir',
    folder.path,
    '--save',
    '',
    '--appendonly',
    'no',
    ...(tls === undefined ? ['--port', String(port)] : ['--port', '0', '--tls-port', String(port)]),
    ...(tls === undefined ? [] : ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key]),
    ...(tls === undefined ? [] : ['--tls-ca-cert-file', tls.cert, '--tls-auth-clients', 'no']),
    ...(password === undefined ? [] : ['--requirepass', password]),
    '--pidfile',
    join(folder.path, 'pid'),
  ];
  let child: Child | null = null;
  const server: RedisServer = {
    port,
    async kill() {
      await child?.stop('SIGKILL');
      child = null;
    },
    async start() {
      const started = new Child('redis-server', args);
      child = started;
      await waitFor(() => /Ready to accept connections/.test(started.output) || started.exit !== null, {
        what: 'redis-server',
      });
      if (started.exit !== null) throw new Error(`redis-server did not start: ${started.output}`);
    },
    hold: () => child?.kill('SIGSTOP'),
    go: () => child?.kill('SIGCONT'),
    ask: (...command) => ask(port, [...(password === undefined ? [] : [['AUTH', password]]), command]),
    async [Symbol.asyncDispose]() {
      child?.kill('SIGCONT');
      await server.kill();
      await folder[Symbol.asyncDispose]();
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** The reply to the last of the commands, up to the end of the connection. */
async function ask(port: number, commands: ReadonlyArray<readonly string[]>): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  const all = [...commands, ['QUIT']].map(
    (parts) =>
      `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`,
  );
  socket.write(all.join(''));
  let reply = '';
  for await (const chunk of socket.setEncoding('utf8')) reply += String(chunk);
  const before = commands.length > 1 ? '+OK\r\n' : '';
  if (!reply.startsWith(before)) throw new Error(reply);
  return reply.slice(before.length, -'+OK\r\n'.length);
}
