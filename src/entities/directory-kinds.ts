/** The kinds whose entities lie in the node's directory: who calls, and how they prove it. Workers find them there. */
import type { DirectoryKind } from '../zone/directory/row-kind.ts';
import type { Acl } from './acl.ts';
import type { BasicauthCredential } from './basicauth-credential.ts';
import type { ConsumerGroup, ConsumerGroupConsumer } from './consumer-group.ts';
import type { Consumer } from './consumer.ts';
import type { HmacauthCredential } from './hmacauth-credential.ts';
import type { JwtSecret } from './jwt-secret.ts';
import type { KeyauthCredential } from './keyauth-credential.ts';
import type { MtlsAuthCredential } from './mtls-auth-credential.ts';
import type { Oauth2Credential } from './oauth2-credential.ts';
import { PLUGIN_ROW_KIND, type PluginRow } from './plugin-rows.ts';
import { DEFINITIONS } from './registry.ts';
import type { EntityDefinition } from './schema/field.ts';

export interface DirectoryEntities {
  readonly consumers: Consumer;
  readonly consumer_groups: ConsumerGroup;
  /** `owned('consumer_group_consumers', consumer.id)`: the memberships of a consumer. */
  readonly consumer_group_consumers: ConsumerGroupConsumer;
  readonly acls: Acl;
  readonly basicauth_credentials: BasicauthCredential;
  readonly hmacauth_credentials: HmacauthCredential;
  readonly jwt_secrets: JwtSecret;
  readonly keyauth_credentials: KeyauthCredential;
  readonly mtls_auth_credentials: MtlsAuthCredential;
  readonly oauth2_credentials: Oauth2Credential;
  /** Those of all kinds that plugins bring: `gateway.own` finds them. */
  readonly plugin_entities: PluginRow;
}

/** The reference by which entities of a kind are listed. A kind begins to lie in the directory with its line here. */
const OWNERS: Readonly<Record<Exclude<keyof DirectoryEntities, 'plugin_entities'>, string | null>> = {
  consumers: null,
  consumer_groups: null,
  consumer_group_consumers: 'consumer',
  acls: 'consumer',
  basicauth_credentials: 'consumer',
  hmacauth_credentials: 'consumer',
  jwt_secrets: 'consumer',
  keyauth_credentials: 'consumer',
  mtls_auth_credentials: 'consumer',
  oauth2_credentials: 'consumer',
};

/** Parents before children. */
export const DIRECTORY_KINDS: readonly DirectoryKind[] = [
  ...DEFINITIONS.filter(({ name }) => Object.hasOwn(OWNERS, name)).map(directoryKind),
  PLUGIN_ROW_KIND,
];

function directoryKind({ name, fields, ttl }: EntityDefinition): DirectoryKind {
  const names = Object.keys(fields).filter((field) => fields[field]?.transient !== true);
  return {
    name,
    fields: ttl === true ? [...names, 'ttl'] : names,
    uniques: names.filter((field) => fields[field]?.unique === true),
    owner: OWNERS[name as keyof typeof OWNERS],
    ttl: ttl === true,
  };
}
