/**
 * The store of a gateway without a database: it shows the configuration that is served and refuses writes.
 *
 * Its catalog is a temporary file, filled when somebody first asks for entities after a change: a reload of 100,000
 * routes that nobody looks at costs nothing here.
 */
import { kindsGeneration } from '../entities/plugin-entities.ts';
import type { Values } from '../entities/schema/field.ts';
import { Catalog, removeCatalog } from './catalog/catalog.ts';
import type { CatalogReader } from './catalog/reader.ts';
import type { Committed, ConfigStore, Write } from './config-store.ts';
import { unsupported } from './errors.ts';
import { Slices } from './slices.ts';

/** A configuration as it is served. */
export interface ServedConfiguration {
  readonly revision: number;
  /** As they are kept, times to live as ends. Parents before children is not needed. */
  entities(): Iterable<{ readonly kind: string; readonly entity: Values }>;
}

const VERBS = { create: 'create', put: 'create or update', patch: 'update', delete: 'remove' } as const;

export class FileStore implements ConfigStore {
  readonly writable = false;
  readonly oldest = 0;
  readonly #path: string;
  readonly #served: () => ServedConfiguration;
  #catalog: Catalog | null = null;
  #filled: string | null = null;
  #filling: Promise<void> | null = null;

  /** @param path of the temporary file. */
  constructor(path: string, served: () => ServedConfiguration) {
    this.#path = path;
    this.#served = served;
    removeCatalog(path);
  }

  get revision(): number {
    return this.#served().revision;
  }

  async refresh(): Promise<void> {
    while (this.#filled !== stateOf(this.#served())) {
      this.#filling ??= this.#fill(this.#served()).finally(() => {
        this.#filling = null;
      });
      await this.#filling;
    }
  }

  get: ConfigStore['get'] = (kind, select) => this.#reader().get(kind, select);
  page: ConfigStore['page'] = (kind, options) => this.#reader().page(kind, options);
  newest: ConfigStore['newest'] = (kind, options) => this.#reader().newest(kind, options);
  all: ConfigStore['all'] = (kind) => this.#reader().all(kind);
  count: ConfigStore['count'] = (kind) => this.#reader().count(kind);
  tags: ConfigStore['tags'] = (options) => this.#reader().tags(options);
  revisions: ConfigStore['revisions'] = () => [];
  describe: ConfigStore['describe'] = () => null;
  changes: ConfigStore['changes'] = () => null;

  /** @throws StoreError, code 12, for the first write. */
  async commit(writes: Iterable<Write> | AsyncIterable<Write>): Promise<Committed> {
    for await (const { op, kind } of writes) throw unsupported(VERBS[op], kind);
    return { revision: this.revision, results: [] };
  }

  restore(): Promise<Committed> {
    return Promise.reject(unsupported('restore', 'revisions'));
  }

  onCommit(): () => void {
    return () => undefined;
  }

  close(): void {
    this.#catalog?.close();
    this.#catalog = null;
    removeCatalog(this.#path);
  }

  #reader(): CatalogReader {
    if (this.#catalog === null) throw new Error('refresh comes before reads');
    return this.#catalog.reader;
  }

  async #fill(served: ServedConfiguration): Promise<void> {
    this.#catalog ??= new Catalog({ path: this.#path, durable: false });
    const state = stateOf(served);
    const tx = this.#catalog.begin();
    try {
      tx.clear();
      const slices = new Slices();
      for (const { kind, entity } of served.entities()) {
        await slices.run(tx.loadInSteps([{ kind, id: String(entity['id']), text: JSON.stringify(entity) }]));
      }
      tx.commitState(served.revision);
      this.#filled = state;
    } catch (error) {
      tx.rollback();
      throw error;
    }
  }
}

/** Entities of plugins are indexed by what the plugins of now say. */
function stateOf({ revision }: ServedConfiguration): string {
  return `${revision} ${kindsGeneration()}`;
}
