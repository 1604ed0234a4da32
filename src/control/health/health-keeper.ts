/**
 * The health of targets on the main thread: which upstreams have checks, and what is done about it.
 *
 * Hears of each publication before the workers serve it, and so gives out the slots that they will look for. It takes
 * upstreams and targets from the delta where that fits, else from the whole image, in slices; routes and services are
 * passed over undecoded. An upstream without checks costs nothing but the list of its targets, and what probes is loaded
 * when the first one has some.
 *
 * What is unchanged goes on: slots, counters and clocks. Nothing here fails a publication: what cannot be done is logged.
 */
import type { Resolver } from '../../balancer/resolver/resolver.ts';
import type { Settings } from '../../settings/settings.ts';
import { readImage } from '../../snapshot/image.ts';
import { Slices } from '../../store/slices.ts';
import type { HealthWriter } from '../../zone/health/health-writer.ts';
import type { Log } from '../log.ts';
import type { Publication } from '../publisher.ts';
import { isChecked, UpstreamModel, type UpstreamState } from './upstream-model.ts';
import type { AddressState } from './watched-address.ts';
import type { WatchedUpstream, WatchParts } from './watched-upstream.ts';

export interface HealthKeeperOptions {
  readonly writer: HealthWriter;
  readonly log: Log;
  readonly settings: () => Settings;
  /** The node's. */
  readonly resolver: Resolver;
}

/** Names are looked at again, and slots that nobody wants any more are freed. */
const TICK_MS = 1000;

interface Tools {
  readonly watch: (id: string) => WatchedUpstream;
}

export class HealthKeeper {
  readonly #options: HealthKeeperOptions;
  readonly #model = new UpstreamModel();
  /** That the model is of; -1: of none that could be built on. */
  #revision = -1;
  #tools: Tools | null = null;
  #tick: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HealthKeeperOptions) {
    this.#options = options;
  }

  /** Of an upstream with health checks; null: it has none, or nothing is known of it. */
  of(upstream: string): WatchedUpstream | null {
    return this.#model.states.get(upstream)?.watched ?? null;
  }

  /** Of all addresses that have health. */
  *states(): Generator<AddressState> {
    for (const { watched } of this.#model.states.values()) if (watched !== null) yield* watched.states();
  }

  async follow(next: Publication): Promise<void> {
    try {
      await this.#follow(next);
    } catch (error) {
      this.#revision = -1;
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log('error', `health checks do not follow revision ${next.revision}: ${reason}`);
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#tick);
    for (const { watched } of this.#model.states.values()) watched?.close();
  }

  async #follow(next: Publication): Promise<void> {
    const model = this.#model;
    const { delta } = next;
    const fits = delta !== null && readImage(delta).baseRevision === this.#revision;
    const steps = fits ? model.applyInSteps(delta) : model.replaceInSteps(await next.image());
    await new Slices().run(steps);
    this.#revision = next.revision;
    const touched = model.touched();
    if (touched.some(([, { upstream }]) => isChecked(upstream))) this.#tools ??= await this.#load();
    const whole = model.wantCertificates() ? await next.image() : null;
    if (whole !== null) await new Slices().run(model.certificatesInSteps(whole));
    if (!this.#closed) await new Slices().run(this.#watchInSteps(touched));
  }

  *#watchInSteps(touched: ReadonlyArray<readonly [string, UpstreamState]>): Generator<void, void> {
    for (const [id, state] of touched) {
      const { upstream, targets } = state;
      if (upstream !== null && isChecked(upstream)) {
        state.watched ??= this.#tools?.watch(id) ?? null;
        state.watched?.update(upstream, [...targets.values()]);
      } else {
        state.watched?.leave();
        state.watched = null;
      }
      if (upstream === null) this.#model.states.delete(id);
      yield;
    }
  }

  async #load(): Promise<Tools> {
    const [{ WatchedUpstream }, { MAX_PROBES, ProbeSlots }, { UpstreamTerms }] = await Promise.all([
      import('./watched-upstream.ts'),
      import('./checker.ts'),
      import('../../proxy/forward/upstream-terms.ts'),
    ]);
    const { writer, log, settings, resolver } = this.#options;
    let current = settings();
    const terms = new UpstreamTerms(current);
    const parts: Omit<WatchParts, 'id'> = {
      writer,
      log,
      resolver,
      slots: new ProbeSlots(MAX_PROBES),
      trust: () => this.#model.trust,
      terms: () => {
        if (settings() !== current) terms.settings = current = settings();
        return terms;
      },
    };
    this.#tick = setInterval(() => this.#onTick(), TICK_MS).unref();
    return { watch: (id) => new WatchedUpstream({ ...parts, id }) };
  }

  #onTick(): void {
    for (const { watched } of this.#model.states.values()) watched?.refresh();
    this.#options.writer.sweep();
  }
}
