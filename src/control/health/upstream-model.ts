/**
 * Upstreams and targets of the revision that is served, on the main thread, and what of them a publication touches.
 *
 * Targets are kept of all upstreams, since one may be given health checks later; certificates only when a probe shows
 * them: there may be 100,000.
 */
import type { TargetSpec } from '../../balancer/target.ts';
import { healthChecksOf } from '../../balancer/health/health-checks.ts';
import type { Certificate } from '../../entities/certificate.ts';
import type { Upstream } from '../../entities/upstream.ts';
import type { Vault } from '../../entities/vault.ts';
import { type ImageRecord, readImage } from '../../snapshot/image.ts';
import { Trust } from '../../snapshot/trust.ts';
import { specOf } from '../../snapshot/upstream-index.ts';
import type { WatchedUpstream } from './watched-upstream.ts';

export interface UpstreamState {
  upstream: Upstream | null;
  /** By id. */
  readonly targets: Map<string, TargetSpec>;
  /** Null: it has no health checks. */
  watched: WatchedUpstream | null;
}

const KINDS: ReadonlySet<string> = new Set(['vaults', 'upstreams', 'targets']);
const CERTIFICATES: ReadonlySet<string> = new Set(['certificates']);
const WITH_CERTIFICATES: ReadonlySet<string> = new Set([...KINDS, ...CERTIFICATES]);

export class UpstreamModel {
  readonly states = new Map<string, UpstreamState>();
  /** Of each target its upstream's id. */
  readonly #homes = new Map<string, string>();
  readonly #touched = new Set<string>();
  readonly #vaults = new Map<string, Vault>();
  /** Null: not there. */
  readonly #certificates = new Map<string, Certificate | null>();
  #trust: Trust | null = null;

  /** For probes: the certificates that they show, and where secrets of those stand. */
  get trust(): Trust {
    return (this.#trust ??= this.#makeTrust());
  }

  *applyInSteps(delta: SharedArrayBuffer): Generator<void, void> {
    const kinds = this.#certificates.size > 0 ? WITH_CERTIFICATES : KINDS;
    yield* this.#take(readImage(delta).records(kinds));
  }

  /** All anew; what is not there any more goes. */
  *replaceInSteps(whole: SharedArrayBuffer | null): Generator<void, void> {
    this.#vaults.clear();
    this.#certificates.clear();
    this.#homes.clear();
    this.#trust = null;
    for (const [id, state] of this.states) {
      state.upstream = null;
      state.targets.clear();
      this.#touched.add(id);
    }
    if (whole !== null) yield* this.#take(readImage(whole).records(KINDS));
  }

  /** What was touched since the last call. */
  touched(): ReadonlyArray<readonly [id: string, state: UpstreamState]> {
    const all = [...this.#touched].map((id): [string, UpstreamState] => [id, this.#touch(id)]);
    this.#touched.clear();
    return all;
  }

  /** Certificates that probes want to show and that are not here are wanted from now on. @returns there are some. */
  wantCertificates(): boolean {
    const before = this.#certificates.size;
    for (const { upstream } of this.states.values()) {
      const id = isChecked(upstream) ? upstream?.client_certificate?.id : undefined;
      if (id !== undefined && !this.#certificates.has(id)) this.#certificates.set(id, null);
    }
    return this.#certificates.size > before;
  }

  *certificatesInSteps(whole: SharedArrayBuffer): Generator<void, void> {
    yield* this.#take(readImage(whole).records(CERTIFICATES));
  }

  *#take(records: Iterable<ImageRecord>): Generator<void, void> {
    for (const record of records) {
      this.#apply(record);
      yield;
    }
  }

  #apply(record: ImageRecord): void {
    if (record.op === 'remove') return this.#remove(record.kind, record.id);
    if (record.kind === 'upstreams') this.#touch(record.entity.id).upstream = record.entity;
    else if (record.kind === 'targets') {
      const { id, upstream } = record.entity;
      this.#removeTarget(id);
      this.#homes.set(id, upstream.id);
      this.#touch(upstream.id).targets.set(id, specOf(record.entity));
    } else if (record.kind === 'vaults') {
      this.#vaults.set(record.entity.id, record.entity);
      this.#trust = null;
    } else if (record.kind === 'certificates' && this.#certificates.has(record.entity.id)) {
      this.#certificates.set(record.entity.id, record.entity);
      this.#trust = null;
    }
  }

  #remove(kind: string, id: string): void {
    if (kind === 'targets') return this.#removeTarget(id);
    if (kind === 'upstreams') {
      const state = this.#touch(id);
      state.upstream = null;
      for (const target of state.targets.keys()) this.#homes.delete(target);
      state.targets.clear();
      return;
    }
    this.#trust = null;
    if (kind === 'vaults') this.#vaults.delete(id);
    else if (this.#certificates.has(id)) this.#certificates.set(id, null);
  }

  #removeTarget(id: string): void {
    const home = this.#homes.get(id);
    if (home === undefined) return;
    this.#homes.delete(id);
    this.#touch(home).targets.delete(id);
  }

  #touch(id: string): UpstreamState {
    let state = this.states.get(id);
    if (state === undefined)
      this.states.set(id, (state = { upstream: null, targets: new Map(), watched: null }));
    this.#touched.add(id);
    return state;
  }

  #makeTrust(): Trust {
    const found = [...this.#certificates].filter(
      (entry): entry is [string, Certificate] => entry[1] !== null,
    );
    return new Trust(new Map(found), new Map(), new Map(), [...this.#vaults.values()]);
  }
}

/** It has health checks. */
export function isChecked(upstream: Upstream | null): boolean {
  return upstream?.healthchecks ? healthChecksOf(upstream.healthchecks).used : false;
}
