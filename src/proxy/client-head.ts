/** The response phase: what the gateway adds to the head that the client gets (Kong's response headers). */
import { performance } from 'node:perf_hooks';
import type { Headers, ResponseHead } from '../wire/message.ts';
import { addCharset } from './charset.ts';
import type { Exchange } from './exchange.ts';

/** A response of the upstream. */
export function clientHead(exchange: Exchange, head: ResponseHead): void {
  const { headers } = head;
  const { policy } = exchange.context;
  if (!headers.has('date')) headers.add('Date', httpDate());
  if (policy.sendServer && !headers.has('server')) headers.add('Server', policy.serverToken);
  if (policy.charset !== null) addCharset(head, policy.charset);
  stampProxied(exchange, head);
  stampCommon(exchange, headers);
}

/** A reply that the gateway made: an error after forwarding began counts as proxied, as in Kong. */
export function stampReply(exchange: Exchange, head: ResponseHead): void {
  const { headers } = head;
  const { policy } = exchange.context;
  // A plugin may have set them.
  if (!headers.has('date')) headers.add('Date', httpDate());
  if (policy.sendServer && !headers.has('server')) headers.add('Server', policy.serverToken);
  if (exchange.proxied) stampProxied(exchange, head);
  else if (policy.sendResponseLatency) {
    headers.set('X-Kong-Response-Latency', milliseconds(performance.now() - exchange.startedAt));
  }
  stampCommon(exchange, headers);
}

function stampProxied(exchange: Exchange, { status, headers }: ResponseHead): void {
  const { policy } = exchange.context;
  // Of a failed upstream it is the status that the gateway makes of the failure, as nginx's $upstream_status is.
  if (policy.sendUpstreamStatus) headers.set('X-Kong-Upstream-Status', String(status));
  const { startedAt, forward, balancerCookie } = exchange;
  if (balancerCookie !== null) headers.add('Set-Cookie', balancerCookie);
  if (policy.sendVia) {
    const via = headers.has('via') ? `${headers.all('via').join(', ')}, ` : '';
    const version = forward?.version ?? '1.1';
    headers.set('Via', `${via}${version} ${policy.serverToken}`);
  }
  const sentAt = forward?.startedAt ?? startedAt;
  if (policy.sendUpstreamLatency) {
    // Without a response it is how long the gateway waited for one.
    const until = exchange.upstreamHeadAt > 0 ? exchange.upstreamHeadAt : performance.now();
    headers.set('X-Kong-Upstream-Latency', milliseconds(until - sentAt));
  }
  if (policy.sendProxyLatency) headers.set('X-Kong-Proxy-Latency', milliseconds(sentAt - startedAt));
}

function stampCommon(exchange: Exchange, headers: Headers): void {
  const { policy } = exchange.context;
  if (policy.sendRequestId) headers.set('X-Kong-Request-Id', exchange.id);
  if (policy.debugHeader) stampDebug(exchange, headers);
}

/** Which route and service answered, for those who ask with `Kong-Debug: 1`. */
function stampDebug(exchange: Exchange, headers: Headers): void {
  const { route, request } = exchange;
  if (route === null || request.headers.get('kong-debug') !== '1') return;
  headers.set('Kong-Route-Id', route.id);
  if (route.name !== null) headers.set('Kong-Route-Name', octets(route.name));
  const { service } = exchange;
  if (service === null) return;
  headers.set('Kong-Service-Id', service.id);
  if (service.name !== null) headers.set('Kong-Service-Name', octets(service.name));
}

/** Names may be any Unicode: a header has their UTF-8, and no character of them can become a line's end. */
function octets(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

/** Milliseconds as a header's integer. */
function milliseconds(duration: number): string {
  return String(Math.max(0, Math.floor(duration)));
}

let dateSecond = 0;
let dateText = '';

/** IMF-fixdate (RFC 9110 §5.6.7), made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
