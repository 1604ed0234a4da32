/**
 * What leads from one configuration to the next, as an image: from two whole images (a declarative file that was read
 * again) or from lists of changes (commits to a store). It holds the kinds that the data plane reads and no others.
 */
import { finish, type Steps } from '../lib/steps.ts';
import {
  type DeltaMeta,
  type ImageMeta,
  ImageView,
  NO_SERVICE,
  type Row,
  rowOf,
  type Rows,
  imageInSteps,
} from './image-format.ts';
import { ORDER } from './image-encode.ts';
import { RUNTIME } from './image.ts';

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
  return finish(encodeDeltaInSteps(changes, meta));
}

/** The same, one step for each entity and each row. */
export function* encodeDeltaInSteps(
  changes: Changes,
  meta: ImageMeta & { readonly baseRevision: number },
): Steps<SharedArrayBuffer> {
  const put = new Map<string, Row[]>();
  const removed = new Map<string, Row[]>();
  for (const { kind, entity } of changes.put) {
    if (RUNTIME.has(kind)) listOf(put, kind).push(rowOf(entity, NO_SERVICE));
    yield;
  }
  for (const { kind, id } of changes.removed) {
    if (RUNTIME.has(kind)) listOf(removed, kind).push(removalOf(id));
  }
  return yield* deltaInSteps(meta, put, removed);
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
  return finish(deltaInSteps({ revision, hash, baseRevision: before.meta.revision }, put, removed));
}

function removalOf(id: string): Row {
  return { text: JSON.stringify({ id }), createdAt: NaN, updatedAt: NaN, serviceRow: NO_SERVICE };
}

function listOf(rows: Map<string, Row[]>, kind: string): Row[] {
  let list = rows.get(kind);
  if (list === undefined) rows.set(kind, (list = []));
  return list;
}

function deltaInSteps(
  meta: DeltaMeta,
  put: ReadonlyMap<string, readonly Row[]>,
  removed: ReadonlyMap<string, readonly Row[]>,
): Steps<SharedArrayBuffer> {
  const removals = ORDER.toReversed().map((kind): Rows => ({
    op: 'remove',
    kind,
    rows: removed.get(kind) ?? [],
  }));
  const puts = ORDER.map((kind): Rows => ({ op: 'put', kind, rows: put.get(kind) ?? [] }));
  return imageInSteps(meta, [...removals, ...puts]);
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
