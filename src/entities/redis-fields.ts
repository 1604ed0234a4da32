/** Kong's `redis` record of a plugin's configuration: one server, reached by TCP or TLS. */
import type { EntityCheck, Field } from './schema/field.ts';
import * as t from './typedefs.ts';

export const redis = {
  type: 'record',
  // Where there is none nothing is shown of one.
  required: false,
  description: 'The Redis server, where one is used.',
  fields: {
    host: { ...t.host, required: true, description: 'Its name or address.' },
    port: { ...t.port, required: true, default: 6379, description: 'Its port.' },
    username: {
      type: 'string',
      referenceable: true,
      description: "User of the server's access lists; its default user unless said.",
    },
    password: {
      type: 'string',
      len_min: 0,
      referenceable: true,
      encrypted: true,
      secret: true,
      description: 'What it wants to let the gateway in; nothing is shown unless said.',
    },
    database: {
      type: 'integer',
      required: true,
      default: 0,
      between: [0, 2 ** 31 - 1],
      description: 'Number of the database.',
    },
    timeout: {
      type: 'integer',
      required: true,
      default: 2000,
      between: [1, 2 ** 31 - 2],
      description: 'Milliseconds that a connection or a command may take.',
    },
    ssl: { type: 'boolean', required: true, default: false, description: 'Whether TLS is spoken.' },
    ssl_verify: {
      type: 'boolean',
      required: true,
      default: false,
      description: "Whether the server's certificate is verified, by `lua_ssl_trusted_certificate`.",
    },
    server_name: {
      ...t.sni,
      description: 'Name that is asked for and verified with TLS; `host` unless said.',
    },
  },
} as const satisfies Field;

/** @param storage the field that chooses where things are kept. */
export function redisCheck(storage: string): EntityCheck {
  return {
    custom_entity_check: {
      field_sources: [storage, 'redis'],
      fn: ({ [storage]: chosen, redis: server }) =>
        chosen === 'redis' && (server ?? null) === null ? `'${storage}' redis needs 'redis'` : null,
    },
  };
}
