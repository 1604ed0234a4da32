/**
 * Health of an upstream's targets on this node. HEALTHY and UNHEALTHY are what the zone says of an address, which is what
 * workers go by; a target is healthy when one of its addresses is. Without health checks, and for targets without a
 * weight, it is HEALTHCHECKS_OFF; a name without addresses is a DNS_ERROR. The addresses are looked up here, on the main
 * thread, with the node's resolver.
 */
import type { ResolvedAddress, Resolver } from '../../../balancer/resolver/resolver.ts';
import { parseHost } from '../../../entities/formats/host.ts';
import type { Values } from '../../../entities/schema/field.ts';
import { DEFAULT_PORT } from '../../../entities/target.ts';
import { ipFamily } from '../../../lib/is-ip.ts';
import type { Upstream } from '../../../entities/upstream.ts';
import type { WatchedUpstream } from '../../health/watched-upstream.ts';
import { nodeId } from '../../../settings/node-id.ts';
import { RequestError, notFoundAnswer } from '../request-error.ts';
import { parentOf } from './collection.ts';
import type { AdminRequest } from './request.ts';
import { existing } from './select.ts';
import { newestFirst, selectTarget, targetPage } from './targets.ts';

type Health = 'HEALTHY' | 'UNHEALTHY' | 'HEALTHCHECKS_OFF';
const OFF = 'HEALTHCHECKS_OFF';
/** Names that are looked up at once for one request. */
const TOGETHER = 64;

interface Weight {
  readonly total: number;
  readonly available: number;
  readonly unavailable: number;
}

interface AddressStatus {
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly health: Health;
}

/** What Kong's balancer tells of a target. */
interface TargetStatus {
  readonly host: string;
  readonly port: number;
  /** Kind of the records, or ERROR. */
  readonly dns: string;
  readonly nodeWeight: number;
  readonly weight: Weight;
  readonly addresses: readonly AddressStatus[];
}

export async function readHealth(request: AdminRequest): Promise<Response> {
  const node_id = nodeId(request.admin.settings());
  if (request.query.get('balancer_health')?.[0] === '1') {
    return request.answer(200, { data: await balancerHealth(request), next: null, node_id });
  }
  const { targets, page } = targetPage(request);
  const statuses = await statusesOf(request, targets);
  const shown = targets.map((target, index) => {
    const data = statuses[index];
    if (data === undefined) return Object.assign({}, target, { health: OFF });
    return Object.assign({}, target, { health: healthOf(data), data: told(data) });
  });
  return request.answer(200, { ...page(shown), node_id });
}

/** One healthy address is enough. */
function healthOf({ addresses }: TargetStatus): Health | 'DNS_ERROR' {
  if (addresses.length === 0) return 'DNS_ERROR';
  const all = new Set(addresses.map(({ health }) => health));
  if (all.has('HEALTHY')) return 'HEALTHY';
  return all.has('UNHEALTHY') ? 'UNHEALTHY' : OFF;
}

/** Holds on this node, until checks say otherwise. An address is `ip:port`, or an address with the default port. */
export function setHealth(request: AdminRequest): Response {
  const { entity, id } = parentOf(request);
  const target = hostOf(existing(request.store, 'targets', selectTarget(request)));
  const watched = request.admin.health()?.of(id) ?? null;
  if (watched === null) throw new RequestError(400, `no healthchecker found for ${String(entity['name'])}`);
  const named = request.params[2];
  const parsed = named === undefined ? null : parseHost(named);
  if (typeof parsed === 'string') throw notFoundAnswer();
  const only = parsed === null ? null : { ip: parsed.host, port: parsed.port ?? DEFAULT_PORT };
  const healthy = request.endpoint.path.endsWith('/healthy');
  if (watched.force(target, only, healthy) === 0) throw notFoundAnswer();
  return request.answer(204, null);
}

async function balancerHealth(request: AdminRequest): Promise<Values> {
  const parent = parentOf(request);
  const statuses = await statusesOf(request, newestFirst(request, parent));
  const sum = (part: keyof Weight): number => statuses.reduce((all, { weight }) => all + weight[part], 0);
  const weight = { total: sum('total'), available: sum('available'), unavailable: sum('unavailable') };
  const threshold = (parent.entity as unknown as Upstream).healthchecks?.threshold ?? 0;
  const healthy = weight.total > 0 && (weight.available / weight.total) * 100 > threshold;
  const checked = request.admin.health()?.of(parent.id) ?? null;
  const balancer_health = healthy ? 'HEALTHY' : 'UNHEALTHY';
  return {
    id: parent.id,
    health: checked === null ? OFF : balancer_health,
    balancer_health,
    details: { healthy, weight: inWhole(weight), hosts: statuses.map(told) },
  };
}

/** Parts of a weight are counted as the balancer counts them, and told in whole numbers, as Kong does. */
const inWhole = ({ total, unavailable }: Weight): Weight => {
  const out = Math.round(unavailable);
  return { total, available: total - out, unavailable: out };
};

const told = (status: TargetStatus): TargetStatus => ({ ...status, weight: inWhole(status.weight) });

async function statusesOf(request: AdminRequest, targets: readonly Values[]): Promise<TargetStatus[]> {
  const resolver = request.admin.resolver();
  const watched = request.admin.health()?.of(parentOf(request).id) ?? null;
  const statuses: TargetStatus[] = [];
  for (let start = 0; start < targets.length; start += TOGETHER) {
    const some = targets.slice(start, start + TOGETHER);
    statuses.push(...(await Promise.all(some.map((target) => statusOf(resolver, target, watched)))));
  }
  return statuses;
}

function hostOf(target: Values): { readonly host: string; readonly port: number } {
  const parsed = parseHost(String(target['target']));
  if (typeof parsed === 'string') return { host: parsed, port: DEFAULT_PORT };
  return { host: parsed.host, port: parsed.port ?? DEFAULT_PORT };
}

/** A target's weight is shared by the addresses of its name, as in the balancer. */
async function statusOf(
  resolver: Resolver,
  target: Values,
  watched: WatchedUpstream | null,
): Promise<TargetStatus> {
  const own = hostOf(target);
  const nodeWeight = Number(target['weight']);
  const found = await resolver.resolve(own.host).then(
    ({ addresses }) => addresses,
    (): readonly ResolvedAddress[] => [],
  );
  const sum = found.reduce((all, { weight }) => all + weight, 0);
  const addresses = found.map(({ ip, port: said, weight }): AddressStatus => {
    const port = said ?? own.port;
    // One that the keeper has not seen yet is used, and so healthy.
    const health =
      watched === null || nodeWeight === 0
        ? OFF
        : watched.healthy(own, ip, port) === false
          ? 'UNHEALTHY'
          : 'HEALTHY';
    return { ip, port, weight: Math.round((nodeWeight * weight) / sum), health };
  });
  const total = found.length === 0 ? 0 : nodeWeight;
  const out = found.reduce(
    (all, { weight }, i) => all + (addresses[i]?.health === 'UNHEALTHY' ? weight : 0),
    0,
  );
  const unavailable = found.length === 0 ? 0 : (nodeWeight * out) / sum;
  return {
    ...own,
    dns: recordType(found),
    nodeWeight,
    weight: { total, available: total - unavailable, unavailable },
    addresses,
  };
}

/** Only SRV records have ports. */
function recordType(addresses: readonly ResolvedAddress[]): string {
  const [first] = addresses;
  if (first === undefined) return 'ERROR';
  if (addresses.some(({ port }) => port !== null)) return 'SRV';
  return ipFamily(first.ip) === 6 ? 'AAAA' : 'A';
}
