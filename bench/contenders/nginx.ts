/**
 * nginx as a reverse proxy on one worker: keep-alive on both sides, the headers that Sluice adds, and buffers large
 * enough that no body of the benchmarks goes through a file. Its access log is buffered, as Sluice's is.
 */
import { startNginx } from '../../test/support/nginx.ts';
import { CORES, on } from '../support/cores.ts';
import type { BenchPair, Contender } from './contender.ts';

/** Kong's versions and suites; session tickets are nginx's default, with keys of its own. */
function tlsLines({ cert, key }: BenchPair): string {
  return `ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384;
    ssl_session_timeout 1d;`;
}

export const nginx: Contender = {
  name: 'nginx',
  start: ({ upstreamPort, accessLog, tls }) =>
    startNginx({
      wrapper: on(CORES.gateway),
      http: `
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" kong_request_id: "$request_id"';
  access_log ${accessLog ? '%DIR%/logs/access.log main buffer=64k flush=1s' : 'off'};
  keepalive_requests 10000;
  keepalive_timeout 75s;
  client_max_body_size 0;
  client_body_buffer_size 256k;
  upstream backend {
    server 127.0.0.1:${upstreamPort};
    keepalive 512;
    keepalive_requests 10000;
    keepalive_timeout 60s;
  }
  server {
    listen 127.0.0.1:%PORT%${tls === undefined ? '' : ' ssl'} backlog=16384;
    ${tls === undefined ? '' : tlsLines(tls)}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_buffer_size 8k;
      proxy_buffers 16 16k;
      proxy_set_header Host 127.0.0.1:${upstreamPort};
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
