/** `@fastify/http-proxy` in one process: the usual way to write a reverse proxy in Node. */
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { freePort } from '../../test/support/ports.ts';
import { waitFor } from '../../test/support/wait.ts';
import { CORES, pinned } from '../support/cores.ts';
import type { Contender } from './contender.ts';

const SERVER = fileURLToPath(new URL('fastify-server.ts', import.meta.url));

export const fastify: Contender = {
  name: '@fastify/http-proxy',
  async start({ upstreamPort }) {
    const port = await freePort();
    const node = [process.execPath, SERVER, String(port), String(upstreamPort)];
    const child = new Child(...pinned(CORES.gateway, node), {
      env: { ...process.env, NODE_ENV: 'production' },
    });
    await waitFor(
      async () => {
        if (child.exit !== null) throw new Error(`fastify ended: ${child.output}`);
        return (await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.ok;
      },
      { what: 'fastify' },
    );
    return {
      port,
      pid: child.pid,
      async [Symbol.asyncDispose]() {
        await child.stop('SIGTERM');
      },
    };
  },
};
