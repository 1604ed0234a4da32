/** Entities that are served: of the store, or of the declarative configuration. */
import type { Values } from '../../entities/schema/field.ts';
import { readImage } from '../../snapshot/image.ts';
import type { Gateway } from '../gateway.ts';

export function* configuredEntities(
  { store, reloader }: Pick<Gateway, 'store' | 'reloader'>,
  kind: string,
): Generator<Values> {
  const { image } = reloader.loaded;
  if (image === null) {
    if (store !== null) yield* store.all(kind);
    return;
  }
  for (const { entity } of readImage(image).entities(new Set([kind]))) yield entity;
}
