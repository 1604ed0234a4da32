/** A real PgBouncer in transaction mode in front of a test's Postgres. */
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { Child } from './child.ts';
import { freePort } from './ports.ts';
import type { Postgres } from './postgres.ts';
import { tempDir } from './temp-dir.ts';
import { handOver, unprivileged } from './unprivileged.ts';
import { waitFor } from './wait.ts';

export interface PgBouncer extends AsyncDisposable {
  readonly port: number;
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

/** @param size connections to the server; few, so that clients really share them. */
export async function startPgBouncer(postgres: Postgres, size = 3): Promise<PgBouncer> {
  const folder = await tempDir();
  const port = await freePort();
  const conf = join(folder.path, 'pgbouncer.ini');
  const users = join(folder.path, 'users.txt');
  await writeFile(users, '"kong" "secret"\n');
  await writeFile(
    conf,
    `[databases]
kong = host=127.0.0.1 port=${postgres.port} dbname=kong
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${size}
server_login_retry = 0
`,
  );
  for (const path of [folder.path, conf, users]) handOver(path);
  const [command, ...args] = unprivileged('pgbouncer', conf);
  const child = new Child(command, args);
  const bouncer: PgBouncer = {
    port,
    async [Symbol.asyncDispose]() {
      await child.stop('SIGINT');
      await folder[Symbol.asyncDispose]();
    },
  };
  try {
    await waitFor(() => accepts(port), { what: 'PgBouncer' });
  } catch (error) {
    await bouncer[Symbol.asyncDispose]();
    throw new Error(`PgBouncer did not start: ${child.output}`, { cause: error });
  }
  return bouncer;
}
