/**
 * Brings the node's directory (zone/directory) to what is served next: from the image of a declarative configuration, or
 * from a store, of which it follows the log.
 *
 * It runs in slices on the main thread. Whoever publishes a revision waits for it before workers are told to serve that
 * revision, so that what is announced as live is live with its credentials; one publication at a time sees to it that
 * nothing else writes.
 */
import { DIRECTORY_KINDS } from '../entities/directory-kinds.ts';
import { asDescribed, fromKinds, pluginKinds } from '../entities/plugin-entities.ts';
import { layoutOf, PLUGIN_ROWS, rowId, rowOf } from '../entities/plugin-rows.ts';
import type { Values } from '../entities/schema/field.ts';
import type { Steps } from '../lib/steps.ts';
import { readImage } from '../snapshot/image.ts';
import type { CatalogReader, Touched } from '../store/catalog/reader.ts';
import { withExpiries } from '../store/file/expiry.ts';
import { Slices } from '../store/slices.ts';
import type { DirectoryWriter } from '../zone/directory/writer.ts';

/** Kinds of the gateway and of plugins, parents before children. */
const kinds = fromKinds((): readonly string[] => [
  ...DIRECTORY_KINDS.map(({ name }) => name).filter((name) => name !== PLUGIN_ROWS),
  ...pluginKinds().keys(),
]);
const ROWS: ReadonlySet<string> = new Set(DIRECTORY_KINDS.map(({ name }) => name));
/** Rows of a store read at once: no longer than a slice. */
const PAGE = 200;
/** When more was touched, all is compared. */
const MAX_TOUCHED = 50_000;

const rowLayout = fromKinds(() => JSON.stringify([...pluginKinds().values()].map(layoutOf)));

interface Found {
  readonly kind: string;
  readonly entity: Values;
}

export class DirectoryKeeper {
  readonly #writer: DirectoryWriter;
  /** What it holds of a store; null: nothing, or a mixture. */
  #revision: number | null = null;
  /** How rows of plugins' entities were made. */
  #layout = '';

  constructor(writer: DirectoryWriter) {
    this.#writer = writer;
  }

  /**
   * Everything of a declarative configuration.
   * @param served what to go back to when there is no memory for it; null: nothing.
   * @throws DirectoryFull, RowTooLarge
   */
  async fromImage(next: SharedArrayBuffer, served: SharedArrayBuffer | null): Promise<void> {
    try {
      const layout = rowLayout();
      await this.#replace(imageEntities(next));
      this.#layout = layout;
    } catch (error) {
      // As far as memory allows: what was served goes on being served.
      await this.#replace(served === null ? [] : imageEntities(served)).catch(() => undefined);
      throw error;
    }
  }

  /** What the store holds now, or what has come since the last time. @throws DirectoryFull, RowTooLarge */
  async follow(reader: CatalogReader): Promise<void> {
    const since = this.#revision;
    const { revision } = reader;
    const layout = rowLayout();
    const known = since !== null && since >= reader.oldest && layout === this.#layout;
    const touched = known ? await new Slices().run(touchedSince(reader, since)) : null;
    if (touched !== null) {
      await new Slices().run(this.#update(reader, touched));
    } else {
      this.#revision = null;
      await this.#replace(storeEntities(reader));
    }
    this.#revision = revision;
    this.#layout = layout;
  }

  /** Would the rows of plugins' entities be made otherwise now? */
  get outdated(): boolean {
    return rowLayout() !== this.#layout;
  }

  async #replace(entities: Iterable<Found>): Promise<void> {
    await new Slices().run(this.#writer.replace(placed(entities)));
  }

  /** What is gone goes first: it needs no memory, and revoking matters more than adding. */
  *#update(reader: CatalogReader, touched: Iterable<Touched>): Generator<void> {
    const left: Found[] = [];
    for (const { kind, id } of touched) {
      const entity = reader.stored(kind, id);
      if (entity !== null) left.push({ kind, entity });
      else if (pluginKinds().has(kind)) this.#writer.remove(PLUGIN_ROWS, rowId(kind, id));
      else this.#writer.remove(kind, id);
      yield;
    }
    for (const { kind, entity } of placed(left)) {
      this.#writer.put(kind, entity);
      yield;
    }
  }
}

/** Each entity once; null when there are too many. */
function* touchedSince(reader: CatalogReader, revision: number): Steps<Iterable<Touched> | null> {
  const touched = new Map<string, Touched>();
  for (const page of reader.touchedSince(revision, kinds())) {
    for (const one of page) touched.set(`${one.kind}/${one.id}`, one);
    if (touched.size > MAX_TOUCHED) return null;
    yield;
  }
  return touched.values();
}

function* storeEntities(reader: CatalogReader): Generator<Found> {
  for (const kind of kinds()) {
    for (let after: string | null = null; ;) {
      const page: readonly Values[] = reader.storedPage(kind, after, PAGE);
      for (const entity of page) yield { kind, entity };
      if (page.length < PAGE) break;
      after = String(page.at(-1)?.['id']);
    }
  }
}

function imageEntities(image: SharedArrayBuffer): Iterable<Found> {
  return withExpiries(readImage(image).entities(new Set(kinds())));
}

/** As rows of the directory. Entities of a plugin that is gone meanwhile have none. */
function* placed(entities: Iterable<Found>): Generator<Found> {
  const own = pluginKinds();
  for (const found of entities) {
    const kind = own.get(found.kind);
    if (kind !== undefined) {
      yield { kind: PLUGIN_ROWS, entity: rowOf(kind, asDescribed(found.kind, found.entity)) };
    } else if (ROWS.has(found.kind)) yield found;
  }
}
