/** What is copied of a request for a mirror, or why nothing is. Everything that the copy holds may outlive the request. */
import type { MirrorDrop, MirrorPolicy, MirrorUrl } from '../../plugins/kit/mirror.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import { takesRequests } from '../../snapshot/route-target.ts';
import type { Exchange } from '../exchange.ts';
import { copyOf } from '../plugins/headers.ts';
import { type UpstreamHead, upstreamTarget } from './upstream-head.ts';

export interface MirrorCopy {
  readonly service: ServiceTarget;
  readonly head: UpstreamHead;
  readonly body: readonly Buffer[];
  /** 32 bits, for a balancer that hashes. */
  readonly hash: number;
}

const NO_PIECES: readonly Buffer[] = [];

/** Null: a copy can be made. */
export function noMirrorBecause(
  exchange: Exchange,
  policy: MirrorPolicy,
  { upgrade, headers, bodyLength }: UpstreamHead,
): MirrorDrop | null {
  if (upgrade !== '') return 'upgrade';
  if (headers.has(policy.mark[0].toLowerCase())) return 'loop';
  if (serviceOf(exchange, policy) === null) return 'no_service';
  const { body } = exchange;
  if (body === null) return null;
  if (bodyLength > policy.maxBody) return 'body_too_large';
  if (!body.whole) return 'body_streamed';
  return body.length > policy.maxBody ? 'body_too_large' : null;
}

/** @throws Error when none can be made. */
export function copyFor(exchange: Exchange, policy: MirrorPolicy, head: UpstreamHead): MirrorCopy {
  const service = serviceOf(exchange, policy);
  if (service === null) throw new Error('there is no service');
  const [name, value] = policy.mark;
  const { body } = exchange;
  const headers = copyOf(head.headers);
  headers.removeSpellings(policy.removed);
  headers.set(name, value);
  const hashSource = exchange.snapshot.upstreams.of(service)?.choice(null).hashSource ?? null;
  return {
    service,
    body: body === null ? NO_PIECES : body.pieces(),
    hash: hashSource === null ? 0 : hashSource.of(exchange).hash,
    head: {
      ...head,
      headers,
      target: targetOf(exchange, service, policy),
      authority: service.hostHeader,
      // With its length, whatever framing and trailers it came with.
      bodyLength: body === null ? head.bodyLength : body.length,
      acceptsTrailers: service.grpc,
    },
  };
}

function targetOf(exchange: Exchange, service: ServiceTarget, policy: MirrorPolicy): string {
  const target = upstreamTarget(exchange, service);
  const mark = target.indexOf('?');
  if (mark < 0) return target;
  const query = policy.query(target.slice(mark + 1));
  return query === '' ? target.slice(0, mark) : `${target.slice(0, mark)}?${query}`;
}

/** Null: there is none that takes requests. */
function serviceOf(exchange: Exchange, policy: MirrorPolicy): ServiceTarget | null {
  const { to } = policy;
  if (typeof to !== 'string') return placeOf(to, policy.timeout);
  const service = exchange.snapshot.services.find(to);
  return service !== null && takesRequests(service.entity.protocol) ? service : null;
}

/** Of URLs, which live as long as their configuration. */
const places = new WeakMap<MirrorUrl, ServiceTarget>();

function placeOf(url: MirrorUrl, timeout: number): ServiceTarget {
  let place = places.get(url);
  if (place === undefined) places.set(url, (place = placeMade(url, timeout)));
  return place;
}

/** What stands for a service, as far as one is asked for: its terms of TLS, its place, its path. */
function placeMade({ tls, host, port, path, tlsVerify }: MirrorUrl, timeout: number): ServiceTarget {
  const authority = host.includes(':') ? `[${host}]` : host;
  // The copy's own time ends first.
  const ms = timeout + 1000;
  const terms = {
    client_certificate: null,
    tls_verify: tlsVerify,
    tls_verify_depth: null,
    ca_certificates: null,
  };
  return {
    id: '',
    name: null,
    tls,
    grpc: false,
    upstreamProtocol: 'http/1.1',
    host,
    port,
    balancing: { upstreams: null, balancer: null },
    hostHeader: port === (tls ? 443 : 80) ? authority : `${authority}:${port}`,
    path,
    retries: 0,
    timeouts: { connect: ms, write: ms, read: ms },
    entity: terms as ServiceTarget['entity'],
  };
}
