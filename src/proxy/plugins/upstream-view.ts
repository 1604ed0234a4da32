/** The upstream's side of an exchange, for plugins. */
import { isIP } from 'node:net';
import type { Affinity } from '../../balancer/affinity.ts';
import type { BalancingPolicy } from '../../balancer/policy.ts';
import type { Service } from '../../entities/service.ts';
import type {
  EditHeaders,
  ReadHeaders,
  UpstreamRequest,
  UpstreamResponse,
} from '../../plugins/kit/exchange.ts';
import type { GatePolicy } from '../../plugins/kit/gates.ts';
import type { MirrorPolicy } from '../../plugins/kit/mirror.ts';
import type { HedgePolicy, RetryPolicy } from '../../plugins/kit/tries.ts';
import { FlatHeaders } from '../../wire/flat-headers.ts';
import type { Exchange } from '../exchange.ts';
import { takesRequests } from '../../snapshot/route-target.ts';
import { upstreamTarget } from '../forward/upstream-head.ts';
import { editsOf, type UpstreamEdits } from './edits.ts';
import { HeaderView, setHost } from './headers.ts';
import { asBytes } from './response-filters.ts';

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What may stand in a request target as it is (RFC 9112 §3.2): no space, no control character, Latin-1. */
const TARGET = /^[\u0021-\u007e\u0080-\u00ff]*$/;

const HOST_NAME = /^[\w](?:[\w.-]*[\w])?$/;
/** Kong's bounds of a service's fields. */
const MAX_TIMEOUT = 2 ** 31 - 2;
const MAX_RETRIES = 32_767;

export class UpstreamRequestView implements UpstreamRequest {
  readonly #exchange: Exchange;
  readonly headers: EditHeaders;

  constructor(exchange: Exchange, headers: EditHeaders) {
    this.#exchange = exchange;
    this.headers = headers;
  }

  get #edits(): UpstreamEdits {
    return editsOf(this.#exchange);
  }

  get method(): string {
    return this.#exchange.edits?.method ?? this.#exchange.method;
  }

  set method(method: string) {
    if (!METHOD.test(method)) throw new TypeError(`'${method}' is not a method`);
    this.#edits.method = method;
  }

  get path(): string {
    const target = upstreamTarget(this.#exchange);
    const mark = target.indexOf('?');
    return mark < 0 ? target : target.slice(0, mark);
  }

  set path(path: string) {
    if (!path.startsWith('/') || !TARGET.test(path) || /[?#]/.test(path)) {
      throw new TypeError(`'${path}' is not a path: it begins with / and has no ?, # or space`);
    }
    this.#edits.path = path;
  }

  get query(): string {
    return this.#exchange.edits?.query ?? this.#exchange.query;
  }

  set query(query: string) {
    if (!TARGET.test(query) || query.includes('#')) throw new TypeError('a query has no space and no #');
    this.#edits.query = query;
  }

  get host(): string {
    return this.#exchange.edits?.host ?? this.#exchange.service?.hostHeader ?? '';
  }

  set host(host: string) {
    setHost(this.#exchange, host);
  }

  setBody(body: Uint8Array | string): void {
    this.#exchange.replaceBody(asBytes(body));
  }

  setTarget(host: string | null, port: number | null): void {
    const now = this.#exchange.edits?.target ?? this.#exchange.service;
    this.#edits.target = hostAndPort(host ?? now?.host ?? '', port ?? now?.port ?? 0);
  }

  findService(nameOrId: string): Service | null {
    return this.#exchange.snapshot.services.find(nameOrId)?.entity ?? null;
  }

  setService(nameOrId: string): void {
    const service = this.#exchange.snapshot.services.find(nameOrId);
    if (service === null) throw new RangeError(`there is no service '${nameOrId}' that is enabled`);
    const { protocol } = service.entity;
    if (!takesRequests(protocol))
      throw new RangeError(`service '${nameOrId}' has the protocol ${protocol}, which takes no HTTP request`);
    const edits = this.#edits;
    edits.service = service;
    edits.target = edits.tls = edits.timeouts = edits.retries = null;
  }

  isHealthy(host: string): boolean {
    return this.#exchange.snapshot.upstreams.byName.get(host)?.healthy ?? true;
  }

  setScheme(scheme: 'http' | 'https'): void {
    if (scheme !== 'http' && scheme !== 'https')
      throw new TypeError(`'${String(scheme)}' is not http or https`);
    this.#edits.tls = scheme === 'https';
  }

  setTimeouts(timeouts: {
    readonly connect?: number;
    readonly write?: number;
    readonly read?: number;
  }): void {
    for (const ms of Object.values(timeouts)) {
      if (!Number.isInteger(ms) || ms < 1 || ms > MAX_TIMEOUT)
        throw new RangeError(`${ms} is not a time-out`);
    }
    this.#edits.timeouts = { ...this.#edits.timeouts, ...timeouts };
  }

  setBalancing(policy: BalancingPolicy): void {
    this.#edits.balancing = policy;
  }

  setAffinity(affinity: Affinity): void {
    this.#edits.affinity = affinity;
  }

  setRetries(retries: number): void {
    if (!Number.isInteger(retries) || retries < 0 || retries > MAX_RETRIES)
      throw new RangeError(`${retries} is not a number of retries`);
    this.#edits.retries = retries;
  }

  get retryPolicy(): RetryPolicy | null {
    return this.#exchange.edits?.retryPolicy ?? null;
  }

  set retryPolicy(policy: RetryPolicy | null) {
    this.#edits.retryPolicy = policy;
  }

  get hedgePolicy(): HedgePolicy | null {
    return this.#exchange.edits?.hedgePolicy ?? null;
  }

  set hedgePolicy(policy: HedgePolicy | null) {
    this.#edits.hedgePolicy = policy;
  }

  guard(policy: GatePolicy): void {
    (this.#edits.gates ??= []).push(policy);
  }

  get mirror(): MirrorPolicy | null {
    return this.#exchange.edits?.mirror ?? null;
  }

  set mirror(policy: MirrorPolicy | null) {
    this.#edits.mirror = policy;
  }
}

/** @throws RangeError, TypeError */
function hostAndPort(host: string, port: number): { readonly host: string; readonly port: number } {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`${port} is not a port`);
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (!HOST_NAME.test(bare) && isIP(bare) === 0) throw new TypeError(`'${host}' is not a host`);
  return { host: bare, port };
}

export class UpstreamResponseView implements UpstreamResponse {
  readonly #exchange: Exchange;
  #headers: HeaderView | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** For the runner: see `HeaderView.detach`. */
  detach(copy: boolean): void {
    this.#view().detach(copy);
  }

  get status(): number {
    return this.#exchange.upstreamStatus;
  }

  get headers(): ReadHeaders {
    return this.#view();
  }

  #view(): HeaderView {
    const { upstreamHeaders } = this.#exchange;
    if (upstreamHeaders === null) return new HeaderView(new FlatHeaders());
    return (this.#headers ??= new HeaderView(upstreamHeaders));
  }
}
