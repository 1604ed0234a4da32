/** All kinds of entity, parents before children: references of a kind point to kinds above it. */
import { acls } from './acl.ts';
import { adminTokens } from './admin-token.ts';
import { basicauthCredentials } from './basicauth-credential.ts';
import { caCertificates } from './ca-certificate.ts';
import { certificates } from './certificate.ts';
import { consumerGroupConsumers, consumerGroups } from './consumer-group.ts';
import { consumers } from './consumer.ts';
import { filterChains } from './filter-chain.ts';
import { hmacauthCredentials } from './hmacauth-credential.ts';
import { jwtSecrets } from './jwt-secret.ts';
import { keySets } from './key-set.ts';
import { keys } from './key.ts';
import { keyauthCredentials } from './keyauth-credential.ts';
import { mtlsAuthCredentials } from './mtls-auth-credential.ts';
import { oauth2Credentials } from './oauth2-credential.ts';
import { oauth2Tokens } from './oauth2-token.ts';
import { fromKinds, pluginKinds } from './plugin-entities.ts';
import { plugins } from './plugin.ts';
import { routes } from './route.ts';
import type { EntityDefinition, ForeignField } from './schema/field.ts';
import { services } from './service.ts';
import { snis } from './sni.ts';
import { targets } from './target.ts';
import { upstreams } from './upstream.ts';
import { vaults } from './vault.ts';
import { workspaces } from './workspace.ts';

export const DEFINITIONS: readonly EntityDefinition[] = [
  workspaces,
  consumers,
  consumerGroups,
  consumerGroupConsumers,
  certificates,
  caCertificates,
  vaults,
  keySets,
  keys,
  snis,
  services,
  upstreams,
  routes,
  targets,
  plugins,
  filterChains,
  acls,
  basicauthCredentials,
  hmacauthCredentials,
  jwtSecrets,
  keyauthCredentials,
  mtlsAuthCredentials,
  oauth2Credentials,
  oauth2Tokens,
];

/** The kinds of the gateway and, behind them, those of the plugins that this thread has. */
export const allDefinitions = fromKinds((): readonly EntityDefinition[] => [
  ...DEFINITIONS,
  ...pluginKinds()
    .values()
    .map(({ definition }) => definition),
]);

/** Kinds whose entities are no configuration: they change with requests, and no revision has them. */
const RECORD_KINDS: ReadonlySet<string> = new Set([oauth2Tokens.name]);

export function isRecordKind(kind: string): boolean {
  return RECORD_KINDS.has(kind);
}

/** What the store keeps beside Kong's kinds, and nothing shows. */
export const INTERNAL: readonly EntityDefinition[] = [adminTokens];

/** A field of one kind that refers to an entity of another. */
export interface Relation {
  readonly name: string;
  readonly field: ForeignField;
}

export function relationsOf(definition: EntityDefinition): Relation[] {
  return Object.entries(definition.fields).flatMap(([name, field]) =>
    field.type === 'foreign' ? [{ name, field }] : [],
  );
}
