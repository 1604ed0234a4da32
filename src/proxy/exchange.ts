/**
 * One request, its response and everything known of them: the object that goes through the request path.
 *
 * The path, in the order in which a request meets it (one file each):
 *
 *     begin         who calls, what for                                exchange.ts, real-ip.ts
 *     route         find the route, refuse what it does not take       route-request.ts
 *     access        plugins: rewrite before the route, access behind it          plugins/run.ts
 *     body          read it as far as the route wants it buffered      request-body.ts
 *     forward       resolve, connect, send, try again                  forward.ts, upstream-head.ts
 *     response      head for the client, body as it comes              client-head.ts
 *     finish        log, count                                         finish.ts
 *
 * Whatever goes wrong on the way ends in `fail` (reply.ts makes it a response). An exchange that is over ignores every
 * late call: its `state` says so.
 */
import { performance } from 'node:perf_hooks';
import type { GatewayError } from '../lib/gateway-error.ts';
import type { HashInput } from '../balancer/hash-source.ts';
import type { Captures } from '../router/regex.ts';
import type { Match, RouterInput } from '../router/router.ts';
import { normalizePath } from '../router/path.ts';
import type { PluginSet } from '../plugins/plugin-set.ts';
import type { RouteTarget } from '../snapshot/snapshot.ts';
import { NO_BODY } from '../wire/message.ts';
import type {
  Headers,
  Peer,
  RequestHead,
  ResponseHead,
  ServerStream,
  ServerStreamHandler,
  Trailers,
} from '../wire/message.ts';
import { clientHead } from './client-head.ts';
import type { ProxyContext } from './context.ts';
import { finishExchange } from './finish.ts';
import { Forward } from './forward.ts';
import { isGrpcContentType } from './grpc-status.ts';
import { guardError } from './guard.ts';
import { replyError } from './reply.ts';
import { editedService, type UpstreamEdits } from './plugins/edits.ts';
import { PluginRun, type RequestPhase } from './plugins/run.ts';
import { payloadTooLarge, RequestBody } from './request-body.ts';
import { requestId } from './request-id.ts';
import { refuseRequest, routeRequest, serviceOf } from './route-request.ts';
import { spliceTunnels } from './tunnel.ts';
import type { Tunnel } from '../wire/message.ts';

const NOTHING = Buffer.alloc(0);

const REQUEST = 0;
const RESPONSE = 1;
const TUNNEL = 2;
const OVER = 3;

export class Exchange implements ServerStreamHandler, RouterInput, HashInput {
  readonly context: ProxyContext;
  readonly stream: ServerStream;
  /** Who calls, as the settings judged when the request began. */
  readonly peer: Peer;
  readonly request: RequestHead;
  readonly id = requestId();
  /** `performance.now()` when the head was complete. */
  readonly startedAt = performance.now();

  readonly clientIp: string;
  readonly clientPort: number;

  /** Host without port, and its port or the one that clients of the listener use. */
  readonly host: string;
  /** The host as nginx's `$host` has it: lower case, without the dot of an absolute name. */
  readonly hostname: string;
  readonly port: number;
  /** Path as received, and as it is matched and forwarded. */
  readonly rawPath: string;
  readonly path: string;
  readonly query: string;

  route: RouteTarget | null = null;
  /** What of the path the route matched; '' when it has no paths. */
  matchedPrefix = '';
  #match: Match<RouteTarget> | null = null;

  /** Null: no plugin runs for this request. */
  plugins: PluginRun | null = null;
  /** What plugins want of the upstream request; null: nothing. */
  edits: UpstreamEdits | null = null;
  /** Id of the consumer, or of the credential without one; null: nobody knows who calls. */
  consumerId: string | null = null;
  /** `Set-Cookie` of a cookie that balancing made for this client; null: none. */
  balancerCookie: string | null = null;

  /** Null when the request has none. */
  body: RequestBody | null = null;
  forward: Forward | null = null;

  /** What the client got. */
  status = 0;
  bytesSent = 0;
  /** Final status of the upstream, and when its head came; 0 while none has. */
  upstreamStatus = 0;
  upstreamHeadAt = 0;
  /** The response comes from an upstream, or is an error made after forwarding began. */
  proxied = false;
  /** Who made the response. */
  source: 'service' | 'exit' | 'error' = 'error';
  /** Of the upstream's response, as the client gets them; null while there is none. */
  upstreamHeaders: Headers | null = null;

  #state = REQUEST;

  constructor(context: ProxyContext, stream: ServerStream, request: RequestHead) {
    this.context = context;
    this.stream = stream;
    this.request = request;
    const { peer } = stream;
    this.peer = peer;
    const client = peer.trusted ? context.realIp.client(request.headers, peer.proxied ?? null) : null;
    this.clientIp = client?.ip ?? peer.remoteAddress;
    this.clientPort = client === null ? peer.remotePort : (client.port ?? 0);

    const { authority, target } = request;
    if (authority !== lastAuthority) splitAuthority(authority);
    this.host = lastHost;
    this.hostname = lastHostname;
    this.port = lastPort ?? peer.publicPort;
    const mark = target.indexOf('?');
    this.rawPath = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.path = normalizePath(this.rawPath);
  }

  get method(): string {
    return this.request.method;
  }

  /** The client speaks gRPC and reads an error as `grpc-status` (as Kong judges it). */
  get isGrpc(): boolean {
    const { version, headers } = this.request;
    return version === '2' && isGrpcContentType(headers.get('content-type'));
  }

  get scheme(): 'http' | 'https' {
    return this.peer.tls === null ? 'http' : 'https';
  }

  get sni(): string {
    return this.peer.tls === null ? '' : this.peer.tls.serverName;
  }

  get srcIp(): string {
    return this.clientIp;
  }

  get srcPort(): number {
    return this.clientPort;
  }

  get dstIp(): string {
    return this.peer.localAddress;
  }

  get dstPort(): number {
    return this.peer.localPort;
  }

  headerValues(name: string): readonly string[] {
    const { authority, headers } = this.request;
    if (name !== 'host') return headers.received(name);
    return authority === '' ? [] : [authority];
  }

  /** Of the head as it is by now. */
  hashHeader(name: string): readonly string[] {
    const { authority, headers } = this.request;
    if (name !== 'host') return headers.all(name);
    return authority === '' ? [] : [authority];
  }

  /** Of the route's path regex; null: it is none. */
  get captures(): Captures | null {
    return this.#match?.captures ?? null;
  }

  capture(name: string): string | undefined {
    const { captures } = this;
    if (captures === null) return undefined;
    const named = captures.named.get(name) ?? (/^\d+$/.test(name) ? captures.groups[Number(name)] : null);
    return named ?? undefined;
  }

  /** The response's head has been written. */
  get responded(): boolean {
    return this.#state >= RESPONSE;
  }

  get over(): boolean {
    return this.#state === OVER;
  }

  /** Takes the request from its head to the upstream, or to an answer of our own. */
  start(): void {
    this.stream.handle(this);
    const { guard } = this.peer;
    const refused = guard === null || guard === undefined ? null : guardError(guard, this.request);
    if (refused !== null) return this.fail(refused);
    if (this.request.bodyLength > this.context.policy.maxBody) return this.fail(payloadTooLarge());
    const { plugins } = this.context.snapshot;
    if (plugins.empty) return this.#findRoute(plugins);
    this.plugins = new PluginRun(this, plugins.global);
    if (this.plugins.start('rewrite')) this.#findRoute(plugins);
  }

  /** A phase of plugins that had to wait is over. */
  proceed(phase: RequestPhase): void {
    if (phase === 'access') this.#forwardRequest();
    else this.#findRoute(this.context.snapshot.plugins);
  }

  #findRoute(plugins: PluginSet): void {
    const match = routeRequest(this);
    if (match === null) return;
    const route = match.value;
    this.#match = match;
    this.route = route;
    this.matchedPrefix = match.matchedPrefix;
    if (this.plugins !== null) this.plugins.plan = plugins.planOf(route);
    if (refuseRequest(this, route)) return;
    if (this.plugins === null || this.plugins.start('access')) this.#forwardRequest();
  }

  #forwardRequest(): void {
    const { route } = this;
    if (route === null) return;
    const service = serviceOf(this, route);
    if (service === null) return;
    const { edits } = this;
    this.forward = new Forward(this, route, edits === null ? service : editedService(service, edits));
    if (this.body === null) {
      const { bodyLength } = this.request;
      if (bodyLength === NO_BODY || bodyLength === 0) return this.forward.start();
      this.body = new RequestBody(this);
    }
    this.body.begin(service.grpc ? 'replayable' : route.requestBuffering ? 'kept' : 'streamed');
  }

  /** The whole body, for a plugin. @throws BodyTooLarge */
  async readBody(limit: number): Promise<Buffer> {
    if (this.forward !== null || this.responded)
      throw new Error('the request has been forwarded or answered');
    const { bodyLength } = this.request;
    if (this.body === null && (bodyLength === NO_BODY || bodyLength === 0)) return Buffer.alloc(0);
    this.body ??= new RequestBody(this);
    return this.body.readWhole(limit);
  }

  /** What a plugin sends in place of the body. */
  replaceBody(bytes: Buffer): void {
    if (this.forward !== null || this.responded)
      throw new Error('the request has been forwarded or answered');
    this.body ??= new RequestBody(this);
    this.body.replace(bytes);
  }

  // The upstream's side of the exchange, told by `forward`.

  /** The head of the upstream's final response. */
  respond(head: ResponseHead): void {
    this.upstreamStatus = head.status;
    this.upstreamHeadAt = performance.now();
    this.proxied = true;
    this.source = 'service';
    this.body?.settle();
    this.upstreamHeaders = head.headers;
    const filtered = this.plugins === null ? head : this.plugins.filterHead(head);
    if (filtered === null) return;
    clientHead(this, filtered);
    this.stream.readAhead(this.route?.responseBuffering === true ? this.context.policy.responseBuffer : 0);
    this.send(filtered);
  }

  /** Sends a head that is ready as it is. */
  send(head: ResponseHead): void {
    this.#state = RESPONSE;
    this.status = head.status;
    this.stream.respond(head);
  }

  /** False: the client is slow, stop until `forward.resume`. */
  sendBody(chunk: Buffer): boolean {
    if (this.plugins?.filtersBody === true) return this.#sendFiltered(this.plugins, chunk, false);
    this.bytesSent += chunk.length;
    return this.stream.write(chunk);
  }

  sendEnd(trailers: Trailers | null): void {
    if (this.plugins?.filtersBody === true) this.#sendFiltered(this.plugins, NOTHING, true);
    if (this.#state !== OVER) this.stream.end(trailers);
  }

  #sendFiltered(plugins: PluginRun, chunk: Buffer, last: boolean): boolean {
    let bytes: Buffer;
    try {
      bytes = plugins.filterBody(chunk, last);
    } catch (error) {
      this.fail(error as GatewayError);
      return true;
    }
    if (bytes.length === 0 || this.method === 'HEAD') return true;
    this.bytesSent += bytes.length;
    return this.stream.write(bytes);
  }

  switchProtocols(head: ResponseHead, upstream: Tunnel): void {
    this.upstreamStatus = this.status = head.status;
    this.upstreamHeadAt = performance.now();
    this.proxied = true;
    this.source = 'service';
    this.upstreamHeaders = head.headers;
    const filtered = this.plugins === null ? head : this.plugins.filterHead(head);
    if (filtered === null) return upstream.destroy();
    clientHead(this, filtered);
    this.#state = TUNNEL;
    const client = this.stream.upgrade(filtered);
    spliceTunnels(this, client, upstream);
  }

  /** Answers with an error, or breaks off a response that has begun. */
  fail(error: GatewayError): void {
    if (this.#state === OVER) return;
    this.context.reportError(this, error);
    this.forward?.cancel();
    if (this.#state === REQUEST) {
      // Too large, malformed or late: nobody wants the rest of such a body.
      if (error.source === 'client') this.stream.lastResponse();
      return replyError(this, error);
    }
    this.stream.reset(error.resetCode);
    this.finish();
  }

  /** Ends the exchange: logged and counted once, whatever ended it. */
  finish(): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    this.body?.release();
    this.forward?.over();
    finishExchange(this);
  }

  // ServerStreamHandler: the client's side.

  onBody(chunk: Buffer): void {
    if (this.#state !== OVER) this.body?.add(chunk);
  }

  onBodyEnd(trailers: Trailers | null): void {
    if (this.#state !== OVER) this.body?.end(trailers);
  }

  onReadEnd(): void {
    this.forward?.flushRequest();
  }

  onDrain(): void {
    this.forward?.resume();
  }

  onFinish(): void {
    this.forward?.cancel();
    this.finish();
  }

  onRequestError(error: GatewayError): void {
    if (error.status !== 499) return this.fail(error);
    this.context.reportError(this, error);
    this.forward?.cancel();
    if (this.status === 0) this.status = error.status;
    this.finish();
  }
}

/** The last authority taken apart: nearly all requests of a moment have the same. */
let lastAuthority = '';
let lastHost = '';
let lastHostname = '';
/** Null when the authority has none. */
let lastPort: number | null = null;

function splitAuthority(authority: string): void {
  const colon = authority.lastIndexOf(':');
  const hasPort = colon > authority.lastIndexOf(']');
  lastAuthority = authority;
  lastHost = hasPort ? authority.slice(0, colon) : authority;
  lastHostname = (lastHost.endsWith('.') ? lastHost.slice(0, -1) : lastHost).toLowerCase();
  lastPort = hasPort && colon + 1 < authority.length ? Number(authority.slice(colon + 1)) : null;
}
