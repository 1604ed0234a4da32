/**
 * The OpenAPI 3.1 document of the Admin API, made of the definitions of entities and the table of endpoints. Every kind
 * has three schemas: as it is answered (`services`), as it is written whole (`services.write`) and in part
 * (`services.merge`).
 */
import { describeKind } from '../../../entities/descriptions/describe.ts';
import type { EntityDefinition, RouterFlavor } from '../../../entities/schema/field.ts';
import { fieldsOf } from '../../../entities/schema/print.ts';
import { VERSION } from '../../../lib/version.ts';
import type { Method } from '../endpoints.ts';
import type { ApiEndpoint } from '../special-endpoints.ts';
import { type JsonSchema, type Use, objectSchema } from './json-schema.ts';

export type Document = Readonly<Record<string, unknown>>;

export interface DocumentInput {
  readonly definitions: readonly EntityDefinition[];
  readonly endpoints: readonly ApiEndpoint[];
  readonly flavor: RouterFlavor;
}

const JSON_BODY = 'application/json';
const FORM_BODIES = ['application/x-www-form-urlencoded', 'multipart/form-data'];

export function openApiDocument({ definitions, endpoints, flavor }: DocumentInput): Document {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sluice Admin API',
      version: VERSION,
      description: "Kong's Admin API, and what Sluice has beside it.",
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8001', description: 'The default listener' }],
    paths: Object.fromEntries(endpoints.map((one) => [one.path, pathItem(one)])),
    components: { schemas: schemas(definitions, flavor), responses: RESPONSES, parameters: PARAMETERS },
  };
}

function schemas(definitions: readonly EntityDefinition[], flavor: RouterFlavor): Record<string, JsonSchema> {
  const all: Record<string, JsonSchema> = { error: ERROR };
  for (const definition of definitions) {
    const make = (use: Use): JsonSchema => entitySchema(definition, flavor, use);
    all[definition.name] = make('answer');
    all[`${definition.name}.write`] = make('write');
    all[`${definition.name}.merge`] = make('merge');
  }
  return all;
}

function entitySchema(definition: EntityDefinition, flavor: RouterFlavor, use: Use): JsonSchema {
  const { name, shorthand_fields: shorthands = {} } = definition;
  const describe = describeKind(name);
  const schema = objectSchema(fieldsOf(definition, flavor), { describe, use });
  const properties = { ...(schema['properties'] as Record<string, JsonSchema>) };
  if (definition.ttl === true) {
    properties['ttl'] = { type: ['number', 'null'], minimum: 0, maximum: 1e8, description: describe('ttl') };
  }
  if (use === 'answer') return { ...schema, properties };
  for (const one of Object.keys(shorthands)) properties[one] ??= { type: 'string', writeOnly: true };
  // What a shorthand stands for need not be given.
  const { required, ...rest } = schema;
  const optional = required === undefined || Object.keys(shorthands).length > 0;
  return { ...rest, properties, ...(optional ? {} : { required }) };
}

const ERROR: JsonSchema = {
  type: 'object',
  description: "Kong's error: a message, and for errors of the configuration a code, a name and the fields.",
  properties: {
    message: { type: 'string' },
    code: { type: 'integer' },
    name: { type: 'string' },
    fields: { type: 'object' },
    options: { type: 'object' },
  },
  required: ['message'],
};

const ref = (where: string, name: string): JsonSchema => ({ $ref: `#/components/${where}/${name}` });

const failure = (description: string): JsonSchema => ({
  description,
  content: { [JSON_BODY]: { schema: ref('schemas', 'error') } },
});

const RESPONSES: Readonly<Record<string, JsonSchema>> = {
  bad: failure('The request is not valid.'),
  missing: failure('There is no such thing.'),
  readonly: failure('The configuration cannot be written here (there is no database).'),
  conflict: failure('The value of a unique field is taken.'),
};

const PARAMETERS: Readonly<Record<string, JsonSchema>> = {
  size: {
    name: 'size',
    in: 'query',
    description: 'Entities on a page.',
    schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  },
  offset: {
    name: 'offset',
    in: 'query',
    description: 'Where the page begins: the `offset` of the page before.',
    schema: { type: 'string' },
  },
  tags: {
    name: 'tags',
    in: 'query',
    description: 'Only entities with all of these tags (`a,b`) or with any (`a/b`).',
    schema: { type: 'string' },
  },
};

function pathItem(endpoint: ApiEndpoint): JsonSchema {
  const names = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const operations = endpoint.methods.map((method): [string, JsonSchema] => [
    method.toLowerCase(),
    operation(endpoint, method),
  ]);
  return { ...(parameters.length > 0 ? { parameters } : {}), ...Object.fromEntries(operations) };
}

function operation(endpoint: ApiEndpoint, method: Method): JsonSchema {
  const { path, kind, answers, summary } = endpoint;
  const paged = method === 'GET' && answers === 'page';
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+/gi, '_')}`,
    summary,
    tags: [kind ?? 'node'],
    ...(paged ? { parameters: Object.keys(PARAMETERS).map((name) => ref('parameters', name)) } : {}),
    ...(method === 'GET' || method === 'DELETE' ? {} : { requestBody: body(endpoint, method) }),
    responses: responses(endpoint, method),
  };
}

function body({ kind, bodyField }: ApiEndpoint, method: Method): JsonSchema {
  const form = FORM_BODIES.map((type): [string, JsonSchema] => [type, { schema: { type: 'object' } }]);
  const schema = bodySchema(kind, bodyField, method);
  return { content: Object.fromEntries([[JSON_BODY, { schema }], ...form]) };
}

function bodySchema(kind: string | null, field: string | undefined, method: Method): JsonSchema {
  if (field !== undefined) {
    return { type: 'object', properties: { [field]: { type: 'string' } }, required: [field] };
  }
  if (kind === null) return { type: 'object' };
  return ref('schemas', `${kind}.${method === 'PATCH' ? 'merge' : 'write'}`);
}

function responses({ kind, answers, path, bodyField }: ApiEndpoint, method: Method): JsonSchema {
  const ownAnswer =
    (method === 'GET' && answers === 'other') || (method === 'POST' && bodyField !== undefined);
  const entity = kind === null || ownAnswer ? {} : ref('schemas', kind);
  const paged = method === 'GET' && answers === 'page';
  const done = (schema: JsonSchema): JsonSchema => ({
    description: 'Done.',
    content: { [JSON_BODY]: { schema } },
  });
  const status = method === 'POST' && kind !== null ? '201' : '200';
  return {
    ...(method === 'DELETE'
      ? { '204': { description: 'It is not there any more.' } }
      : { [status]: done(paged ? page(entity) : entity) }),
    '400': ref('responses', 'bad'),
    ...(path.includes('{') ? { '404': ref('responses', 'missing') } : {}),
    ...(method === 'GET' || kind === null
      ? {}
      : { '405': ref('responses', 'readonly'), '409': ref('responses', 'conflict') }),
  };
}

function page(entity: JsonSchema): JsonSchema {
  return {
    type: 'object',
    properties: {
      data: { type: 'array', items: entity },
      next: { type: ['string', 'null'], description: 'Path of the next page.' },
      offset: { type: 'string', description: 'Absent on the last page.' },
    },
    required: ['data', 'next'],
  };
}
