/** The process of the `@fastify/http-proxy` contender. Arguments: port, upstream port. */
import { randomUUID } from 'node:crypto';
import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [port, upstreamPort] = process.argv.slice(2).map(Number);

const server = Fastify({ logger: false, keepAliveTimeout: 75_000, bodyLimit: 1 << 30 });
await server.register(proxy, {
  upstream: `http://127.0.0.1:${upstreamPort}`,
  undici: { connections: 512, pipelining: 1, keepAliveTimeout: 60_000 },
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      host: `127.0.0.1:${upstreamPort}`,
      via: '1.1 fastify',
      'x-real-ip': request.ip,
      'x-forwarded-for': request.ip,
      'x-forwarded-proto': 'http',
      'x-forwarded-host': request.hostname,
      'x-forwarded-port': String(port),
      'x-forwarded-path': request.url,
      'x-kong-request-id': randomUUID(),
    }),
    rewriteHeaders: (headers) => ({
      ...headers,
      via: '1.1 fastify',
      'x-kong-upstream-latency': '0',
      'x-kong-proxy-latency': '0',
      'x-kong-request-id': '0',
    }),
  },
});
await server.listen({ port: port ?? 0, host: '127.0.0.1', backlog: 16_384 });
