/**
 * The compiled configuration as immutable bytes in one SharedArrayBuffer.
 *
 * The compiler thread encodes; main and the workers read the same memory, so a configuration is never copied between
 * threads. A worker decodes one small record per `next()` and so chooses how long it works before requests run.
 *
 * Layout: 8 bytes (magic, length of the head), the head as JSON, padding to 8, the index, the record texts.
 * A row of the index is two doubles (created_at, updated_at) and four 32-bit words (offset and length of the text,
 * row of the route's service, unused). A record's text is the entity as JSON with its id first and without
 * the two timestamps: those stand in the index because a file that does not say them gets its load time, and an
 * entity whose text is unchanged must not count as changed at each reload. It keeps its first timestamps then.
 */
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';

export interface ImageMeta {
  readonly revision: number;
  /** MD5 of the configuration's text, 32 hex digits. */
  readonly hash: string;
}

export type ImageRecord =
  | { readonly op: 'put'; readonly kind: 'service'; readonly entity: Service }
  | { readonly op: 'put'; readonly kind: 'route'; readonly entity: Route }
  | { readonly op: 'remove'; readonly kind: 'service' | 'route'; readonly id: string };

export interface Image {
  readonly revision: number;
  /** Null: a whole configuration. A number: a delta that applies to that revision alone. */
  readonly baseRevision: number | null;
  readonly hash: string;
  /** Number of records. */
  readonly length: number;
  /** Removals first (routes, then services), then services, then routes; a record is decoded when it is asked for. */
  records(): Generator<ImageRecord>;
}

interface Head extends ImageMeta {
  readonly baseRevision: number | null;
  readonly removedRoutes: number;
  readonly removedServices: number;
  readonly services: number;
  readonly routes: number;
}

/** A record on its way into an image. Texts are shared with the image they come from when they are bytes. */
interface Row {
  readonly text: string | Buffer;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Row of the route's service among the services of the same image. */
  readonly serviceRow: number;
}

interface Rows {
  readonly removedRoutes: readonly Row[];
  readonly removedServices: readonly Row[];
  readonly services: readonly Row[];
  readonly routes: readonly Row[];
}

const MAGIC = 0x536c7569;
const ROW_SIZE = 32;
const NO_SERVICE = 0xffffffff;

export function encodeImage(
  config: { readonly services: readonly Service[]; readonly routes: readonly Route[] },
  meta: ImageMeta,
): SharedArrayBuffer {
  const serviceRows = new Map<string, number>();
  const services = config.services.map((service, row) => {
    serviceRows.set(service.id, row);
    return rowOf(service, NO_SERVICE);
  });
  const routes = config.routes.map((route) => {
    const row = route.service === null ? NO_SERVICE : serviceRows.get(route.service.id);
    if (row === undefined)
      throw new Error(`route ${route.id} refers to a service that is not in the configuration`);
    return rowOf(route, row);
  });
  return write({ ...meta, baseRevision: null }, { removedRoutes: [], removedServices: [], services, routes });
}

/**
 * What leads from `old` to `next`, both whole configurations. A null `old` gives `next` itself.
 * A changed service puts its routes again, because workers compile a route together with its service.
 */
export function diffImages(old: SharedArrayBuffer | null, next: SharedArrayBuffer): SharedArrayBuffer {
  if (old === null) return next;
  const before = new ImageView(old);
  const after = new ImageView(next);
  if (before.head.baseRevision !== null || after.head.baseRevision !== null) {
    throw new Error('a delta image cannot be compared: only whole configurations');
  }
  const services = compare(before, after, 'services');
  const routes = compare(before, after, 'routes');
  if (services.put.size > 0) {
    const first = after.first('routes');
    for (let row = first; row < first + after.head.routes; row++) {
      if (services.put.has(after.serviceRow(row))) routes.put.add(row);
    }
  }
  const meta = {
    revision: after.head.revision,
    hash: after.head.hash,
    baseRevision: before.head.revision,
  };
  return write(meta, {
    removedRoutes: routes.removed.map(removalOf),
    removedServices: services.removed.map(removalOf),
    services: [...services.put].sort((a, b) => a - b).map((row) => after.row(row)),
    routes: [...routes.put].sort((a, b) => a - b).map((row) => after.row(row)),
  });
}

/** Throws when the bytes are not an image. */
export function readImage(image: SharedArrayBuffer): Image {
  const view = new ImageView(image);
  const { revision, baseRevision, hash } = view.head;
  return { revision, baseRevision, hash, length: view.length, records: () => view.records() };
}

function rowOf(entity: Service | Route, serviceRow: number): Row {
  let text = JSON.stringify({ ...entity, created_at: undefined, updated_at: undefined });
  if (!text.startsWith('{"id":')) {
    const { id, created_at: _, updated_at: __, ...rest } = entity;
    text = JSON.stringify({ id, ...rest });
  }
  return { text, createdAt: entity.created_at, updatedAt: entity.updated_at, serviceRow };
}

function removalOf(id: string): Row {
  return { text: JSON.stringify({ id }), createdAt: 0, updatedAt: 0, serviceRow: NO_SERVICE };
}

/** Rows of `after` that are new or different, and ids that only `before` has. */
function compare(
  before: ImageView,
  after: ImageView,
  kind: 'services' | 'routes',
): { put: Set<number>; removed: string[] } {
  const known = new Map<string, number>();
  const firstBefore = before.first(kind);
  for (let row = firstBefore; row < firstBefore + before.head[kind]; row++) known.set(before.id(row), row);
  const put = new Set<number>();
  const firstAfter = after.first(kind);
  for (let row = firstAfter; row < firstAfter + after.head[kind]; row++) {
    const id = after.id(row);
    const old = known.get(id);
    if (old === undefined) {
      put.add(row);
      continue;
    }
    known.delete(id);
    if (before.saidCreatedAt(old) !== after.saidCreatedAt(row) || !before.text(old).equals(after.text(row))) {
      put.add(row);
    }
  }
  return { put, removed: [...known.keys()] };
}

function write(meta: ImageMeta & { readonly baseRevision: number | null }, rows: Rows): SharedArrayBuffer {
  const head: Head = {
    revision: meta.revision,
    hash: meta.hash,
    baseRevision: meta.baseRevision,
    removedRoutes: rows.removedRoutes.length,
    removedServices: rows.removedServices.length,
    services: rows.services.length,
    routes: rows.routes.length,
  };
  const headText = JSON.stringify(head);
  const all = [...rows.removedRoutes, ...rows.removedServices, ...rows.services, ...rows.routes];
  const indexAt = align(8 + Buffer.byteLength(headText));
  let size = indexAt + all.length * ROW_SIZE;
  for (const row of all) size += typeof row.text === 'string' ? Buffer.byteLength(row.text) : row.text.length;
  const image = new SharedArrayBuffer(size);
  const bytes = Buffer.from(image);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.write(headText, 8), 4);
  let at = indexAt + all.length * ROW_SIZE;
  let indexRow = indexAt;
  for (const row of all) {
    const length = typeof row.text === 'string' ? bytes.write(row.text, at) : row.text.copy(bytes, at);
    bytes.writeDoubleLE(row.createdAt, indexRow);
    bytes.writeDoubleLE(row.updatedAt, indexRow + 8);
    bytes.writeUInt32LE(at, indexRow + 16);
    bytes.writeUInt32LE(length, indexRow + 20);
    bytes.writeUInt32LE(row.serviceRow, indexRow + 24);
    at += length;
    indexRow += ROW_SIZE;
  }
  return image;
}

function align(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

class ImageView {
  readonly head: Head;
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #indexAt: number;

  constructor(image: SharedArrayBuffer) {
    const bytes = Buffer.from(image);
    if (bytes.length < 8 || bytes.readUInt32LE(0) !== MAGIC) throw new Error('not a configuration image');
    const headLength = bytes.readUInt32LE(4);
    this.#bytes = bytes;
    this.#indexAt = align(8 + headLength);
    this.head = JSON.parse(bytes.toString('utf8', 8, 8 + headLength)) as Head;
    const { removedRoutes, removedServices, services, routes } = this.head;
    this.length = removedRoutes + removedServices + services + routes;
  }

  /** The first row of a kind. */
  first(kind: 'services' | 'routes'): number {
    const services = this.head.removedRoutes + this.head.removedServices;
    return kind === 'services' ? services : services + this.head.services;
  }

  text(row: number): Buffer {
    const at = this.#bytes.readUInt32LE(this.#at(row) + 16);
    return this.#bytes.subarray(at, at + this.#bytes.readUInt32LE(this.#at(row) + 20));
  }

  /** The text begins `{"id":"…"`; ids have no character that JSON escapes. */
  id(row: number): string {
    const from = this.#bytes.readUInt32LE(this.#at(row) + 16) + 7;
    return this.#bytes.toString('latin1', from, this.#bytes.indexOf(0x22, from));
  }

  serviceRow(row: number): number {
    return this.#bytes.readUInt32LE(this.#at(row) + 24);
  }

  /** The creation time when the file said one, else null: a load time sets both timestamps alike. */
  saidCreatedAt(row: number): number | null {
    const { createdAt, updatedAt } = this.row(row);
    return createdAt === updatedAt ? null : createdAt;
  }

  row(row: number): Row {
    const at = this.#at(row);
    return {
      text: this.text(row),
      createdAt: this.#bytes.readDoubleLE(at),
      updatedAt: this.#bytes.readDoubleLE(at + 8),
      serviceRow: NO_SERVICE,
    };
  }

  *records(): Generator<ImageRecord> {
    const { removedRoutes, removedServices, services, routes } = this.head;
    let row = 0;
    for (let n = 0; n < removedRoutes; n++) yield { op: 'remove', kind: 'route', id: this.id(row++) };
    for (let n = 0; n < removedServices; n++) yield { op: 'remove', kind: 'service', id: this.id(row++) };
    for (let n = 0; n < services; n++) {
      yield { op: 'put', kind: 'service', entity: this.#entity(row++) as Service };
    }
    for (let n = 0; n < routes; n++) yield { op: 'put', kind: 'route', entity: this.#entity(row++) as Route };
  }

  #entity(row: number): unknown {
    const { text, createdAt, updatedAt } = this.row(row);
    const entity = JSON.parse(text.toString()) as { created_at: number; updated_at: number };
    entity.created_at = createdAt;
    entity.updated_at = updatedAt;
    return entity;
  }

  #at(row: number): number {
    return this.#indexAt + row * ROW_SIZE;
  }
}
