/** What the store makes of a valid entity: hashes, normal forms, the time at which it ends. */
import type { Values } from '../../entities/schema/field.ts';
import { ENTITY } from '../../entities/schema/issue.ts';
import { invalidOption, schemaViolation } from '../errors.ts';
import type { KindIndex } from './kind-index.ts';

/** What a write says. */
export interface Given {
  readonly input: Values;
  /** Its secrets are hashed already. */
  readonly asStored: boolean;
}

export function withoutTtl(stored: Values): Values {
  if (!('ttl' in stored)) return stored;
  const { ttl: _, ...rest } = stored;
  return rest;
}

/** @throws StoreError when a patch makes a stored secret one of nothing. */
export function checkDerived(kind: KindIndex, input: Values, entity: Values, stored: Values): void {
  const { derived } = kind.definition;
  if (derived === undefined || Object.hasOwn(input, derived.secret)) return;
  if (JSON.stringify(entity[derived.from]) === JSON.stringify(stored[derived.from])) return;
  throw schemaViolation([{ at: [ENTITY], message: derived.message }]);
}

/** @throws StoreError for a certificate that has a name twice. */
export function checkNames(snis: unknown): void {
  if (!Array.isArray(snis)) return;
  const names: readonly unknown[] = snis;
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (typeof twice !== 'string') return;
  throw schemaViolation([{ at: ['snis'], message: `${twice} is duplicated` }]);
}

const MAX_TTL = 1e8;

/** @throws StoreError code 11: to Kong time to live is an option of the write, no field. */
export function checkTtl(kind: KindIndex, ttl: unknown): void {
  if (kind.definition.ttl !== true || typeof ttl !== 'number') return;
  if (Number.isInteger(ttl) && ttl >= 0 && ttl <= MAX_TTL) return;
  throw invalidOption('ttl', `must be an integer between 0 and ${MAX_TTL}`);
}

/** Seconds that are given → the second at which it ends. A patch without one keeps the time. */
export function expiry(given: unknown, stored: Values | null): number | null {
  if (typeof given === 'number') return given === 0 ? null : Math.ceil(Date.now() / 1000 + given);
  return given === undefined && stored !== null ? ((stored['ttl'] as number | null) ?? null) : null;
}

/** Hashes and normal forms; a secret that a patch does not give is hashed already, as it is where the write says so. */
export function transform(
  kind: KindIndex,
  entity: Record<string, unknown>,
  { input, asStored }: Given,
  stored: Values | null,
): void {
  kind.definition.transform?.(entity);
  for (const [name, field] of Object.entries(kind.definition.fields)) {
    if (field.type !== 'string' || field.encrypted !== true) continue;
    if (!Object.hasOwn(input, name)) {
      if (stored !== null) entity[name] = stored[name];
    } else if (asStored) entity[name] = input[name];
  }
}
