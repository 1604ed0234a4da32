/** What snippets ask of an exchange that is one text or number. */
import type { Plain } from '../../lib/quickjs/texts.ts';
import type { CertificateExchange, Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';

const REQUEST: Readonly<Record<string, (exchange: Exchange) => Plain>> = {
  scheme: ({ request }) => request.scheme,
  host: ({ request }) => request.host.toLowerCase(),
  port: ({ request }) => request.port,
  httpVersion: ({ request }) => Number(request.httpVersion),
  method: ({ request }) => request.method,
  path: ({ request }) => request.path,
  rawPath: ({ request }) => request.rawPath,
  query: ({ request }) => request.query,
  pathWithQuery: ({ request }) =>
    request.query === '' ? request.rawPath : `${request.rawPath}?${request.query}`,
  startTime: ({ request }) => request.startedAt,
  serviceStatus: ({ upstreamResponse }) => upstreamResponse.status || null,
  status: ({ response }) => response.status || null,
  source: ({ response }) => response.source,
  socketIp: ({ client }) => client.socketIp,
  ip: ({ client }) => client.ip,
  clientPort: ({ client }) => client.port,
  protocol: ({ request }) =>
    request.isGrpc ? `grpc${request.scheme === 'https' ? 's' : ''}` : request.scheme,
  serverName: ({ client }) => client.tls?.serverName ?? null,
  tlsVersion: ({ client }) => client.tls?.version ?? null,
  clientVerify: ({ client }) => client.tls?.clientVerify ?? null,
};
const HANDSHAKE: Readonly<Record<string, (handshake: CertificateExchange) => Plain>> = {
  serverName: ({ serverName }) => serverName,
  socketIp: ({ client }) => client.ip,
  ip: ({ client }) => client.ip,
  clientPort: ({ client }) => client.port,
};
const NODE: Readonly<Record<string, (gateway: PluginServices) => Plain>> = {
  nodeId: ({ node }) => node.id,
  hostname: ({ node }) => node.hostname,
  pluginId: ({ plugin }) => plugin.id,
};

interface Asked {
  readonly exchange: Exchange;
  readonly gateway: PluginServices;
}

export function factOf(asked: Asked, name: string): Plain {
  const { [name]: ofRequest } = REQUEST;
  return ofRequest === undefined ? NODE[name]?.(asked.gateway) : ofRequest(asked.exchange);
}

export function handshakeFact(handshake: CertificateExchange, gateway: PluginServices, name: string): Plain {
  const fact = HANDSHAKE[name] ?? null;
  if (fact !== null) return fact(handshake);
  const { [name]: ofNode } = NODE;
  if (ofNode === undefined) throw new Error('there is no request in the phase certificate');
  return ofNode(gateway);
}
