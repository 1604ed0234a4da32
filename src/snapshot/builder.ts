/**
 * Images → snapshots, in a worker, beside its traffic.
 *
 * An image may hold 100,000 routes, so it is applied in slices of about a millisecond with the event loop let run
 * between them. The router under construction is an edit of the current one: requests go on with the current
 * snapshot until `prepare` has handed over the next and the caller swaps one reference.
 *
 * `prepare` and `commit` are two steps because the supervisor publishes a revision only when every worker was able
 * to build it. A build that is not committed leaves the builder's maps ahead of the served snapshot; it then takes
 * nothing but a whole image next (`StaleBase`), which is simpler and surer than undoing.
 *
 * A route is compiled together with its service: an image that puts a service puts its routes too, after it.
 */
import type { Route } from '../entities/route.ts';
import { Router, type RouterFlavor } from '../router/router.ts';
import type { HealthZone } from '../zone/health/health-zone.ts';
import { type Image, type ImageRecord, readImage } from './image.ts';
import { StreamRouter } from '../router/stream-router.ts';
import type { PluginInstance } from '../plugins/engine/instance.ts';
import { NO_PLUGINS } from '../plugins/engine/plugin-set.ts';
import { type CreatePlugin, disposeGone, PluginIndex, type RenewPlugin } from './plugin-index.ts';
import { RoutePlaces } from './route-places.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import { NO_SERVICES, ServiceIndex } from './services.ts';
import { EMPTY_HASH, type RouteTarget, type ServiceTarget, type Snapshot } from './snapshot.ts';
import { TrustIndex } from './trust-index.ts';
import { NO_TRUST } from './trust.ts';
import { UpstreamIndex } from './upstream-index.ts';
import { NO_UPSTREAMS } from './upstreams.ts';

/** The delta's base is not what this builder stands on: send the whole image. */
export class StaleBase extends Error {}

export interface BuilderOptions {
  /** Milliseconds of work between two turns of the event loop. */
  readonly sliceMs?: number;
  /** Workers begin their rotations at different places by it. */
  readonly workerId?: number;
  /** Where workers know of targets what all of them know; one of its own unless said. */
  readonly targets?: TargetZone;
  /** Where the health of targets is; null: nowhere. */
  readonly health?: HealthZone | null;
  /** Without it there are no plugins. */
  readonly createPlugin?: CreatePlugin;
}

const SLICE_MS = 1;
/** Targets that a builder without a node around it has room for. */
const STANDALONE_TARGETS = 1024;

export class SnapshotBuilder {
  #current: Snapshot;
  #flavor: RouterFlavor;
  #services = new ServiceIndex();
  #upstreams: UpstreamIndex;
  #trust = new TrustIndex();
  #plugins: PluginIndex;
  #broken = new Map<string, string>();
  #prepared: Snapshot | null = null;
  /** The maps stand on the served snapshot. */
  #clean = true;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #sliceMs: number;
  readonly #workerId: number;
  readonly #targets: TargetZone;
  readonly #health: HealthZone | null;
  readonly #createPlugin: CreatePlugin;

  constructor(flavor: RouterFlavor, options: BuilderOptions = {}) {
    this.#flavor = flavor;
    this.#sliceMs = options.sliceMs ?? SLICE_MS;
    this.#workerId = options.workerId ?? 0;
    this.#targets = options.targets ?? TargetZone.standalone(STANDALONE_TARGETS);
    this.#health = options.health ?? null;
    this.#upstreams = new UpstreamIndex(this.#health);
    this.#createPlugin = options.createPlugin ?? noPlugin;
    this.#plugins = new PluginIndex(this.#createPlugin);
    this.#current = {
      revision: 0,
      hash: EMPTY_HASH,
      ...emptyRouters(flavor),
      upstreams: NO_UPSTREAMS,
      services: NO_SERVICES,
      trust: NO_TRUST,
      plugins: NO_PLUGINS,
    };
  }

  get current(): Snapshot {
    return this.#current;
  }

  /** Why routes of the last build are broken, by route id. */
  get broken(): ReadonlyMap<string, string> {
    return this.#broken;
  }

  /**
   * Builds the image's snapshot; builds run one after the other.
   * @throws StaleBase when a delta does not start from the served revision; Error when the image cannot be built.
   */
  prepare(image: SharedArrayBuffer, flavor: RouterFlavor): Promise<Snapshot> {
    return this.#next(() => this.#build(readImage(image), flavor));
  }

  /** Makes the snapshot that `prepare` answered the current one. */
  commit(snapshot: Snapshot): void {
    if (snapshot !== this.#prepared) throw new StaleBase(`revision ${snapshot.revision} was overtaken`);
    snapshot.upstreams.open(this.#targets, this.#current.upstreams);
    disposeGone(this.#current.plugins, snapshot.plugins);
    this.#current = snapshot;
    this.#prepared = null;
    this.#clean = true;
  }

  /** Instances of these plugins made anew, by other code; `replacePlugins` serves them. */
  renewPlugins(wanted: ReadonlySet<string>, create: RenewPlugin): Promise<Map<string, PluginInstance>> {
    return this.#next(() => this.#plugins.renew(wanted, create));
  }

  /** The current snapshot with other instances. A build that is not committed yet has to be made again. */
  replacePlugins(renewed: ReadonlyMap<string, PluginInstance>): Promise<Snapshot> {
    return this.#next(async () => {
      const { plugins, trust } = this.#current;
      const current = { ...this.#current, plugins: await this.#plugins.replace(plugins, renewed, trust) };
      disposeGone(plugins, current.plugins);
      if (this.#prepared !== null) this.#clean = false;
      this.#current = current;
      this.#discard();
      return current;
    });
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(step);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #build(image: Image, flavor: RouterFlavor): Promise<Snapshot> {
    const full = image.baseRevision === null;
    if (!full && !this.#isBase(image.baseRevision, flavor)) {
      throw new StaleBase(`revision ${image.revision} is a delta on ${String(image.baseRevision)}`);
    }
    this.#clean = false;
    this.#discard();
    if (full) this.#reset(flavor);
    const places = new RoutePlaces(full ? emptyRouters(flavor) : this.#current, this.#broken);
    const records = image.records();
    await this.#inSlices(() => {
      const { done, value } = records.next();
      if (done === true) return true;
      this.#apply(value, places);
      return null;
    });
    const router = await this.#finish(places.requests.commitInSteps());
    const streams = places.streams.commit();
    const served = full ? NO_UPSTREAMS : this.#current.upstreams;
    const start = startOf(this.#workerId, image.revision);
    const upstreams = await this.#finish(this.#upstreams.commitInSteps(served, start));
    const services = await this.#finish(
      this.#services.commitInSteps(full ? NO_SERVICES : this.#current.services),
    );
    const trust = await this.#finish(this.#trust.commitInSteps(full ? NO_TRUST : this.#current.trust));
    const plugins = await this.#plugins.commit(full ? NO_PLUGINS : this.#current.plugins, trust);
    const snapshot = {
      revision: image.revision,
      hash: image.hash,
      router,
      streams,
      upstreams,
      services,
      trust,
      plugins,
    };
    this.#prepared = snapshot;
    return snapshot;
  }

  /** What was prepared is overtaken: nobody will serve it. */
  #discard(): void {
    if (this.#prepared !== null) disposeGone(this.#prepared.plugins, this.#current.plugins);
    this.#prepared = null;
  }

  #isBase(revision: number | null, flavor: RouterFlavor): boolean {
    return this.#clean && revision === this.#current.revision && flavor === this.#flavor;
  }

  #reset(flavor: RouterFlavor): void {
    this.#flavor = flavor;
    this.#services = new ServiceIndex();
    this.#upstreams = new UpstreamIndex(this.#health);
    this.#trust = new TrustIndex();
    this.#plugins = new PluginIndex(this.#createPlugin);
    this.#broken = new Map();
  }

  async #finish<R>(steps: Generator<unknown, R & {}>): Promise<R> {
    return this.#inSlices(() => {
      const { done, value } = steps.next();
      return done === true ? value : null;
    });
  }

  /** Takes steps until one has an answer, in slices; the first one starts after a turn of the event loop. */
  async #inSlices<R>(step: () => R | null): Promise<R> {
    for (;;) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      const end = performance.now() + this.#sliceMs;
      do {
        const answer = step();
        if (answer !== null) return answer;
      } while (performance.now() < end);
    }
  }

  #apply(record: ImageRecord, places: RoutePlaces): void {
    if (record.op === 'remove') return this.#remove(record, places);
    switch (record.kind) {
      case 'routes':
        return places.put(record.entity, this.#serviceOf(record.entity));
      case 'services':
        return this.#services.put(record.entity);
      case 'targets':
        return this.#upstreams.putTarget(record.entity);
      case 'upstreams':
        return this.#upstreams.putUpstream(record.entity);
      case 'certificates':
        return this.#trust.putCertificate(record.entity);
      case 'ca_certificates':
        return this.#trust.putAuthority(record.entity);
      case 'snis':
        return this.#trust.putSni(record.entity);
      case 'key_sets':
        return this.#trust.putKeySet(record.entity);
      case 'keys':
        return this.#trust.putKey(record.entity);
      case 'vaults':
        return this.#trust.putVault(record.entity);
      case 'plugins':
        return this.#plugins.put(record.entity);
    }
  }

  #serviceOf({ service }: Route): ServiceTarget | undefined {
    return service === null ? undefined : this.#services.get(service.id);
  }

  #remove({ kind, id }: ImageRecord & { op: 'remove' }, places: RoutePlaces): void {
    if (kind === 'routes') places.remove(id);
    else if (kind === 'services') this.#services.remove(id);
    else if (kind === 'targets') this.#upstreams.removeTarget(id);
    else if (kind === 'upstreams') this.#upstreams.removeUpstream(id);
    else if (kind === 'plugins') this.#plugins.remove(id);
    else this.#trust.remove(id);
  }
}

function noPlugin(): never {
  throw new Error('this builder makes no plugins');
}

/**
 * Where a worker's rotations begin, 0 to 1: spread over the workers (multiples of the golden ratio lie far from each
 * other), and another place with each revision, so that frequent changes do not favour the first targets.
 */
function startOf(workerId: number, revision: number): number {
  return (workerId * 0.6180339887498949 + revision * 0.7548776662466927) % 1;
}

function emptyRouters(flavor: RouterFlavor): Pick<Snapshot, 'router' | 'streams'> {
  return { router: Router.empty<RouteTarget>(flavor), streams: StreamRouter.empty<RouteTarget>(flavor) };
}
