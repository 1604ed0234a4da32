/** Processes of `bare-*-server.ts`, with the gateway's own flags for the garbage collector. */
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { freePort } from '../../test/support/ports.ts';
import { waitFor } from '../../test/support/wait.ts';
import { CORES, pinned } from '../support/cores.ts';
import type { Running } from './contender.ts';

const SERVER = fileURLToPath(new URL('bare-http2-server.ts', import.meta.url));
const TLS_SERVER = fileURLToPath(new URL('bare-tls-server.ts', import.meta.url));
const GRPC_SERVER = fileURLToPath(new URL('bare-grpc-server.ts', import.meta.url));

export function startBareHttp2(
  upstreamPort: number,
  tls: { readonly cert: string; readonly key: string } | null,
): Promise<Running> {
  return startBare(SERVER, upstreamPort, tls === null ? [] : [tls.cert, tls.key]);
}

/** The same for HTTP/1.1 over TLS (`bare-tls-server.ts`). */
export function startBareTls(
  upstreamPort: number,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<Running> {
  return startBare(TLS_SERVER, upstreamPort, [cert, key]);
}

/** The same for gRPC: HTTP/2 on both sides (`bare-grpc-server.ts`). */
export function startBareGrpc(upstreamPort: number): Promise<Running> {
  return startBare(GRPC_SERVER, upstreamPort, []);
}

async function startBare(server: string, upstreamPort: number, more: readonly string[]): Promise<Running> {
  const port = await freePort();
  const node = [
    process.execPath,
    '--single-threaded-gc',
    server,
    String(port),
    String(upstreamPort),
    ...more,
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
