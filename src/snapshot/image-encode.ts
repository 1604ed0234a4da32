/** Entities → an image (image.ts). Apart from what reads one: workers need not know the definitions of all kinds. */
import { allDefinitions, DEFINITIONS } from '../entities/registry.ts';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import { finish, type Steps } from '../lib/steps.ts';
import { type ImageMeta, NO_SERVICE, type Row, rowOf, type Rows, imageInSteps } from './image-format.ts';

/** Kinds of the gateway, parents before children. */
export const ORDER: readonly string[] = DEFINITIONS.map(({ name }) => name);

/** @param entities complete entities by kind; kinds without any may be left out. */
export function encodeImage(
  entities: ReadonlyMap<string, Iterable<object>>,
  meta: ImageMeta,
): SharedArrayBuffer {
  return finish(encodeImageInSteps(entities, meta));
}

/** The same, one step for each entity and each row. */
export function* encodeImageInSteps(
  entities: ReadonlyMap<string, Iterable<object>>,
  meta: ImageMeta,
): Steps<SharedArrayBuffer> {
  const serviceRows = new Map<string, number>();
  const sections: Rows[] = [];
  for (const { name: kind } of allDefinitions()) {
    const rows: Row[] = [];
    for (const entity of entities.get(kind) ?? []) {
      if (kind === 'services') serviceRows.set((entity as Service).id, rows.length);
      const serviceRow = kind === 'routes' ? serviceRowOf(entity as Route, serviceRows) : NO_SERVICE;
      rows.push(rowOf(entity, serviceRow));
      yield;
    }
    sections.push({ op: 'put', kind, rows });
  }
  return yield* imageInSteps({ ...meta, baseRevision: null }, sections);
}

function serviceRowOf(route: Route, serviceRows: ReadonlyMap<string, number>): number {
  const row = route.service === null ? NO_SERVICE : serviceRows.get(route.service.id);
  if (row === undefined)
    throw new Error(`route ${route.id} refers to a service that is not in the configuration`);
  return row;
}
