/**
 * TLS on the upstream's leg alone: kept connections to an nginx that speaks TLS 1.3, beside nginx with `proxy_pass
 * https://`, small answers and 100 KiB. Neither verifies, as both do unless they are told.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from '../../src/lib/x509/self-signed.ts';
import { startNginx } from '../../test/support/nginx.ts';
import type { Contender } from '../contenders/contender.ts';
import { startSluice } from '../contenders/sluice.ts';
import { report } from '../support/compare.ts';
import { CORES, on } from '../support/cores.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { withContenders } from '../support/with-contenders.ts';

const DAY_MS = 86_400_000;
const LOADS = [
  { title: 'Small JSON answer of an https upstream', path: '/api/v1/orders/4711?expand=items' },
  { title: '100 KiB of an https upstream', path: '/100k' },
];

/** As the upstream of the other scenarios, with TLS. */
function upstream(folder: string): ReturnType<typeof startNginx> {
  const { cert, key } = selfSigned({
    names: ['upstream.test'],
    from: new Date(Date.now() - DAY_MS),
    until: new Date(Date.now() + DAY_MS),
  });
  const files = { cert: join(folder, 'upstream.crt'), key: join(folder, 'upstream.key') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return startNginx({
    wrapper: on(CORES.upstream),
    files: { '100k': Buffer.alloc(100 * 1024, 'abcdefghijklmnop') },
    http: `
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  open_file_cache max=16;
  server {
    listen 127.0.0.1:%PORT% ssl backlog=4096;
    ssl_certificate ${files.cert};
    ssl_certificate_key ${files.key};
    ssl_protocols TLSv1.3;
    location / { default_type application/json; return 200 '{"id":4711,"name":"Ada Lovelace"}'; }
    location = /100k { default_type application/octet-stream; root %DIR%/html; }
  }`,
  });
}

/** The headers of the main scenario, and the same buffers. */
function nginxTo(port: number): Contender {
  return {
    name: 'nginx',
    start: () =>
      startNginx({
        wrapper: on(CORES.gateway),
        http: `
  access_log off;
  keepalive_requests 10000;
  keepalive_timeout 75s;
  upstream backend {
    server 127.0.0.1:${port};
    keepalive 512;
    keepalive_requests 10000;
    keepalive_timeout 60s;
  }
  server {
    listen 127.0.0.1:%PORT% backlog=16384;
    location / {
      proxy_pass https://backend;
      proxy_ssl_server_name on;
      proxy_ssl_name upstream.test;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_http_version 1.1;
      proxy_buffer_size 8k;
      proxy_buffers 16 16k;
      proxy_set_header Host 127.0.0.1:${port};
      proxy_set_header Connection "";
      proxy_set_header Via "1.1 nginx";
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Path $uri;
      proxy_set_header X-Kong-Request-Id $request_id;
      proxy_pass_header Server;
      add_header Via "1.1 nginx" always;
      add_header X-Kong-Upstream-Latency $upstream_response_time always;
      add_header X-Kong-Proxy-Latency $request_time always;
      add_header X-Kong-Request-Id $request_id always;
    }
  }`,
      }),
  };
}

function sluiceTo(port: number): Contender {
  return {
    name: 'sluice',
    start: () =>
      startSluice({
        config: {
          _format_version: '3.0',
          services: [
            {
              name: 'upstream',
              url: `https://127.0.0.1:${port}`,
              routes: [{ name: 'all', paths: ['/'], strip_path: false }],
            },
          ],
        },
      }),
  };
}

async function run(context: Context): Promise<Report> {
  await using to = await upstream(context.folder);
  const reports: Report[] = [];
  for (const { title, path } of LOADS) {
    const contenders = [nginxTo(to.port), sluiceTo(to.port)];
    const load = { method: 'GET', path, bodySize: 0, connections: 64 } as const;
    reports.push(report(title, await withContenders(context, contenders, load)));
  }
  return { text: reports.map(({ text }) => text).join('\n\n'), data: reports.map(({ data }) => data) };
}

export const upstreamTls: Scenario = {
  name: 'upstream-tls',
  summary: 'the upstream speaks TLS: kept connections, small answers and 100 KiB',
  run,
};
