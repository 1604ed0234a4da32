/** The upstream of all benchmarks: an nginx that does as little as an HTTP server can, so that it is never the limit. */
import { startNginx, type Nginx } from '../../test/support/nginx.ts';
import { CORES, on } from './cores.ts';

/** About what a small REST answer weighs. */
const SMALL_JSON = JSON.stringify({
  id: 4711,
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  roles: ['admin', 'author'],
  created: '2026-01-01T12:00:00Z',
});

/** `/100k` answers 100 KiB, everything else a small JSON body, whatever the method. */
export function startBenchUpstream(): Promise<Nginx> {
  return startNginx({
    wrapper: on(CORES.upstream),
    files: { '100k': Buffer.alloc(100 * 1024, 'abcdefghijklmnop') },
    http: `
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 256k;
  open_file_cache max=16;
  server {
    listen 127.0.0.1:%PORT% backlog=4096;
    location / { default_type application/json; return 200 '${SMALL_JSON}'; }
    location = /100k { default_type application/octet-stream; root %DIR%/html; }
  }`,
  });
}
