/**
 * The compiled configuration as immutable bytes in one SharedArrayBuffer.
 *
 * The compiler thread encodes; main and the workers read the same memory, so a configuration is never copied between
 * threads. Layout: a header, an index of record offsets, then one JSON text per record. A worker decodes one small
 * record per `next()`, so it chooses how long it works before it lets requests run.
 */
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';

export interface ImageMeta {
  readonly revision: number;
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
  /** Removals first, then services, then routes. */
  records(): Generator<ImageRecord>;
}

export function encodeImage(
  config: { readonly services: readonly Service[]; readonly routes: readonly Route[] },
  meta: ImageMeta,
): SharedArrayBuffer {
  void config;
  void meta;
  throw new Error('not yet');
}

/** What leads from `old` to `next`: a delta image. A null `old` gives `next` itself. */
export function diffImages(old: SharedArrayBuffer | null, next: SharedArrayBuffer): SharedArrayBuffer {
  void old;
  return next;
}

export function readImage(image: SharedArrayBuffer): Image {
  void image;
  throw new Error('not yet');
}
