/** HAProxy on one thread, with the same headers. It streams bodies and has no access log here. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../../test/support/child.ts';
import { freePort } from '../../test/support/ports.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { waitFor } from '../../test/support/wait.ts';
import { CORES, pinned } from '../support/cores.ts';
import type { Contender } from './contender.ts';

function configuration(port: number, upstreamPort: number): string {
  return `global
  nbthread 1
  maxconn 5000
  tune.bufsize 16384
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 60s
  timeout client 75s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port} backlog 16384
  unique-id-format %[uuid()]
  unique-id-header X-Kong-Request-Id
  http-request set-header X-Real-IP %[src]
  http-request add-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Path %[path]
  http-request add-header Via "1.1 haproxy"
  http-response add-header Via "1.1 haproxy"
  http-response set-header X-Kong-Upstream-Latency %Tr
  http-response set-header X-Kong-Proxy-Latency %Ta
  http-response set-header X-Kong-Request-Id %[unique-id]
  default_backend out
backend out
  http-request set-header Host 127.0.0.1:${upstreamPort}
  server one 127.0.0.1:${upstreamPort} pool-max-conn 512
`;
}

export const haproxy: Contender = {
  name: 'haproxy',
  async start({ upstreamPort }) {
    const port = await freePort();
    const folder = await tempDir();
    const file = join(folder.path, 'haproxy.cfg');
    await writeFile(file, configuration(port, upstreamPort));
    const child = new Child(...pinned(CORES.gateway, ['haproxy', '-db', '-f', file]));
    await waitFor(
      async () => {
        if (child.exit !== null) throw new Error(`haproxy ended: ${child.output}`);
        return (await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.ok;
      },
      { what: 'haproxy' },
    );
    return {
      port,
      pid: child.pid,
      async [Symbol.asyncDispose]() {
        await child.stop('SIGTERM');
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};
