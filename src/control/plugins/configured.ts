/** The plugin entities that are served: of the store, or of the declarative configuration. */
import type { Values } from '../../entities/schema/field.ts';
import { readImage } from '../../snapshot/image.ts';
import type { Gateway } from '../gateway.ts';

const PLUGINS: ReadonlySet<string> = new Set(['plugins']);

export function* configuredPlugins({
  store,
  reloader,
}: Pick<Gateway, 'store' | 'reloader'>): Generator<Values> {
  const { image } = reloader.loaded;
  if (image === null) {
    if (store !== null) yield* store.all('plugins');
    return;
  }
  for (const { entity } of readImage(image).entities(PLUGINS)) yield entity;
}
