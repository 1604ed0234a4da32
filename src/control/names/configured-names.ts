/**
 * The names that the served configuration would have looked up: hosts of services that are no upstream's name, and hosts
 * of targets that take traffic. Taken from deltas where those fit, as the health keeper does.
 */
import { literalAddress } from '../../balancer/resolver/host-name.ts';
import { type ImageRecord, readImage } from '../../snapshot/image.ts';
import { specOf } from '../../snapshot/upstream-index.ts';

const KINDS: ReadonlySet<string> = new Set(['services', 'upstreams', 'targets']);

export class ConfiguredNames {
  /** By id; addresses are left out. */
  readonly #services = new Map<string, string>();
  readonly #targets = new Map<string, string>();
  readonly #upstreams = new Map<string, string>();
  #changed = false;

  *applyInSteps(delta: SharedArrayBuffer): Generator<void, void> {
    yield* this.#take(readImage(delta).records(KINDS));
  }

  *replaceInSteps(whole: SharedArrayBuffer | null): Generator<void, void> {
    for (const kept of [this.#services, this.#targets, this.#upstreams]) kept.clear();
    this.#changed = true;
    if (whole !== null) yield* this.#take(readImage(whole).records(KINDS));
  }

  /** At most so many; null: as they were the last time. */
  hosts(limit: number): ReadonlySet<string> | null {
    if (!this.#changed) return null;
    this.#changed = false;
    const upstreams = new Set(this.#upstreams.values());
    const hosts = new Set<string>();
    for (const host of this.#targets.values()) if (hosts.size < limit) hosts.add(host);
    for (const host of this.#services.values()) {
      if (hosts.size < limit && !upstreams.has(host)) hosts.add(host);
    }
    return hosts;
  }

  *#take(records: Iterable<ImageRecord>): Generator<void, void> {
    for (const record of records) {
      if (record.op === 'remove') this.#remove(record.kind, record.id);
      else if (record.kind === 'services') this.#put(this.#services, record.entity.id, record.entity.host);
      else if (record.kind === 'upstreams') this.#put(this.#upstreams, record.entity.id, record.entity.name);
      else if (record.kind === 'targets') {
        const { id, weight } = record.entity;
        this.#put(this.#targets, id, weight > 0 ? specOf(record.entity).host : null);
      }
      yield;
    }
  }

  #remove(kind: string, id: string): void {
    if (kind === 'services') this.#put(this.#services, id, null);
    else if (kind === 'upstreams') this.#put(this.#upstreams, id, null);
    else if (kind === 'targets') this.#put(this.#targets, id, null);
  }

  #put(kept: Map<string, string>, id: string, host: string | null): void {
    const name = host === null || literalAddress(host) !== null ? null : host;
    if (name === (kept.get(id) ?? null)) return;
    this.#changed = true;
    if (name === null) kept.delete(id);
    else kept.set(id, name);
  }
}
