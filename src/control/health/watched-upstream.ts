/**
 * One upstream with health checks, on the main thread: the slots of its addresses, and its checker.
 *
 * A target that is a name has a slot for each address (target-names.ts).
 */
import { ipFamily } from '../../lib/is-ip.ts';
import type { TargetSpec } from '../../balancer/target.ts';
import { Checker, type CheckerParts, type ProbeSlots, type Watched } from './checker.ts';
import { healthChecksOf } from '../../balancer/health/health-checks.ts';
import { type ProbeResult, type ProbeSpec, requestOf } from './probe.ts';
import { TargetNames } from './target-names.ts';
import { type Address, type AddressState, nameOf, statesOf } from './watched-address.ts';
import type { Resolver } from '../../balancer/resolver/resolver.ts';
import type { Upstream } from '../../entities/upstream.ts';
import type { TermsEntity, UpstreamTerms } from '../../proxy/forward/upstream-terms.ts';
import type { Trust } from '../../snapshot/trust.ts';
import type { HealthWriter } from '../../zone/health/health-writer.ts';
import { addressKey, groupKey, type HealthKey } from '../../zone/health/layout.ts';
import type { Log } from '../log.ts';

/** Kong's and nginx's: what no time-out means. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface WatchParts {
  /** Of the upstream. */
  readonly id: string;
  readonly writer: HealthWriter;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly slots: ProbeSlots;
  readonly trust: () => Trust;
  readonly terms: () => UpstreamTerms;
}

export class WatchedUpstream {
  readonly #parts: WatchParts;
  readonly #checker: Checker;
  readonly #group: HealthKey;
  /** By key. */
  #addresses = new Map<string, Address>();
  readonly #names: TargetNames;
  #upstream: Upstream | null = null;
  #targets: readonly TargetSpec[] = [];
  #terms: TermsEntity | null = null;
  #request = new Map<string, string>();
  #full = false;
  #closed = false;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#group = groupKey(parts.id);
    this.#names = new TargetNames(parts.resolver, () => {
      if (!this.#closed) this.#sync();
    });
    const checker: CheckerParts = {
      zone: parts.writer.zone,
      slots: parts.slots,
      phase: (this.#group[0] >>> 0) / 2 ** 32,
      onChange: (watched, state, { cause }: ProbeResult) =>
        this.#log('warn', `target ${watched.name} is ${state} after a probe: ${cause}`),
      onDefect: (watched, error) =>
        this.#log(
          'error',
          `target ${watched.name} cannot be probed: ${error instanceof Error ? error.message : String(error)}`,
        ),
    };
    this.#checker = new Checker(checker);
  }

  update(upstream: Upstream, targets: readonly TargetSpec[]): void {
    this.#upstream = upstream;
    this.#targets = targets.filter(({ weight }) => weight > 0);
    this.#request = new Map();
    this.#terms = {
      client_certificate: null,
      tls_verify: upstream.healthchecks?.active.https_verify_certificate ?? true,
      tls_verify_depth: null,
      ca_certificates: null,
    };
    this.#names.hosts = this.#targets.map(({ host }) => host);
    this.#names.lookUp();
    this.#sync();
  }

  /** Names may have other addresses by now. */
  refresh(): void {
    if (this.#names.lookUp() || this.#full) this.#sync();
  }

  /** The state of an address; null: it has none. */
  healthy(target: Pick<TargetSpec, 'host' | 'port'>, ip: string, port: number): boolean | null {
    const { zone } = this.#parts.writer;
    const handle = zone.find(addressKey(this.#parts.id, target, ip, port));
    return handle === null ? null : zone.healthy(handle);
  }

  /**
   * Takes addresses of a target for healthy or not.
   * @param only one of them; null: all.
   * @returns how many there are.
   */
  force(
    target: Pick<TargetSpec, 'host' | 'port'>,
    only: { readonly ip: string; readonly port: number } | null,
    healthy: boolean,
  ): number {
    let forced = 0;
    for (const { target: own, ip, port, handle } of this.#addresses.values()) {
      if (own.host !== target.host || own.port !== target.port || handle === null) continue;
      if (only !== null && (only.ip !== ip || only.port !== port)) continue;
      forced++;
      if (!this.#parts.writer.zone.force(handle, healthy)) continue;
      this.#log(
        'warn',
        `target ${nameOf(own, ip, port)} is ${healthy ? 'healthy' : 'unhealthy'}: the Admin API says so`,
      );
    }
    return forced;
  }

  /** What is known of each address. */
  states(): Generator<AddressState> {
    return statesOf(this.#upstream?.name ?? '', this.#addresses.values(), this.#parts.writer.zone);
  }

  /** It has no health checks any more. */
  leave(): void {
    this.close();
    for (const { key } of this.#addresses.values()) this.#parts.writer.leave(key);
    this.#parts.writer.leave(this.#group);
  }

  close(): void {
    this.#closed = true;
    this.#checker.close();
  }

  /** Slots for what there is now; the others are left. */
  #sync(): void {
    const { writer, id } = this.#parts;
    const group = writer.take(this.#group, null);
    const addresses = new Map<string, Address>();
    let full = group === null;
    for (const target of group === null ? [] : this.#targets) {
      for (const { ip, port: own, name = null } of this.#names.of(target.host)) {
        const port = own ?? target.port;
        const key = addressKey(id, target, ip, port);
        const handle = writer.take(key, group);
        addresses.set(key.join(), { key, target, ip, port, srvName: name, handle });
        full ||= handle === null;
      }
    }
    for (const [name, { key }] of this.#addresses) if (!addresses.has(name)) writer.leave(key);
    this.#addresses = addresses;
    if (full && !this.#full) this.#log('error', 'there is no room for the health of all its targets');
    this.#full = full;
    this.#check();
  }

  #check(): void {
    const record = this.#upstream?.healthchecks;
    if (!record) return;
    const { active } = record;
    const watched = [...this.#addresses.values()].flatMap((address): Watched[] =>
      address.handle === null
        ? []
        : [
            {
              name: nameOf(address.target, address.ip, address.port),
              handle: address.handle,
              spec: () => this.#spec(address),
            },
          ],
    );
    this.#checker.update(
      {
        limits: healthChecksOf(record).active,
        concurrency: active.concurrency,
        healthyInterval: active.healthy.interval,
        unhealthyInterval: active.unhealthy.interval,
      },
      watched,
    );
  }

  #spec({ target, ip, port, srvName }: Address): ProbeSpec {
    const active = this.#upstream?.healthchecks?.active;
    if (!this.#upstream || !active || this.#terms === null) throw new Error('no health checks');
    const { host_header, use_srv_name, client_certificate } = this.#upstream;
    const own = use_srv_name ? srvName : null;
    const host = host_header ?? own ?? (ipFamily(target.host) === 6 ? `[${target.host}]` : target.host);
    let request = this.#request.get(host);
    if (request === undefined) {
      request = requestOf(active.http_path, host, headersOf(active.headers));
      this.#request.set(host, request);
    }
    const secure = active.type === 'https' || active.type === 'grpcs';
    const { terms, trust } = this.#parts;
    const tls = secure
      ? terms().of({ entity: this.#terms }, client_certificate?.id ?? null, trust(), active.https_sni ?? host)
      : null;
    const timeoutMs = active.timeout > 0 ? active.timeout * 1000 : DEFAULT_TIMEOUT_MS;
    return { type: active.type, to: { host: ip, port, tls }, request, authority: host, timeoutMs };
  }

  #log(level: 'warn' | 'error', line: string): void {
    this.#parts.log(level, `upstream ${this.#upstream?.name ?? this.#parts.id}: ${line}`);
  }
}

function headersOf(headers: unknown): Readonly<Record<string, readonly string[]>> | null {
  return headers === null || headers === undefined ? null : (headers as Record<string, readonly string[]>);
}
