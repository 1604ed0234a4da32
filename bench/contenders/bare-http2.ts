/** A process of `bare-http2-server.ts`, with the gateway's own flags for the garbage collector. */
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { freePort } from '../../test/support/ports.ts';
import { waitFor } from '../../test/support/wait.ts';
import { CORES, pinned } from '../support/cores.ts';
import type { Running } from './contender.ts';

const SERVER = fileURLToPath(new URL('bare-http2-server.ts', import.meta.url));

export async function startBareHttp2(
  upstreamPort: number,
  tls: { readonly cert: string; readonly key: string } | null,
): Promise<Running> {
  const port = await freePort();
  const files = tls === null ? [] : [tls.cert, tls.key];
  const node = [
    process.execPath,
    '--single-threaded-gc',
    SERVER,
    String(port),
    String(upstreamPort),
    ...files,
  ];
  const child = new Child(...pinned(CORES.gateway, node), { env: process.env });
  await waitFor(
    () => {
      if (child.exit !== null) throw new Error(`it ended: ${child.output}`);
      return child.output.includes('ready');
    },
    { what: 'the bare proxy' },
  );
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      await child.stop('SIGTERM');
    },
  };
}
