/**
 * Secrets at rest: AES-256-GCM, each value in a text of its own, `$sluice$1$KEY-ID$DATA`. The kind, the id and the field
 * are authenticated with it, so that whoever may write the database cannot put one entity's secret in another's place.
 *
 * A sealed value is different each time, and so a unique field (the key of a consumer) has a mark beside it by which it
 * is found: an HMAC of kind, field and value with a key of its own.
 *
 * Values that are not sealed are opened as they are: sealing may be switched on for a store that has some. Turning it
 * off needs the keys until the last value has been written anew.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { fromKinds } from '../entities/plugin-entities.ts';
import { allDefinitions, INTERNAL } from '../entities/registry.ts';
import type { EntityDefinition, Values } from '../entities/schema/field.ts';
import { type SecretPath, mapSecrets, secretFields } from '../entities/secrets.ts';
import { type SealKey, SealingError } from './seal-keys.ts';

/** A secret that could not be told from a sealed one later. */
export class SealedForm extends SealingError {
  readonly path: SecretPath;
  readonly problem: string;

  constructor(kind: string, id: string, path: SecretPath) {
    const problem = `must not begin with ${PREFIX}`;
    super(`${path.join('.')} of ${kind} ${id} ${problem}`);
    this.path = path;
    this.problem = problem;
  }
}

export interface Sealer {
  /** Answers the entity with its secrets sealed by the first key. */
  seal(kind: string, id: string, entity: Values): Values;
  /** @throws SealingError when the key is missing, or the value belongs elsewhere. */
  open(kind: string, id: string, entity: Values): Values;
  /** What stands in an index for this value of a unique field. */
  uniqueValue(kind: string, field: string, value: string): string;
  /** All that may stand there, of older keys and from before there were keys: what a look-up has to try. */
  uniqueValues(kind: string, field: string, value: string): readonly string[];
  /** Ids of the keys by which its secrets are sealed, one for each; empty ones for those in clear. */
  keysOf(kind: string, sealed: Values): readonly string[];
  /** Was this mark of a unique field made by the first key? What is no secret needs none. */
  isCurrentMark(kind: string, field: string, mark: string): boolean;
  /** Ids of the keys; the first seals. */
  readonly keyIds: readonly string[];
  /** Whether its secrets are sealed by the first key; else rotation has to write it anew. */
  isCurrent(kind: string, sealed: Values): boolean;
  /** A text that is no field of an entity; the same place must be said to open it. The text itself without keys. */
  sealText(place: readonly string[], text: string): string;
  /** @throws SealingError */
  openText(place: readonly string[], sealed: string): string;
  /** Id of the key that sealed a text; empty when it is in clear. */
  keyOfText(sealed: string): string;
  /** What may stand in an index for a text, first what is written there. */
  textMarks(place: readonly string[], text: string): readonly string[];
}

const PREFIX = '$sluice$1$';
const FORM = /^\$sluice\$1\$([0-9a-f]{8})\$([A-Za-z0-9_-]+)$/;
const ANYWHERE = /\$sluice\$1\$([0-9a-f]{8})\$/g;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const byKind = fromKinds(
  (): ReadonlyMap<string, EntityDefinition> =>
    new Map([...allDefinitions(), ...INTERNAL].map((one) => [one.name, one])),
);

/** @param keys the first seals, all open. Without any, secrets are kept as they are. */
export function createSealer(keys: readonly SealKey[]): Sealer {
  const [first] = keys;
  return first === undefined ? NO_SEALING : new KeySealer(first, keys);
}

class KeySealer implements Sealer {
  readonly #first: SealKey;
  readonly #keys: ReadonlyMap<string, SealKey>;

  constructor(first: SealKey, keys: readonly SealKey[]) {
    this.#first = first;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  seal(kind: string, id: string, entity: Values): Values {
    return mapSecrets(definitionOf(kind), entity, (value, path) =>
      sealValue(this.#first, aadOf(kind, id, path), value),
    );
  }

  open(kind: string, id: string, entity: Values): Values {
    return mapSecrets(definitionOf(kind), entity, (value, path) => {
      const place = `${path.join('.')} of ${kind} ${id}`;
      return this.#open(aadOf(kind, id, path), value, place);
    });
  }

  uniqueValue(kind: string, field: string, value: string): string {
    return isSecret(kind, field) ? markOf(this.#first, [kind, field], value) : value;
  }

  uniqueValues(kind: string, field: string, value: string): readonly string[] {
    if (!isSecret(kind, field)) return [value];
    return [...[...this.#keys.values()].map((key) => markOf(key, [kind, field], value)), value];
  }

  sealText(place: readonly string[], text: string): string {
    return sealValue(this.#first, aadOfText(place), text);
  }

  openText(place: readonly string[], sealed: string): string {
    return this.#open(aadOfText(place), sealed, place.join(' '));
  }

  textMarks(place: readonly string[], text: string): readonly string[] {
    return [...[...this.#keys.values()].map((key) => markOf(key, place, text)), text];
  }

  #open(aad: Buffer, value: string, place: string): string {
    const match = FORM.exec(value);
    if (match === null) return value;
    const [, keyId = '', data = ''] = match;
    const key = this.#keys.get(keyId);
    if (key === undefined) throw missingKey(place, keyId);
    return openValue(key, aad, { data, place });
  }

  get keyIds(): readonly string[] {
    return [...this.#keys.keys()];
  }

  keysOf = keysOf;

  keyOfText = keyOfText;

  isCurrentMark(kind: string, field: string, mark: string): boolean {
    return !isSecret(kind, field) || mark.startsWith(`${this.#first.id}$`);
  }

  isCurrent(kind: string, sealed: Values): boolean {
    return keysOf(kind, sealed).every((id) => id === this.#first.id);
  }
}

/** Keeps secrets as they are. */
export const NO_SEALING: Sealer = {
  seal(kind, id, entity) {
    return mapSecrets(definitionOf(kind), entity, (value, path) => {
      if (FORM.test(value)) throw new SealedForm(kind, id, path);
      return value;
    });
  },
  open(kind, id, entity) {
    return mapSecrets(definitionOf(kind), entity, (value, path) => {
      const keyId = FORM.exec(value)?.[1];
      if (keyId !== undefined) throw missingKey(`${path.join('.')} of ${kind} ${id}`, keyId);
      return value;
    });
  },
  uniqueValue: (_kind, _field, value) => value,
  uniqueValues: (_kind, _field, value) => [value],
  isCurrent: () => true,
  keysOf,
  isCurrentMark: () => true,
  keyIds: [],
  keyOfText,
  sealText: (_place, text) => text,
  openText(place, sealed) {
    const keyId = FORM.exec(sealed)?.[1];
    if (keyId !== undefined) throw missingKey(place.join(' '), keyId);
    return sealed;
  },
  textMarks: (_place, text) => [text],
};

function keysOf(kind: string, sealed: Values): readonly string[] {
  if (!byKind().has(kind)) return [...JSON.stringify(sealed).matchAll(ANYWHERE)].map(([, id = '']) => id);
  const ids: string[] = [];
  mapSecrets(definitionOf(kind), sealed, (value) => {
    ids.push(FORM.exec(value)?.[1] ?? '');
    return value;
  });
  return ids;
}

function keyOfText(sealed: string): string {
  return FORM.exec(sealed)?.[1] ?? '';
}

function sealValue(key: SealKey, aad: Buffer, value: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.cipher, nonce, { authTagLength: TAG_BYTES }).setAAD(aad);
  const parts = [nonce, cipher.update(value, 'utf8'), cipher.final()];
  return `${PREFIX}${key.id}$${Buffer.concat([...parts, cipher.getAuthTag()]).toString('base64url')}`;
}

function openValue(key: SealKey, aad: Buffer, { data, place }: { data: string; place: string }): string {
  const octets = Buffer.from(data, 'base64url');
  const damaged = (): SealingError =>
    new SealingError(`${place} cannot be opened: it is damaged, or was sealed for another place`);
  if (octets.length < NONCE_BYTES + TAG_BYTES) throw damaged();
  const nonce = octets.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key.cipher, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad).setAuthTag(octets.subarray(-TAG_BYTES));
  try {
    const body = decipher.update(octets.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([body, decipher.final()]).toString('utf8');
  } catch {
    throw damaged();
  }
}

function missingKey(place: string, keyId: string): SealingError {
  return new SealingError(
    `${place} is sealed with the key ${keyId}, which is not there: add that key to secret_key_file (or secret_keys)`,
  );
}

/** JSON, so that no two places have one text. */
function aadOf(kind: string, id: string, path: SecretPath): Buffer {
  return Buffer.from(JSON.stringify([kind, id, ...path]));
}

/** No place of an entity begins so. */
function aadOfText(place: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(['', ...place]));
}

function markOf(key: SealKey, place: readonly string[], value: string): string {
  const mark = createHmac('sha256', key.mark).update(JSON.stringify([...place, value]));
  return `${key.id}$${mark.digest('base64url')}`;
}

function isSecret(kind: string, field: string): boolean {
  return secretFields(definitionOf(kind)).some((path) => path.length === 1 && path[0] === field);
}

/** Of a plugin that this node does not have (any more): what is sealed of it stays sealed. */
const NOTHING_KNOWN = { fields: {} };

function definitionOf(kind: string): EntityDefinition {
  return byKind().get(kind) ?? { ...NOTHING_KNOWN, name: kind };
}
