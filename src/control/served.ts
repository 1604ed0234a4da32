/**
 * What the workers serve, and what is next from it: the job for a compiler, and the publication for the supervisor. It is
 * either compiled from a declarative file, or a revision of a store.
 */
import type { RouterFlavor } from '../router/router.ts';
import type { PluginBundle } from '../plugins/users/live.ts';
import type { Settings } from '../settings/settings.ts';
import { EMPTY_HASH } from '../snapshot/snapshot.ts';
import type { CompileJob, Compiled, ConfigSource } from './compile-job.ts';
import { configuredSource } from './configured-source.ts';
import type { DirectoryKeeper } from './directory-keeper.ts';
import type { Publication } from './publisher.ts';

/** A configuration as it is served. */
export interface Loaded {
  readonly revision: number;
  readonly hash: string;
  readonly image: SharedArrayBuffer | null;
  readonly flavor: RouterFlavor;
  /** Of the users' plugins that it was compiled with. */
  readonly generation: number;
}

/** A revision of a store on its way to the workers. */
export type StoreRevision = Pick<Publication, 'revision' | 'image' | 'delta' | 'fill'>;

/** Of a change that came over the Admin API. */
export interface ApiOptions {
  readonly flattenErrors: boolean;
}

export class Served {
  /** What is served of a store; null without one. */
  store: StoreRevision | null = null;
  readonly #directory: DirectoryKeeper;
  #loaded: Loaded;

  constructor(directory: DirectoryKeeper, { router_flavor: flavor }: Settings) {
    this.#directory = directory;
    this.#loaded = { revision: 0, hash: EMPTY_HASH, image: null, flavor, generation: 0 };
  }

  get loaded(): Loaded {
    return this.#loaded;
  }

  /** @param api null: nobody waits for the entities. */
  job(
    source: ConfigSource,
    settings: Settings,
    { api, plugins }: { readonly api: ApiOptions | null; readonly plugins: PluginBundle },
  ): CompileJob {
    const { image, hash, flavor, revision, generation } = this.#loaded;
    return {
      type: 'compile',
      source,
      flavor: settings.router_flavor,
      withoutDatabase: settings.database === 'off',
      revision: revision + 1,
      current: image === null ? null : { image, hash, flavor, generation },
      plugins,
      wantEntities: api !== null,
      flattenErrors: api?.flattenErrors ?? false,
    };
  }

  /** @param compiled null: the settings alone are new. */
  publication(compiled: Compiled | null, settings: Settings): Publication {
    const flavor = settings.router_flavor;
    if (this.store !== null) return { ...this.store, delta: null, flavor, settings };
    const { revision, image } = this.#loaded;
    if (compiled === null || compiled.unchanged) {
      return { revision, flavor, image: imageOf(image), delta: null, fill: null, settings };
    }
    return {
      revision: revision + 1,
      flavor,
      image: imageOf(compiled.image),
      delta: compiled.delta,
      fill: { run: () => this.#directory.fromImage(compiled.image, image), when: 'between' },
      settings,
    };
  }

  /** It is served now. */
  note(revision: number, { image, hash, generation }: Compiled, { router_flavor: flavor }: Settings): void {
    this.#loaded = { revision, image, flavor, hash, generation };
  }

  /** Why these settings cannot be used without a restart; null: they can. */
  restartReason(current: Settings, next: Settings): string | null {
    if (this.store !== null) {
      const changed = next.router_flavor !== current.router_flavor;
      return changed ? 'needs a restart: router_flavor changed' : null;
    }
    const { image, flavor } = this.#loaded;
    const stale = image !== null && next.router_flavor !== flavor;
    return stale && configuredSource(next) === null
      ? 'needs a restart: router_flavor changed and no declarative file is set to compile again'
      : null;
  }
}

function imageOf(image: SharedArrayBuffer | null): () => Promise<SharedArrayBuffer | null> {
  return () => Promise.resolve(image);
}
