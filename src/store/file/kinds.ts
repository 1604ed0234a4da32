/** The kinds of entity as the declarative file sees them: definition, validator, what may be nested in what. */
import { fromKinds } from '../../entities/plugin-entities.ts';
import { allDefinitions, INTERNAL, type Relation, relationsOf } from '../../entities/registry.ts';
import type { EntityDefinition, Values } from '../../entities/schema/field.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';

export interface Kind {
  readonly name: string;
  readonly definition: EntityDefinition;
  readonly validator: EntityValidator;
  /** Fields that refer to other entities. */
  readonly relations: readonly Relation[];
  /** Kinds that may stand nested in this one, and their field that then refers to it. */
  readonly children: ReadonlyMap<string, string>;
  /** decK's list of members, when it writes memberships in this kind. */
  readonly members: MemberList | null;
  /** Input keys beside the fields: nested kinds and notes. */
  readonly extraKeys: ReadonlySet<string>;
  /** Fields that hide behind a nested kind of the same name (`snis` of certificates). */
  readonly hidden: Values | null;
  /** Fields other than the endpoint key that no two entities may share. */
  readonly uniqueFields: readonly string[];
  /** The endpoint key, when references may use it. */
  readonly key: string | null;
}

/**
 * Memberships as decK writes them: `consumers` of a group, `groups` of a consumer. Each entry names the other side and
 * stands for an entity of its own.
 */
export interface MemberList {
  readonly key: string;
  /** The kind of the memberships. */
  readonly kind: string;
  /** The membership's field for the entity that has the list, and the one for what the entries name. */
  readonly holder: string;
  readonly member: string;
}

/** Names of lists that stand for another kind: Kong Enterprise's, whose entities are that kind's here. */
export const LIST_ALIASES: ReadonlyMap<string, string> = new Map([
  ['keyauth_enc_credentials', 'keyauth_credentials'],
]);

const MEMBERSHIP = 'consumer_group_consumers';

const MEMBERS: Readonly<Record<string, MemberList>> = {
  consumer_groups: { key: 'consumers', kind: MEMBERSHIP, holder: 'consumer_group', member: 'consumer' },
  consumers: { key: 'groups', kind: MEMBERSHIP, holder: 'consumer', member: 'consumer_group' },
};

function kindOf(definition: EntityDefinition): Kind {
  const { name, fields, endpoint_key: endpointKey } = definition;
  const children = new Map<string, string>();
  for (const child of allDefinitions()) {
    for (const relation of relationsOf(child)) {
      if (relation.field.reference === name) children.set(child.name, relation.name);
    }
  }
  for (const [alias, child] of LIST_ALIASES) {
    const field = children.get(child);
    if (field !== undefined) children.set(alias, field);
  }
  const hidden = [...children.keys()].filter((child) => child in fields);
  const members = MEMBERS[name] ?? null;
  const unique = Object.keys(fields).filter((field) => fields[field]?.unique === true);
  return {
    name,
    definition,
    validator: validatorOf(definition),
    relations: relationsOf(definition),
    children,
    members,
    extraKeys: new Set([
      ...children.keys(),
      ...(members === null ? [] : [members.key]),
      '_comment',
      '_ignore',
    ]),
    hidden: hidden.length === 0 ? null : Object.fromEntries(hidden.map((field) => [field, null])),
    uniqueFields: unique.filter((field) => field !== endpointKey),
    key: endpointKey !== undefined && unique.includes(endpointKey) ? endpointKey : null,
  };
}

const validators = new WeakMap<EntityDefinition, EntityValidator>();

function validatorOf(definition: EntityDefinition): EntityValidator {
  let validator = validators.get(definition);
  if (validator === undefined) validators.set(definition, (validator = new EntityValidator(definition)));
  return validator;
}

/** Parents before children; those of plugins behind the gateway's own. */
export const allKinds = fromKinds(
  (): ReadonlyMap<string, Kind> =>
    new Map(allDefinitions().map((definition) => [definition.name, kindOf(definition)])),
);

/** Only the store knows them: no declarative file has them. */
export const INTERNAL_KINDS: readonly Kind[] = INTERNAL.map(kindOf);
