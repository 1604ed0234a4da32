/**
 * Health of an upstream's targets. There are no health checks yet, so nobody is healthy or unhealthy: a target is
 * HEALTHCHECKS_OFF, or DNS_ERROR when its name has no addresses. The addresses are looked up here, on the main thread,
 * with the resolver that workers have, too; its cache is its own.
 */
import type { ResolvedAddress, Resolver } from '../../../balancer/resolver/resolver.ts';
import { parseHost } from '../../../entities/formats/host.ts';
import type { Values } from '../../../entities/schema/field.ts';
import { DEFAULT_PORT } from '../../../entities/target.ts';
import { ipFamily } from '../../../lib/is-ip.ts';
import { StoreUnavailable } from '../../../store/errors.ts';
import { nodeId } from '../../node-id.ts';
import { RequestError } from '../request-error.ts';
import { parentOf } from './collection.ts';
import type { AdminRequest } from './request.ts';
import { newestFirst, selectTarget, targetPage } from './targets.ts';

const OFF = 'HEALTHCHECKS_OFF';
/** Names that are looked up at once for one request. */
const TOGETHER = 64;

interface Weight {
  readonly total: number;
  readonly available: number;
  readonly unavailable: number;
}

/** What Kong's balancer tells of a target. */
interface TargetStatus {
  readonly host: string;
  readonly port: number;
  /** Kind of the records, or ERROR. */
  readonly dns: string;
  readonly nodeWeight: number;
  readonly weight: Weight;
  readonly addresses: ReadonlyArray<Readonly<Record<string, unknown>>>;
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
    return Object.assign({}, target, { health: data?.addresses.length === 0 ? 'DNS_ERROR' : OFF, data });
  });
  return request.answer(200, { ...page(shown), node_id });
}

/** Kong's words: without health checks there is nobody to tell. */
export function setHealth(request: AdminRequest): never {
  const { entity } = parentOf(request);
  selectTarget(request);
  throw new RequestError(400, `no healthchecker found for ${String(entity['name'])}`);
}

async function balancerHealth(request: AdminRequest): Promise<Values> {
  const parent = parentOf(request);
  const hosts = await statusesOf(request, newestFirst(request, parent));
  const total = hosts.reduce((sum, { weight }) => sum + weight.total, 0);
  const details = { healthy: total > 0, weight: weightOf(total), hosts };
  return { id: parent.id, health: OFF, balancer_health: OFF, details };
}

async function statusesOf(request: AdminRequest, targets: readonly Values[]): Promise<TargetStatus[]> {
  const resolver = request.admin.resolver();
  if (resolver === null) throw new StoreUnavailable('names cannot be looked up yet');
  const statuses: TargetStatus[] = [];
  for (let start = 0; start < targets.length; start += TOGETHER) {
    const some = targets.slice(start, start + TOGETHER);
    statuses.push(...(await Promise.all(some.map((target) => statusOf(resolver, target)))));
  }
  return statuses;
}

/** A target's weight is shared by the addresses of its name, as in the balancer. */
async function statusOf(resolver: Resolver, target: Values): Promise<TargetStatus> {
  const parsed = parseHost(String(target['target']));
  const { host, port } =
    typeof parsed === 'string' ? { host: parsed, port: null } : { host: parsed.host, port: parsed.port };
  const nodeWeight = Number(target['weight']);
  const found = await resolver.resolve(host).then(
    ({ addresses }) => addresses,
    (): readonly ResolvedAddress[] => [],
  );
  const sum = found.reduce((all, { weight }) => all + weight, 0);
  const own = port ?? DEFAULT_PORT;
  return {
    host,
    port: own,
    dns: recordType(found),
    nodeWeight,
    weight: weightOf(found.length === 0 ? 0 : nodeWeight),
    addresses: found.map((address) => ({
      ip: address.ip,
      port: address.port ?? own,
      weight: Math.round((nodeWeight * address.weight) / sum),
      health: OFF,
    })),
  };
}

/** Only SRV records have ports. */
function recordType(addresses: readonly ResolvedAddress[]): string {
  const [first] = addresses;
  if (first === undefined) return 'ERROR';
  if (addresses.some(({ port }) => port !== null)) return 'SRV';
  return ipFamily(first.ip) === 6 ? 'AAAA' : 'A';
}

function weightOf(total: number): Weight {
  return { total, available: total, unavailable: 0 };
}
