/**
 * The services of a snapshot by id and by name: routes have theirs at hand, and a plugin may send a request to another one.
 *
 * A change of services copies two maps, in steps beside the traffic; a change of anything else copies nothing.
 */
import type { Service } from '../entities/service.ts';
import { compileService } from './route-target.ts';
import type { ServiceTarget } from './snapshot.ts';

/** Entries that one step copies. */
const STEP = 500;

type ServiceMap = ReadonlyMap<string, ServiceTarget>;

export class Services {
  readonly #byId: ServiceMap;
  readonly #byName: ServiceMap;

  constructor(byId: ServiceMap, byName: ServiceMap) {
    this.#byId = byId;
    this.#byName = byName;
  }

  /** An id goes before a name. Null: there is none, or it is disabled. */
  find(nameOrId: string): ServiceTarget | null {
    const service = this.#byId.get(nameOrId) ?? this.#byName.get(nameOrId);
    return service !== undefined && service.entity.enabled ? service : null;
  }
}

export const NO_SERVICES = new Services(new Map(), new Map());

/** Services as the builder knows them, and the `Services` that come of them. */
export class ServiceIndex {
  readonly #services = new Map<string, ServiceTarget>();
  #touched = false;

  put(entity: Service): void {
    this.#services.set(entity.id, compileService(entity));
    this.#touched = true;
  }

  remove(id: string): void {
    this.#services.delete(id);
    this.#touched = true;
  }

  get(id: string): ServiceTarget | undefined {
    return this.#services.get(id);
  }

  /** What is served with all that was put and removed since the last call; `served` itself when that was nothing. */
  *commitInSteps(served: Services): Generator<void, Services> {
    if (!this.#touched) return served;
    const byId = new Map<string, ServiceTarget>();
    const byName = new Map<string, ServiceTarget>();
    for (const service of this.#services.values()) {
      byId.set(service.id, service);
      if (service.name !== null) byName.set(service.name, service);
      if (byId.size % STEP === 0) yield;
    }
    this.#touched = false;
    return new Services(byId, byName);
  }
}
