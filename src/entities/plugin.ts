/** Plugins (Kong's `plugins`): behaviour on routes, services, consumers or everywhere. */
import type { Entity, EntityDefinition } from './schema/field.ts';
import { PLUGIN_SCHEMAS } from './plugin-schemas.ts';
import * as t from './typedefs.ts';

/** Kong's bundled plugins. Whether one works here yet is not this file's question. */
const PLUGIN_NAMES: ReadonlySet<string> = new Set([
  'acl',
  'acme',
  'ai-prompt-decorator',
  'ai-prompt-guard',
  'ai-prompt-template',
  'ai-proxy',
  'ai-request-transformer',
  'ai-response-transformer',
  'aws-lambda',
  'azure-functions',
  'basic-auth',
  'bot-detection',
  'correlation-id',
  'cors',
  'datadog',
  'file-log',
  'grpc-gateway',
  'grpc-web',
  'hmac-auth',
  'http-log',
  'ip-restriction',
  'jwt',
  'key-auth',
  'ldap-auth',
  'loggly',
  'oauth2',
  'opentelemetry',
  'post-function',
  'pre-function',
  'prometheus',
  'proxy-cache',
  'rate-limiting',
  'redirect',
  'request-size-limiting',
  'request-termination',
  'request-transformer',
  'response-ratelimiting',
  'response-transformer',
  'session',
  'standard-webhooks',
  'statsd',
  'syslog',
  'tcp-log',
  'udp-log',
  'zipkin',
]);

/** One of Kong's bundled plugins. */
export function isKongPlugin(name: string): boolean {
  return PLUGIN_NAMES.has(name);
}

const fields = {
  id: t.uuid,
  name: { type: 'string', required: true },
  instance_name: t.utf8Name,
  route: { type: 'foreign', reference: 'routes', default: null, on_delete: 'cascade' },
  service: { type: 'foreign', reference: 'services', default: null, on_delete: 'cascade' },
  consumer: { type: 'foreign', reference: 'consumers', default: null, on_delete: 'cascade' },
  /** Kong Enterprise's. */
  consumer_group: { type: 'foreign', reference: 'consumer_groups', default: null, on_delete: 'cascade' },
  /** Each plugin's own schema will check it; until then it only has to be a record. */
  config: { type: 'record', abstract: true, fields: {} },
  protocols: t.pluginProtocols,
  enabled: { type: 'boolean', required: true, default: true },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface Plugin extends Entity<typeof fields> {}

export const plugins: EntityDefinition = {
  name: 'plugins',
  endpoint_key: 'instance_name',
  cache_key: ['name', 'route', 'service', 'consumer', 'consumer_group'],
  fields,
  subschemas: PLUGIN_SCHEMAS,
  // Not made a text: a value may have a `toString` that is no function.
  variants: ({ name }) => (typeof name === 'string' ? (PLUGIN_SCHEMAS.get(name) ?? null) : null),
  subschema_key: 'name',
  subschema_error: (name) =>
    typeof name !== 'string' || PLUGIN_NAMES.has(name) || PLUGIN_SCHEMAS.has(name)
      ? null
      : `plugin '${name}' not enabled; add it to the 'plugins' configuration property`,
};
