/** Services and upstreams beside the route's own, for a data plane in the test's own process. */
import { Balancer } from '../../src/balancer/balancer.ts';
import { type BalancerSpec, type TargetSpec } from '../../src/balancer/target.ts';
import type { Service } from '../../src/entities/service.ts';
import { ServiceIndex, NO_SERVICES, type Services } from '../../src/snapshot/services.ts';
import { Upstreams } from '../../src/snapshot/upstreams.ts';

const SERVICE: Service = {
  id: '',
  name: null,
  retries: 0,
  protocol: 'http',
  host: '127.0.0.1',
  port: 80,
  path: null,
  connect_timeout: 60_000,
  write_timeout: 60_000,
  read_timeout: 60_000,
  tags: null,
  client_certificate: null,
  tls_verify: null,
  tls_verify_depth: null,
  ca_certificates: null,
  enabled: true,
  created_at: 1,
  updated_at: 1,
};

/** By name; the id of a service is `id of NAME` unless said. */
export function servicesOf(all: Readonly<Record<string, Partial<Service>>>): Services {
  const index = new ServiceIndex();
  for (const [name, fields] of Object.entries(all))
    index.put({ ...SERVICE, id: `id of ${name}`, name, ...fields });
  const steps = index.commitInSteps(NO_SERVICES);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

type Upstream = Partial<Omit<BalancerSpec, 'targets'>> & { readonly ports: readonly number[] };

/** By name: targets on loopback, of equal weight. */
export function upstreamsOf(all: Readonly<Record<string, Upstream>>): Upstreams {
  return new Upstreams(
    new Map(
      Object.entries(all).map(([name, { ports, ...spec }]) => {
        const targets = ports.map((port): TargetSpec => ({ host: '127.0.0.1', port, weight: 1 }));
        return [name, Balancer.of({ hostHeader: null, start: 0, ...spec, targets })];
      }),
    ),
  );
}
