/** nginx with HTTP/2 listeners, otherwise as `nginx.ts` has it. */
import { freePort } from '../../test/support/ports.ts';
import { startNginx } from '../../test/support/nginx.ts';
import { CORES, on } from '../support/cores.ts';
import type { Running } from './contender.ts';

const HEADERS = `proxy_set_header Connection "";
      proxy_set_header Via "2 nginx";
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
      add_header X-Kong-Request-Id $request_id always;`;

/** `tls`: PEM files; without them it is HTTP/2 by prior knowledge, on a port of its own as this nginx wants it. */
export async function startNginxHttp2(
  upstreamPort: number,
  tls: { readonly cert: string; readonly key: string } | null,
): Promise<Running> {
  const port = await freePort();
  const nginx = await startNginx({
    wrapper: on(CORES.gateway),
    http: `access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  upstream backend {
    server 127.0.0.1:${upstreamPort};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:%PORT%;
    listen 127.0.0.1:${port} ${tls === null ? '' : 'ssl '}http2 backlog=16384;
    ${tls === null ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;`}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_buffer_size 8k;
      proxy_buffers 16 16k;
      proxy_set_header Host 127.0.0.1:${upstreamPort};
      ${HEADERS}
    }
  }`,
  });
  return { port, pid: nginx.pid, [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose]() };
}
