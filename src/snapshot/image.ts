/**
 * The compiled configuration as immutable bytes in one SharedArrayBuffer.
 *
 * The compiler thread encodes; main and the workers read the same memory, so a configuration is never copied between
 * threads. A worker decodes one small record per `next()` and so chooses how long it works before requests run.
 *
 * A whole image carries every kind of entity: it is what `GET /config` prints and what a worker that starts is given.
 * Workers decode the kinds that the data plane reads and pass over the others, and a delta holds nothing else. The
 * bytes are described in image-format.ts.
 */
import { DEFINITIONS } from '../entities/registry.ts';
import type { Route } from '../entities/route.ts';
import type { Values } from '../entities/schema/field.ts';
import type { Service } from '../entities/service.ts';
import type { Target } from '../entities/target.ts';
import type { Upstream } from '../entities/upstream.ts';
import {
  type DeltaMeta,
  type ImageMeta,
  ImageView,
  NO_SERVICE,
  type Row,
  type Rows,
  writeImage,
} from './image-format.ts';

interface RuntimeEntities {
  readonly services: Service;
  readonly upstreams: Upstream;
  readonly routes: Route;
  readonly targets: Target;
}

type RuntimeKind = keyof RuntimeEntities;

type Put = {
  readonly [K in RuntimeKind]: { readonly op: 'put'; readonly kind: K; readonly entity: RuntimeEntities[K] };
}[RuntimeKind];

export type ImageRecord = Put | { readonly op: 'remove'; readonly kind: RuntimeKind; readonly id: string };

export interface Image {
  readonly revision: number;
  /** Null: a whole configuration. A number: a delta that applies to that revision alone. */
  readonly baseRevision: number | null;
  readonly hash: string;
  /** Number of records of all kinds. */
  readonly length: number;
  /**
   * Records of the kinds that the data plane reads: removals first, children before parents; then what is put, parents
   * before children. A record is decoded when it is asked for.
   */
  records(): Generator<ImageRecord>;
  /** What is put of all kinds, parents before children, and in the order of the configuration. */
  entities(): Generator<{ readonly kind: string; readonly entity: Values }>;
}

/** Parents before children. */
const ORDER: readonly string[] = DEFINITIONS.map(({ name }) => name);
/** What workers decode. A kind that begins to matter to them gets its line here and in {@link RuntimeEntities}. */
const RUNTIME: ReadonlySet<string> = new Set<RuntimeKind>(['services', 'upstreams', 'routes', 'targets']);

/** @param entities complete entities by kind; kinds without any may be left out. */
export function encodeImage(
  entities: ReadonlyMap<string, Iterable<object>>,
  meta: ImageMeta,
): SharedArrayBuffer {
  const serviceRows = new Map<string, number>();
  const sections = ORDER.map((kind): Rows => {
    const rows: Row[] = [];
    for (const entity of entities.get(kind) ?? []) {
      if (kind === 'services') serviceRows.set((entity as Service).id, rows.length);
      const serviceRow = kind === 'routes' ? serviceRowOf(entity as Route, serviceRows) : NO_SERVICE;
      rows.push(rowOf(entity, serviceRow));
    }
    return { op: 'put', kind, rows };
  });
  return writeImage({ ...meta, baseRevision: null }, sections);
}

export interface Changes {
  /** New and changed entities, complete; with a changed service its routes, too. */
  readonly put: Iterable<{ readonly kind: string; readonly entity: object }>;
  readonly removed: Iterable<{ readonly kind: string; readonly id: string }>;
}

/** What leads from the base revision to this one. Kinds that the data plane does not read are left out. */
export function encodeDelta(
  changes: Changes,
  meta: ImageMeta & { readonly baseRevision: number },
): SharedArrayBuffer {
  const put = new Map<string, Row[]>();
  const removed = new Map<string, Row[]>();
  for (const { kind, entity } of changes.put) {
    if (RUNTIME.has(kind)) listOf(put, kind).push(rowOf(entity, NO_SERVICE));
  }
  for (const { kind, id } of changes.removed) {
    if (RUNTIME.has(kind)) listOf(removed, kind).push(removalOf(id));
  }
  return writeDelta(meta, put, removed);
}

/**
 * What leads from `old` to `next`, both whole configurations. A null `old` gives `next` itself.
 * A changed service puts its routes again, because workers compile a route together with its service. A changed
 * upstream or target puts nothing else: routes find their balancing in the snapshot.
 */
export function diffImages(old: SharedArrayBuffer | null, next: SharedArrayBuffer): SharedArrayBuffer {
  if (old === null) return next;
  const before = new ImageView(old);
  const after = new ImageView(next);
  if (before.meta.baseRevision !== null || after.meta.baseRevision !== null) {
    throw new Error('a delta image cannot be compared: only whole configurations');
  }
  const put = new Map<string, readonly Row[]>();
  const removed = new Map<string, readonly Row[]>();
  let changedServices: ReadonlySet<number> = new Set();
  for (const kind of ORDER) {
    if (!RUNTIME.has(kind)) continue;
    const found = compare(before, after, kind);
    if (kind === 'services') changedServices = found.put;
    if (kind === 'routes') addRoutes(after, changedServices, found.put);
    put.set(
      kind,
      [...found.put].sort((a, b) => a - b).map((row) => after.row(row)),
    );
    removed.set(kind, found.removed.map(removalOf));
  }
  const { revision, hash } = after.meta;
  return writeDelta({ revision, hash, baseRevision: before.meta.revision }, put, removed);
}

/** Throws when the bytes are not an image. */
export function readImage(image: SharedArrayBuffer): Image {
  const view = new ImageView(image);
  const { revision, baseRevision, hash } = view.meta;
  const { length } = view;
  return {
    revision,
    baseRevision,
    hash,
    length,
    records: () => records(view),
    entities: () => entities(view),
  };
}

function* records(view: ImageView): Generator<ImageRecord> {
  for (const { op, kind, first, end } of view.sections) {
    if (!RUNTIME.has(kind)) continue;
    for (let row = first; row < end; row++) {
      if (op === 'remove') yield { op, kind: kind as RuntimeKind, id: view.id(row) };
      else yield { op, kind, entity: view.entity(row) } as unknown as Put;
    }
  }
}

function* entities(view: ImageView): Generator<{ kind: string; entity: Values }> {
  for (const { op, kind, first, end } of view.sections) {
    if (op === 'remove') continue;
    for (let row = first; row < end; row++) yield { kind, entity: view.entity(row) };
  }
}

function serviceRowOf(route: Route, serviceRows: ReadonlyMap<string, number>): number {
  const row = route.service === null ? NO_SERVICE : serviceRows.get(route.service.id);
  if (row === undefined)
    throw new Error(`route ${route.id} refers to a service that is not in the configuration`);
  return row;
}

function rowOf(entity: object, serviceRow: number): Row {
  const { created_at: createdAt, updated_at: updatedAt } = entity as Values;
  let text = JSON.stringify({ ...entity, created_at: undefined, updated_at: undefined });
  if (!text.startsWith('{"id":')) {
    const { id, created_at: _, updated_at: __, ...rest } = entity as Values;
    text = JSON.stringify({ id, ...rest });
  }
  return { text, createdAt: timeOf(createdAt), updatedAt: timeOf(updatedAt), serviceRow };
}

function timeOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}

function removalOf(id: string): Row {
  return { text: JSON.stringify({ id }), createdAt: NaN, updatedAt: NaN, serviceRow: NO_SERVICE };
}

function listOf(rows: Map<string, Row[]>, kind: string): Row[] {
  let list = rows.get(kind);
  if (list === undefined) rows.set(kind, (list = []));
  return list;
}

function writeDelta(
  meta: DeltaMeta,
  put: ReadonlyMap<string, readonly Row[]>,
  removed: ReadonlyMap<string, readonly Row[]>,
): SharedArrayBuffer {
  const removals = ORDER.toReversed().map((kind): Rows => ({
    op: 'remove',
    kind,
    rows: removed.get(kind) ?? [],
  }));
  const puts = ORDER.map((kind): Rows => ({ op: 'put', kind, rows: put.get(kind) ?? [] }));
  return writeImage(meta, [...removals, ...puts]);
}

/** Rows of `after` that are new or different, and ids that only `before` has. */
function compare(before: ImageView, after: ImageView, kind: string): { put: Set<number>; removed: string[] } {
  const known = new Map<string, number>();
  const old = before.puts(kind);
  for (let row = old.first; row < old.end; row++) known.set(before.id(row), row);
  const put = new Set<number>();
  const { first, end } = after.puts(kind);
  for (let row = first; row < end; row++) {
    const id = after.id(row);
    const was = known.get(id);
    if (was === undefined) {
      put.add(row);
      continue;
    }
    known.delete(id);
    if (before.saidCreatedAt(was) !== after.saidCreatedAt(row) || !before.text(was).equals(after.text(row))) {
      put.add(row);
    }
  }
  return { put, removed: [...known.keys()] };
}

/** Adds the routes of changed services. */
function addRoutes(after: ImageView, services: ReadonlySet<number>, routes: Set<number>): void {
  if (services.size === 0) return;
  const firstService = after.puts('services').first;
  const { first, end } = after.puts('routes');
  for (let row = first; row < end; row++) {
    if (services.has(firstService + after.serviceRow(row))) routes.add(row);
  }
}
