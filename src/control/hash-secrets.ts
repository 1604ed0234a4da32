/**
 * Secrets of a declarative file of which a slow hash is kept. A hash has a random salt; the one that is served is kept
 * when it is of the same secret, so that a file that is loaded again changes nothing.
 */
import { DEFINITIONS } from '../entities/registry.ts';
import type { EntityDefinition, Values } from '../entities/schema/field.ts';
import { hashSecret, verifySecret } from '../lib/secret-hash.ts';
import { readImage } from '../snapshot/image.ts';

type Entities = ReadonlyMap<string, readonly Values[]>;

/** Of the others a file has Kong's form, which their kind's `transform` makes: thousands of slow hashes would hold up a reload. */
const SLOW = DEFINITIONS.filter(({ slow_hash: slow }) => slow?.when !== undefined);
/** As many as are worth waiting for at once. */
const TOGETHER = 64;

/** @param served the image whose hashes may stay. */
export async function hashSecrets(entities: Entities, served: SharedArrayBuffer | null): Promise<Entities> {
  const kinds = SLOW.filter((definition) => (entities.get(definition.name) ?? []).some(isHashed(definition)));
  if (kinds.length === 0) return entities;
  const all = new Map(entities);
  const known = served === null ? new Map<string, Values>() : servedById(served, kinds);
  for (const definition of kinds) {
    const list = all.get(definition.name) ?? [];
    const done: Values[] = [];
    for (let start = 0; start < list.length; start += TOGETHER) {
      const some = list.slice(start, start + TOGETHER);
      done.push(...(await Promise.all(some.map((entity) => hashOne(definition, entity, known)))));
    }
    all.set(definition.name, done);
  }
  return all;
}

function isHashed({ slow_hash: slow }: EntityDefinition): (entity: Values) => boolean {
  return (entity) => slow?.when !== undefined && entity[slow.when] === true;
}

function servedById(image: SharedArrayBuffer, kinds: readonly EntityDefinition[]): Map<string, Values> {
  const wanted = new Set(kinds.map(({ name }) => name));
  return new Map([...readImage(image).entities(wanted)].map(({ entity }) => [String(entity['id']), entity]));
}

async function hashOne(
  definition: EntityDefinition,
  entity: Values,
  known: ReadonlyMap<string, Values>,
): Promise<Values> {
  const field = definition.slow_hash?.field ?? '';
  const secret = entity[field];
  if (!isHashed(definition)(entity) || typeof secret !== 'string') return entity;
  const before = known.get(String(entity['id']))?.[field];
  const same = typeof before === 'string' && (await verifySecret(secret, before));
  return { ...entity, [field]: same ? before : await hashSecret(secret) };
}
