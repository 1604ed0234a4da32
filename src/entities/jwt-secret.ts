/** Keys of JWT issuers (Kong's `jwt_secrets`, plugin jwt). */
import { parsePrivateKey, parsePublicKey } from './formats/crypto.ts';
import type { Entity, EntityDefinition } from './schema/field.ts';
import { consumerOwned } from './credential-fields.ts';

const PUBLIC_KEY = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'] as const;

const fields = {
  ...consumerOwned,
  key: { type: 'string', required: false, unique: true, auto: true },
  secret: { type: 'string', auto: true, secret: true },
  rsa_public_key: { type: 'string' },
  algorithm: {
    type: 'string',
    default: 'HS256',
    one_of: [
      ...(['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'] as const),
      ...(['PS256', 'PS384', 'PS512', 'EdDSA'] as const),
    ],
  },
} as const satisfies EntityDefinition['fields'];

export interface JwtSecret extends Entity<typeof fields> {}

export const jwtSecrets: EntityDefinition = {
  name: 'jwt_secrets',
  endpoint_key: 'key',
  cache_key: ['key'],
  admin_api_name: 'jwts',
  admin_api_nested_name: 'jwt',
  fields,
  entity_checks: [
    {
      conditional: {
        if_field: 'algorithm',
        if_match: { one_of: PUBLIC_KEY },
        then_field: 'rsa_public_key',
        then_match: {
          required: true,
          custom_validator: (pem: string) =>
            parsePublicKey(pem) === null && parsePrivateKey(pem) === null ? 'invalid key' : null,
        },
      },
    },
  ],
};
