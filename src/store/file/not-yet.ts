/**
 * What is valid Kong configuration and cannot run here yet. A file that uses any of it is refused as a whole, with
 * all of it in one list. Later work deletes lines here.
 */
import type { Values } from '../../entities/schema/field.ts';

/** Kinds that run. */
const KINDS: ReadonlySet<string> = new Set(['services', 'routes']);

interface Rule {
  readonly field: string;
  readonly runs: (value: unknown) => boolean;
}

const isNull = (value: unknown): boolean => value === null;

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  services: [
    { field: 'protocol', runs: (value) => value === 'http' },
    { field: 'client_certificate', runs: isNull },
    { field: 'tls_verify', runs: isNull },
    { field: 'tls_verify_depth', runs: isNull },
    { field: 'ca_certificates', runs: isNull },
  ],
  routes: [
    {
      field: 'protocols',
      runs: (value) => (value as readonly string[]).every((one) => one === 'http' || one === 'https'),
    },
  ],
};

export interface NotYet {
  /** Null: the entity as a whole. */
  readonly field: string | null;
  readonly message: string;
}

export function notYet(kind: string, entity: Values): NotYet[] {
  if (!KINDS.has(kind)) {
    const plugin = kind === 'plugins' ? `plugin '${String(entity['name'])}'` : kind;
    return [{ field: null, message: `Sluice does not support ${plugin} yet` }];
  }
  const rules = RULES[kind] ?? [];
  return rules
    .filter(({ field, runs }) => !runs(entity[field]))
    .map(({ field }) => ({
      field,
      message: `Sluice does not support ${field} ${JSON.stringify(entity[field])} of ${kind} yet`,
    }));
}
