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
 */
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import { Router, type RouterEdit, type RouterFlavor } from '../router/router.ts';
import { type Image, type ImageRecord, readImage } from './image.ts';
import { compileRoute, compileService, placeholderRoute, protocolMask } from './route-target.ts';
import { EMPTY_HASH, type RouteTarget, type ServiceTarget, type Snapshot } from './snapshot.ts';

/** The delta's base is not what this builder stands on: send the whole image. */
export class StaleBase extends Error {}

export interface BuilderOptions {
  /** Milliseconds of work between two turns of the event loop. */
  readonly sliceMs?: number;
}

const SLICE_MS = 1;

/** One build: the edit of the router and the routes that it has put so far. */
interface Build {
  readonly edit: RouterEdit<RouteTarget>;
  readonly flavor: RouterFlavor;
  readonly put: Set<string>;
  /** Services that were put or removed: routes that refer to them are compiled again. */
  readonly services: Set<string>;
}

export class SnapshotBuilder {
  #current: Snapshot;
  #flavor: RouterFlavor;
  #services = new Map<string, ServiceTarget>();
  /** Every route of the configuration, also those of disabled services that the router does not hold. */
  #routes = new Map<string, Route>();
  #broken = new Map<string, string>();
  #prepared: Snapshot | null = null;
  /** The maps stand on the served snapshot. */
  #clean = true;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #sliceMs: number;

  constructor(flavor: RouterFlavor, options: BuilderOptions = {}) {
    this.#flavor = flavor;
    this.#sliceMs = options.sliceMs ?? SLICE_MS;
    this.#current = { revision: 0, hash: EMPTY_HASH, router: Router.empty<RouteTarget>(flavor) };
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
    const build = this.#queue.then(() => this.#build(readImage(image), flavor));
    this.#queue = build.catch(() => undefined);
    return build;
  }

  /** Makes the snapshot that `prepare` answered the current one. */
  commit(snapshot: Snapshot): void {
    if (snapshot !== this.#prepared) throw new StaleBase(`revision ${snapshot.revision} was overtaken`);
    this.#current = snapshot;
    this.#prepared = null;
    this.#clean = true;
  }

  async #build(image: Image, flavor: RouterFlavor): Promise<Snapshot> {
    const full = image.baseRevision === null;
    if (!full && !this.#isBase(image.baseRevision, flavor)) {
      throw new StaleBase(`revision ${image.revision} is a delta on ${String(image.baseRevision)}`);
    }
    this.#clean = false;
    this.#prepared = null;
    if (full) this.#reset(flavor);
    const router = full ? Router.empty<RouteTarget>(flavor) : this.#current.router;
    const build: Build = { edit: router.edit(), flavor, put: new Set(), services: new Set() };
    await this.#run(this.#steps(image, build));
    const snapshot = { revision: image.revision, hash: image.hash, router: build.edit.commit() };
    this.#prepared = snapshot;
    return snapshot;
  }

  #isBase(revision: number | null, flavor: RouterFlavor): boolean {
    return this.#clean && revision === this.#current.revision && flavor === this.#flavor;
  }

  #reset(flavor: RouterFlavor): void {
    this.#flavor = flavor;
    this.#services = new Map();
    this.#routes = new Map();
    this.#broken = new Map();
  }

  /** Runs the steps in slices; the first slice starts after one turn of the event loop. */
  async #run(steps: Iterator<void>): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      const end = performance.now() + this.#sliceMs;
      do {
        if (steps.next().done === true) return;
      } while (performance.now() < end);
    }
  }

  *#steps(image: Image, build: Build): Generator<void> {
    for (const record of image.records()) {
      this.#apply(record, build);
      yield;
    }
    if (image.baseRevision === null || build.services.size === 0) return;
    for (const route of this.#routes.values()) {
      const mustFollow = route.service !== null && build.services.has(route.service.id);
      if (mustFollow && !build.put.has(route.id)) this.#place(route, build);
      yield;
    }
  }

  #apply(record: ImageRecord, build: Build): void {
    if (record.op === 'remove') {
      if (record.kind === 'service') {
        this.#services.delete(record.id);
        build.services.add(record.id);
      } else {
        this.#routes.delete(record.id);
        this.#broken.delete(record.id);
        build.edit.remove(record.id);
      }
    } else if (record.kind === 'service') {
      this.#putService(record.entity, build);
    } else {
      this.#routes.set(record.entity.id, record.entity);
      build.put.add(record.entity.id);
      this.#place(record.entity, build);
    }
  }

  #putService(service: Service, build: Build): void {
    this.#services.set(service.id, compileService(service));
    build.services.add(service.id);
  }

  /** Puts the route into the router as it is now, or takes it out when its service is disabled. */
  #place(route: Route, build: Build): void {
    const service = route.service === null ? undefined : this.#services.get(route.service.id);
    this.#broken.delete(route.id);
    if (service?.entity.enabled === false || protocolMask(route.protocols) === 0) {
      build.edit.remove(route.id);
      return;
    }
    const target = compileRoute(route, service, build.flavor === 'traditional');
    if (target.broken !== null) this.#broken.set(route.id, target.broken);
    try {
      build.edit.put(route, target);
    } catch (error) {
      const broken = error instanceof Error ? error.message : String(error);
      this.#broken.set(route.id, broken);
      build.edit.put(placeholderRoute(route), { ...target, broken });
    }
  }
}
