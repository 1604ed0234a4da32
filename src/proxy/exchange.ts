/**
 * One request, its response and everything known of them: the object that goes through the request path.
 *
 * The path, in the order in which a request meets it (one file each):
 *
 *     begin         who calls, what for                                exchange.ts, real-ip.ts
 *     route         find the route, refuse what it does not take       route-request.ts
 *     access        plugins: rewrite before the route, access behind it          plugins/run.ts
 *     body          read it as far as the route wants it buffered      request-body.ts
 *     forward       resolve, connect, send, try again                  forward/
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
import type { RouteTarget, ServiceTarget, Snapshot } from '../snapshot/snapshot.ts';
import { FlatHeaders } from '../wire/flat-headers.ts';
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
import { Forward } from './forward/forward.ts';
import { isGrpcContentType } from './grpc-status.ts';
import { guardError } from './guard.ts';
import { replyError } from './reply.ts';
import { editedService, type UpstreamEdits } from './plugins/edits.ts';
import { copyOf } from './plugins/headers.ts';
import { BufferedResponse } from './plugins/buffered-response.ts';
import { filterBody, filterHead, framed, isBodiless } from './plugins/response-filters.ts';
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
  /** What was served when the request began. */
  readonly snapshot: Snapshot;
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
  /** Of the response that the client got, whoever made it. */
  sentHeaders: Headers | null = null;
  /** A plugin wants the upstream's response whole; null: none does, or it has been let go of. */
  #buffered: BufferedResponse | null = null;

  #state = REQUEST;

  constructor(context: ProxyContext, stream: ServerStream, request: RequestHead) {
    this.context = context;
    this.snapshot = context.snapshot;
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

  /** Where the request goes by now: a plugin's choice, else the route's. Null: there is no route, or it has none. */
  get service(): ServiceTarget | null {
    return this.edits?.service ?? this.route?.service ?? null;
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
    const { plugins } = this.snapshot;
    if (plugins.empty) return this.#findRoute();
    this.plugins = new PluginRun(this, plugins.global);
    if (this.plugins.start('rewrite')) this.#findRoute();
  }

  /** A phase of plugins that had to wait is over. */
  proceed(phase: RequestPhase): void {
    if (phase === 'access') this.#forwardRequest();
    else this.#findRoute();
  }

  #findRoute(): void {
    const match = routeRequest(this);
    if (match === null) return;
    const route = match.value;
    this.#match = match;
    this.route = route;
    this.matchedPrefix = match.matchedPrefix;
    // What is refused here meets global plugins only, as in Kong.
    if (refuseRequest(this, route)) return;
    const { plugins } = this;
    if (plugins !== null) {
      plugins.plan = this.snapshot.plugins.planOf(route);
      if (!plugins.start('access')) return;
    }
    this.#forwardRequest();
  }

  #forwardRequest(): void {
    const { route } = this;
    if (route === null) return;
    const service = serviceOf(this);
    if (service === null) return;
    const { edits } = this;
    this.plugins?.madeView?.forwarded();
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
    if (this.forward !== null || this.responded || this.over)
      throw new Error('the request has been forwarded or answered');
    const { bodyLength } = this.request;
    if (this.body === null && (bodyLength === NO_BODY || bodyLength === 0)) return NOTHING;
    this.body ??= new RequestBody(this);
    return this.body.readWhole(limit);
  }

  /** What a plugin sends in place of the body. */
  replaceBody(bytes: Buffer): void {
    if (this.forward !== null || this.responded || this.over)
      throw new Error('the request has been forwarded or answered');
    this.body ??= new RequestBody(this);
    this.body.replace(bytes);
  }

  // The upstream's side of the exchange, told by `forward`.

  /** The head of the upstream's final response. */
  respond(head: ResponseHead): void {
    this.#answered(head);
    this.body?.settle();
    const { plugins } = this;
    if (plugins === null) return this.#sendUpstream(head);
    if (plugins.plan.response.length === 0) return void this.#filterAndSend(plugins, head);
    const buffered = new BufferedResponse(this, plugins, head);
    this.upstreamHeaders = buffered.head.headers;
    if (!buffered.tooLarge) this.#buffered = buffered;
  }

  #answered({ status, headers }: ResponseHead): void {
    this.upstreamStatus = status;
    this.upstreamHeadAt = performance.now();
    this.proxied = true;
    this.source = 'service';
    this.upstreamHeaders = headers;
  }

  /** False: a filter failed, and the request was answered otherwise. */
  #filterAndSend(plugins: PluginRun, head: ResponseHead): boolean {
    const filtered = filterHead(this, plugins, head);
    if (filtered === null) return false;
    this.#sendUpstream(framed(this, filtered));
    return true;
  }

  #sendUpstream(head: ResponseHead): void {
    clientHead(this, head);
    this.stream.readAhead(this.route?.responseBuffering === true ? this.context.policy.responseBuffer : 0);
    this.send(head);
  }

  /** A response that was kept until plugins had seen all of it. */
  deliver(head: ResponseHead, body: Buffer, trailers: Trailers | null): void {
    this.#buffered = null;
    if (this.plugins === null || !this.#filterAndSend(this.plugins, head)) return;
    if (body.length > 0) this.sendBody(body);
    this.sendEnd(trailers);
    this.stream.flush();
  }

  /** Something else is sent in its place. */
  dropBuffered(): void {
    this.#buffered = null;
  }

  /** An upstream has answered, though perhaps the client has not heard of it. */
  get answered(): boolean {
    return this.responded || this.#buffered !== null;
  }

  /** Sends a head that is ready as it is. */
  send(head: ResponseHead): void {
    this.#state = RESPONSE;
    this.status = head.status;
    this.sentHeaders = head.headers;
    this.stream.respond(head);
  }

  /** False: the client is slow, stop until `forward.resume`. */
  sendBody(chunk: Buffer): boolean {
    if (this.#buffered !== null) {
      this.#buffered.add(chunk);
      return true;
    }
    if (this.plugins?.filtersBody === true) return this.#sendFiltered(this.plugins, chunk, false);
    this.bytesSent += chunk.length;
    return this.stream.write(chunk);
  }

  sendEnd(trailers: Trailers | null): void {
    if (this.#buffered !== null) return this.#buffered.end(trailers);
    if (this.plugins?.filtersBody === true) this.#sendFiltered(this.plugins, NOTHING, true);
    if (this.#state !== OVER) this.stream.end(trailers);
  }

  #sendFiltered(plugins: PluginRun, chunk: Buffer, last: boolean): boolean {
    let bytes: Buffer;
    try {
      bytes = filterBody(plugins, chunk, last);
    } catch (error) {
      this.fail(error as GatewayError);
      return true;
    }
    if (bytes.length === 0 || isBodiless(this, this.status)) return true;
    this.bytesSent += bytes.length;
    return this.stream.write(bytes);
  }

  switchProtocols(head: ResponseHead, upstream: Tunnel): void {
    this.#answered(head);
    const { plugins } = this;
    const filtered = plugins === null ? head : filterHead(this, plugins, head, false);
    if (filtered === null) return upstream.destroy();
    this.status = head.status;
    clientHead(this, filtered);
    this.sentHeaders = filtered.headers;
    this.#state = TUNNEL;
    const client = this.stream.upgrade(filtered);
    spliceTunnels(this, client, upstream);
  }

  /** The upstream is done and the client is not: what plugins may still ask for gets memory of its own. */
  keepHeaders(): void {
    const { plugins } = this;
    if (plugins === null || plugins.plan.logs.length === 0 || this.#state !== RESPONSE) return;
    if (this.upstreamHeaders === null || this.upstreamHeaders instanceof FlatHeaders) return;
    this.upstreamHeaders = this.sentHeaders = copyOf(this.upstreamHeaders);
    plugins.madeView?.keepHeaders();
  }

  /** Answers with an error, or breaks off a response that has begun. */
  fail(error: GatewayError): void {
    if (this.#state === OVER) return;
    this.context.reportError(this, error);
    this.forward?.cancel();
    this.#buffered = null;
    this.plugins?.stop();
    if (this.#state === REQUEST) {
      this.source = 'error';
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
    this.#buffered = null;
    this.body?.over();
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
