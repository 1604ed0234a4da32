/** One entity as it is and as the file wants it: which fields differ, and what has to be sent. */
import { createHash } from 'node:crypto';
import { isSecretHash, verifySecretNow } from '../../lib/secret-hash.ts';
import { complete, type FieldSchemas, sameValue } from './field-schema.ts';
import { type ConfigKind, idOf } from './kinds.ts';
import { isObject } from './server.ts';
import type { Entity } from './state.ts';

export interface Difference {
  /** `config.minute` */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly secret: boolean;
}

/** Set by the server, or counting down; of these a file says what is wanted, if anything, only when it is created. */
const NOT_COMPARED: ReadonlySet<string> = new Set(['id', 'created_at', 'updated_at', 'ttl', 'ws_id']);

/** What the file says of an entity, with what it leaves out filled in. */
export function wantedForm(
  kind: ConfigKind,
  given: Entity,
  current: Entity | null,
  fields: FieldSchemas,
): Entity {
  const base: Record<string, unknown> = { ...given };
  if (current !== null) {
    // What the server made up stays: another random secret for each sync is nobody's wish.
    for (const [name, field] of fields) {
      if (field.auto && !Object.hasOwn(base, name) && Object.hasOwn(current, name))
        base[name] = current[name];
    }
    if (!Object.hasOwn(base, 'cert_digest') && kind.name === 'ca_certificates')
      base['cert_digest'] = current['cert_digest'];
  }
  return complete(fields, base);
}

export function differences(
  kind: ConfigKind,
  current: Entity,
  wanted: Entity,
  fields: FieldSchemas,
): Difference[] {
  const found: Difference[] = [];
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(current)])) {
    if (NOT_COMPARED.has(name)) continue;
    // A field that neither the schema nor the file knows is the server's own affair.
    if (!Object.hasOwn(wanted, name)) continue;
    const before = current[name];
    const after = wanted[name];
    const field = fields.get(name);
    if (name in kind.references ? idOf(before) === idOf(after) : sameValue(before, after, field)) continue;
    if (sameSecret(kind, name, current, wanted)) continue;
    const secret = kind.secrets.includes(name) || field?.secret === true;
    collect(found, { path: name, before, after, secret }, field?.fields ?? null);
  }
  return found;
}

/** Records are compared field by field, so that one line tells one thing. */
function collect(
  found: Difference[],
  { path, before, after, secret }: Difference,
  fields: FieldSchemas | null,
): void {
  if (secret || !isObject(before) || !isObject(after) || idOf(before) !== null) {
    found.push({ path, before, after, secret });
    return;
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const field = fields?.get(name);
    if (sameValue(before[name], after[name], field)) continue;
    collect(
      found,
      { path: `${path}.${name}`, before: before[name], after: after[name], secret: field?.secret === true },
      field?.fields ?? null,
    );
  }
}

/** A password and its hash are the same; of a client secret that is hashed with a salt nobody can tell. */
function sameSecret(kind: ConfigKind, name: string, current: Entity, wanted: Entity): boolean {
  const before = current[name];
  const after = wanted[name];
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  if (kind.name === 'basicauth_credentials' && name === 'password') {
    if (isSecretHash(before)) return verifySecretNow(after, before);
    return before === hashedPassword(after, idOf(wanted['consumer']) ?? '');
  }
  if (kind.name === 'oauth2_credentials' && name === 'client_secret') return before.startsWith('$');
  return name === 'cert' && before.trim() === after.trim();
}

/** Kong's, which is the form that its Admin API answers. */
function hashedPassword(password: string, consumer: string): string {
  return createHash('sha1')
    .update(password + consumer)
    .digest('hex');
}

/** Text that equal entities have in common, whatever their ids and times. */
export function contentText(entity: Entity, fields: FieldSchemas): string {
  const whole = complete(fields, entity);
  const names = Object.keys(whole)
    .filter((name) => !NOT_COMPARED.has(name))
    .sort();
  return JSON.stringify(names.map((name) => [name, contentOf(whole[name])]));
}

function contentOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(contentOf);
  if (!isObject(value)) return value ?? null;
  const names = Object.keys(value).sort();
  return names.map((name) => [name, contentOf(value[name])]);
}
