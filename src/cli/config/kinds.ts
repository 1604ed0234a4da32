/**
 * The kinds of entity as a client of an Admin API sees them: where they are listed and written, what they refer to, and
 * by which fields two of them are the same although their ids differ.
 *
 * A table of its own beside `src/entities`: it also has what another Kong may hold and this gateway does not run.
 */

export interface ConfigKind {
  /** Kong's name, `services`; also the key in a declarative file. */
  readonly name: string;
  /** For people: `service`. */
  readonly singular: string;
  /** Path of its collection; null when it can only be listed below a parent (targets, members of a group). */
  readonly path: string | null;
  /** Field → kind that it refers to. */
  readonly references: Readonly<Record<string, string>>;
  /** The field by which others name it. */
  readonly key: string | null;
  /** What identifies one beside its id, first what counts most. References count by id. */
  readonly identities: readonly (readonly string[])[];
  /** Parents that it stands nested in, in a file: a field that is its only reference. */
  readonly nestedBy: readonly string[];
  /** Values that are not shown. */
  readonly secrets: readonly string[];
  /** Kong Gateway OSS may not have it. */
  readonly optional: boolean;
  /** Entities may have seconds to live. */
  readonly ttl: boolean;
}

type Extra = Partial<Omit<ConfigKind, 'name'>>;

function kind(name: string, singular: string, extra: Extra): ConfigKind {
  return {
    name,
    singular,
    path: name,
    references: {},
    key: null,
    identities: [],
    nestedBy: [],
    secrets: [],
    optional: false,
    ttl: false,
    ...extra,
  };
}

function named(name: string, singular: string, key: string, extra: Extra = {}): ConfigKind {
  return kind(name, singular, { key, identities: [[key]], ...extra });
}

function credential(name: string, singular: string, path: string, extra: Extra): ConfigKind {
  return kind(name, singular, {
    path,
    references: { consumer: 'consumers' },
    nestedBy: ['consumer'],
    ...extra,
  });
}

const SCOPES = {
  consumer: 'consumers',
  consumer_group: 'consumer_groups',
  route: 'routes',
  service: 'services',
};

const OWN: readonly ConfigKind[] = [
  kind('certificates', 'certificate', { identities: [['cert']], secrets: ['key', 'key_alt'] }),
  kind('ca_certificates', 'CA certificate', { identities: [['cert']] }),
  named('vaults', 'vault', 'prefix', { secrets: ['config'] }),
  named('key_sets', 'key set', 'name', { path: 'key-sets' }),
  named('keys', 'key', 'name', {
    references: { set: 'key_sets' },
    identities: [['name'], ['kid', 'set']],
    secrets: ['jwk', 'pem'],
  }),
  named('snis', 'SNI', 'name', { references: { certificate: 'certificates' }, nestedBy: ['certificate'] }),
  named('consumer_groups', 'consumer group', 'name', { optional: true }),
  named('consumers', 'consumer', 'username', { identities: [['username'], ['custom_id']] }),
  kind('consumer_group_consumers', 'member', {
    path: null,
    references: { consumer_group: 'consumer_groups', consumer: 'consumers' },
    identities: [['consumer_group', 'consumer']],
    optional: true,
  }),
  named('services', 'service', 'name', { references: { client_certificate: 'certificates' } }),
  named('upstreams', 'upstream', 'name', { references: { client_certificate: 'certificates' } }),
  named('routes', 'route', 'name', { references: { service: 'services' }, nestedBy: ['service'] }),
  kind('targets', 'target', {
    path: null,
    references: { upstream: 'upstreams' },
    identities: [['upstream', 'target']],
    nestedBy: ['upstream'],
  }),
  kind('plugins', 'plugin', {
    references: SCOPES,
    key: 'instance_name',
    identities: [['name', 'route', 'service', 'consumer', 'consumer_group']],
    nestedBy: ['route', 'service', 'consumer', 'consumer_group'],
    secrets: [],
  }),
  kind('filter_chains', 'filter chain', {
    path: 'filter-chains',
    references: { route: 'routes', service: 'services' },
    key: 'name',
    identities: [['route', 'service']],
    nestedBy: ['route', 'service'],
    optional: true,
  }),
  credential('acls', 'ACL group', 'acls', { identities: [['consumer', 'group']] }),
  credential('basicauth_credentials', 'basic-auth credential', 'basic-auths', {
    key: 'username',
    identities: [['username']],
    secrets: ['password'],
  }),
  credential('hmacauth_credentials', 'hmac-auth credential', 'hmac-auths', {
    key: 'username',
    identities: [['username']],
    secrets: ['secret'],
  }),
  credential('jwt_secrets', 'jwt secret', 'jwts', { key: 'key', identities: [['key']], secrets: ['secret'] }),
  credential('keyauth_credentials', 'key-auth credential', 'key-auths', {
    key: 'key',
    identities: [['key']],
    secrets: ['key'],
  }),
  credential('mtls_auth_credentials', 'mtls-auth credential', 'mtls-auths', {
    identities: [['subject_name']],
    references: { consumer: 'consumers', ca_certificate: 'ca_certificates' },
    optional: true,
  }),
  credential('oauth2_credentials', 'oauth2 credential', 'oauth2', {
    key: 'client_id',
    identities: [['client_id']],
    secrets: ['client_secret'],
  }),
];

const learned: ConfigKind[] = [...OWN];

/** Parents before children. Those of a server's plugins come with what it says of itself (`learnKind`). */
export const CONFIG_KINDS: readonly ConfigKind[] = learned;

/** In a Sluice's history alone, where going back passes over it: who may use its Admin API. */
const GRANTS = named('admin_tokens', 'admin token', 'name', { path: null, secrets: ['sha256'] });

/** Is it no part of the configuration? */
export function isAside(name: string): boolean {
  return name === GRANTS.name;
}

const BY_NAME = new Map([...CONFIG_KINDS, GRANTS].map((one) => [one.name, one]));

/** A kind that a plugin of the server brings. The first server that says what it is, counts. */
export function learnKind(name: string, extra: Extra): void {
  if (BY_NAME.has(name)) return;
  const one = kind(name, name, { ...extra, optional: true });
  BY_NAME.set(name, one);
  learned.push(one);
}

export function isConfigKind(name: string): boolean {
  return CONFIG_KINDS.some((one) => one.name === name);
}

export function configKind(name: string): ConfigKind {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new Error(`there is no kind '${name}'`);
  return found;
}

/** Kinds that may stand nested in one, by the key under which they stand, and the field that then refers to it. */
export function childrenOf(
  parent: ConfigKind,
): Array<{ readonly child: ConfigKind; readonly field: string }> {
  return CONFIG_KINDS.flatMap((child) =>
    Object.entries(child.references)
      .filter(([, reference]) => reference === parent.name)
      .map(([field]) => ({ child, field })),
  );
}

/** The id that a reference holds; null for none. */
export function idOf(reference: unknown): string | null {
  if (typeof reference !== 'object' || reference === null) return null;
  const { id } = reference as { readonly id?: unknown };
  return typeof id === 'string' ? id : null;
}

/** Texts under which the entity is known beside its id; equal ones are the same entity. References are `{ id }`. */
export function identityTexts(of: ConfigKind, values: Readonly<Record<string, unknown>>): string[] {
  return of.identities.flatMap((fields) => {
    const parts = fields.map((field) => {
      const value = values[field];
      if (field in of.references) return idOf(value);
      return typeof value === 'string' ? value.trim() : null;
    });
    const own = fields.findIndex((field) => !(field in of.references));
    const named = own < 0 ? parts.some((part) => part !== null) : parts[own] !== null;
    return named ? [JSON.stringify([fields.join(','), ...parts])] : [];
  });
}
