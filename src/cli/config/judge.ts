/**
 * What of a Kong's configuration has a meaning here: each entity against this gateway's own definitions, and against
 * what runs. What refers to something that is left out is left out with it.
 */
import { DEFINITIONS } from '../../entities/registry.ts';
import { notYet } from '../../entities/not-yet.ts';
import type { CheckContext, RouterFlavor } from '../../entities/schema/field.ts';
import { pathText } from '../../entities/schema/issue.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import { ROUTE_CHECKS } from '../../store/file/route-checks.ts';
import { CONFIG_KINDS, type ConfigKind, configKind, idOf } from './kinds.ts';
import { labelOf } from './labels.ts';
import type { Server } from './server.ts';
import type { Entity, State } from './state.ts';

export interface Judged {
  /** In an order in which each can be written. */
  readonly accepted: ReadonlyArray<{ readonly kind: ConfigKind; readonly entity: Entity }>;
  readonly refused: ReadonlyArray<{ readonly label: string; readonly reason: string }>;
}

const VALIDATORS = new Map(
  DEFINITIONS.map((definition) => [definition.name, new EntityValidator(definition)]),
);

const FLAVORS: readonly RouterFlavor[] = ['traditional_compatible', 'expressions', 'traditional'];

/** @param target what will take it; its plugins and router flavor count. */
export function judge(state: State, target: Server, flavor: unknown): Judged {
  const context: CheckContext = {
    flavor: FLAVORS.find((one) => one === flavor) ?? 'traditional_compatible',
    now: Math.floor(Date.now() / 1000),
    ...ROUTE_CHECKS,
  };
  const lookup = (kind: ConfigKind, id: string): Entity | null => state.get(kind, id);
  const left = new Set<string>();
  const accepted: Array<{ kind: ConfigKind; entity: Entity }> = [];
  const refused: Array<{ label: string; reason: string }> = [];
  for (const kind of CONFIG_KINDS) {
    for (const [id, given] of state.all(kind)) {
      const entity = known(kind, given);
      const reason = leftWith(kind, entity, left, lookup) ?? problemOf(kind, entity, target, context);
      if (reason === null) {
        accepted.push({ kind, entity });
      } else {
        left.add(`${kind.name} ${id}`);
        refused.push({ label: labelOf(kind, given, lookup), reason });
      }
    }
  }
  return { accepted, refused };
}

/** Without fields that are not known here and say nothing. */
function known(kind: ConfigKind, entity: Entity): Entity {
  const fields = VALIDATORS.get(kind.name)?.definition.fields;
  if (fields === undefined) return entity;
  return Object.fromEntries(
    Object.entries(entity).filter(([name, value]) => value !== null || name in fields),
  );
}

function leftWith(
  kind: ConfigKind,
  entity: Entity,
  left: ReadonlySet<string>,
  lookup: (kind: ConfigKind, id: string) => Entity | null,
): string | null {
  const referred = Object.entries(kind.references).map(
    ([field, name]) => [name, idOf(entity[field])] as const,
  );
  const authorities: unknown = kind.name === 'services' ? entity['ca_certificates'] : null;
  if (Array.isArray(authorities))
    for (const id of authorities) referred.push(['ca_certificates', String(id)]);
  for (const [name, id] of referred) {
    if (id === null || !left.has(`${name} ${id}`)) continue;
    const of = configKind(name);
    return `${labelOf(of, lookup(of, id) ?? { id }, lookup)} is left out`;
  }
  return null;
}

/** Null: it can be taken over. */
function problemOf(kind: ConfigKind, entity: Entity, target: Server, context: CheckContext): string | null {
  if (kind.name === 'consumer_group_consumers') return null;
  const validator = VALIDATORS.get(kind.name);
  if (validator === undefined) return `there are no ${kind.name} here`;
  const { name } = entity;
  if (kind.name === 'plugins' && target.plugins !== null && !target.plugins.has(String(name))) {
    return `plugin '${String(name)}' is not built`;
  }
  const { ttl: _, ...input } = entity;
  const { entity: whole, issues } = validator.validate({ input }, context);
  if (issues !== null) {
    return issues.map(({ at, message }) => `${pathText(at)}: ${message}`).join('; ');
  }
  const [first] = notYet(kind.name, whole);
  return first?.message ?? null;
}

/** How many of one reason are named. */
const MAX_NAMED = 5;

/** Lines of the report: reasons with those that they hold for. */
export function reportLines({ refused }: Judged, beside: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { label, reason } of refused) {
    const labels = groups.get(reason);
    if (labels === undefined) groups.set(reason, [label]);
    else labels.push(label);
  }
  const lines = [...groups].map(([reason, labels]) => {
    const more = labels.length - MAX_NAMED;
    return `! ${labels.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}: ${reason}`;
  });
  return [...lines, ...beside.map((line) => `! ${line}`)];
}
