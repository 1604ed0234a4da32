/**
 * Time to live, between a declarative file and what keeps entities: a file says seconds from the creation on, catalog
 * and directory keep the second since 1970 at which the entity ends, so that nothing must be counted down. 0 is no end.
 */
import type { Values } from '../../entities/schema/field.ts';

export interface KindEntity {
  readonly kind: string;
  readonly entity: Values;
}

/** Validated entities of a file, as they are kept. */
export function* withExpiries(entities: Iterable<KindEntity>): Generator<KindEntity> {
  for (const { kind, entity } of entities) {
    yield { kind, entity: 'ttl' in entity ? { ...entity, ttl: endOf(entity) } : entity };
  }
}

function endOf({ ttl, created_at: createdAt }: Values): number | null {
  return typeof ttl === 'number' && typeof createdAt === 'number' && ttl > 0 ? createdAt + ttl : null;
}
