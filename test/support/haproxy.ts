/** A real HAProxy in front of a gateway or behind it; it needs no privileges. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Child } from './child.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export interface Haproxy extends AsyncDisposable {
  readonly output: string;
}

/**
 * Starts HAProxy and waits until it accepts connections on `port`.
 * @param config frontends and backends, behind usual time-outs.
 */
export async function startHaproxy(config: string, port: number, mode = 'http'): Promise<Haproxy> {
  const folder = await tempDir();
  const file = join(folder.path, 'haproxy.cfg');
  const usual = `global
  nbthread 1
  maxconn 2000
defaults
  mode ${mode}
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  timeout check 5s
`;
  await writeFile(file, `${usual}${config}`);
  const child = new Child('haproxy', ['-db', '-f', file]);
  const accepts = async (): Promise<boolean> => {
    if (child.exit !== null) throw new Error(`haproxy ended: ${child.output}`);
    const socket = connect({ port, host: '127.0.0.1' });
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };
  await waitFor(accepts, { what: 'haproxy' });
  return {
    get output() {
      return child.output;
    },
    async [Symbol.asyncDispose]() {
      await child.stop('SIGTERM');
      await folder[Symbol.asyncDispose]();
    },
  };
}
