/**
 * Who may use the Admin API, kept as an entity so that a grant holds on every node and the log tells who has made it.
 * It is internal: no endpoint, schema, document, dump or declarative file knows the kind. The limits of a grant are
 * named `only_*`, since `tags` would be tags of the grant itself.
 */
import type { EntityDefinition } from './schema/field.ts';
import * as t from './typedefs.ts';

export const ADMIN_TOKENS = 'admin_tokens';

const names = { type: 'array', elements: { type: 'string' } } as const;

export const adminTokens: EntityDefinition = {
  name: ADMIN_TOKENS,
  endpoint_key: 'name',
  generate_admin_api: false,
  fields: {
    id: t.uuid,
    name: { type: 'string', required: true, unique: true },
    role: { type: 'string', required: true, one_of: ['read', 'write', 'admin'] },
    only_kinds: names,
    only_tags: names,
    /** Milliseconds since 1970. */
    created: { type: 'number', required: true },
    expires: { type: 'number' },
    /** Of the token, hexadecimal; or `subject`, the name of a certificate. */
    sha256: { type: 'string', unique: true, secret: true },
    subject: { type: 'string', unique: true },
  },
  entity_checks: [{ at_least_one_of: ['sha256', 'subject'] }, { mutually_exclusive: ['sha256', 'subject'] }],
};
