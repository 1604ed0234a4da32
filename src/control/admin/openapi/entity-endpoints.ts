/**
 * Kong's endpoints of its entities, from their definitions: `/E` and `/E/{E}` for a kind E; for each field f of it that
 * refers to a kind P, `/E/{E}/f`, and from the other side `/P/{P}/E` and `/P/{P}/E/{E}`.
 */
import { DEFINITIONS, relationsOf } from '../../../entities/registry.ts';
import type { EntityDefinition } from '../../../entities/schema/field.ts';
import type { ApiEndpoint, Method } from '../special-endpoints.ts';

const COLLECTION: readonly Method[] = ['GET', 'POST'];
const ENTITY: readonly Method[] = ['GET', 'PUT', 'PATCH', 'DELETE'];

const nameOf = ({ name, admin_api_name }: EntityDefinition): string => admin_api_name ?? name;

export function entityEndpoints(): ApiEndpoint[] {
  const shown = DEFINITIONS.filter((one) => one.generate_admin_api !== false && one.name !== 'oauth2_tokens');
  const byName = new Map(shown.map((one) => [one.name, one]));
  const endpoints: ApiEndpoint[] = [];
  for (const one of shown) {
    endpoints.push(...ownEndpoints(one));
    for (const { name, field } of relationsOf(one)) {
      const target = byName.get(field.reference);
      if (target !== undefined) endpoints.push(...relationEndpoints(one, name, target));
    }
  }
  return endpoints;
}

function ownEndpoints(definition: EntityDefinition): ApiEndpoint[] {
  const { name: kind, endpoint_key: key } = definition;
  const path = `/${nameOf(definition)}`;
  const by = key === undefined ? 'id' : `id or ${key}`;
  return [
    { path, methods: COLLECTION, kind, answers: 'page', summary: `all ${kind}, or a new one` },
    {
      path: `${path}/{${kind}}`,
      methods: ENTITY,
      kind,
      answers: 'entity',
      summary: `one of the ${kind}, by ${by}`,
    },
  ];
}

function relationEndpoints(holder: EntityDefinition, field: string, target: EntityDefinition): ApiEndpoint[] {
  const below = `/${nameOf(target)}/{${target.name}}/${nameOf(holder)}`;
  const kind = holder.name;
  return [
    {
      path: `/${nameOf(holder)}/{${kind}}/${field}`,
      methods: ENTITY,
      kind: target.name,
      answers: 'entity',
      summary: `what ${field} of one of the ${kind} refers to`,
    },
    {
      path: below,
      methods: COLLECTION,
      kind,
      answers: 'page',
      summary: `the ${kind} whose ${field} is this one, or a new one`,
    },
    {
      path: `${below}/{${kind}}`,
      methods: ENTITY,
      kind,
      answers: 'entity',
      summary: `one of the ${kind} whose ${field} is this one`,
    },
  ];
}
