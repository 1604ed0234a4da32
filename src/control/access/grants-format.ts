/** The file of grants: JSON with a version. What is not exactly that is refused as a whole. */
import { join } from 'node:path';
import { CERTIFICATE_SUBJECT, GRANT_NAME, type Grant, type Proof, ROLES } from './token-store.ts';

const VERSION = 1;

export function grantsFile(prefix: string): string {
  return join(prefix, 'admin-tokens.json');
}

export function printGrants(grants: readonly Grant[]): string {
  return `${JSON.stringify({ version: VERSION, grants }, null, 1)}\n`;
}

/** Null: it is none. */
export function parseGrants(text: string): readonly Grant[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(parsed) || parsed['version'] !== VERSION || !Array.isArray(parsed['grants'])) return null;
  const grants = parsed['grants'].map(parseGrant);
  return grants.includes(null) ? null : (grants as readonly Grant[]);
}

/** Null: it is none. */
export function parseGrant(value: unknown): Grant | null {
  if (!isRecord(value)) return null;
  const { name, created, expires } = value;
  const role = ROLES.find((one) => one === value['role']);
  const kinds = strings(value['kinds']);
  const tags = strings(value['tags']);
  const proof = parseProof(value['proof']);
  if (typeof name !== 'string' || !GRANT_NAME.test(name) || typeof created !== 'number') return null;
  // A field that is missing must never widen a grant.
  if (role === undefined || kinds === undefined || tags === undefined || proof === null) return null;
  if (expires !== null && typeof expires !== 'number') return null;
  return { name, role, kinds, tags, created, expires, proof };
}

function parseProof(value: unknown): Proof | null {
  if (!isRecord(value)) return null;
  const { type, sha256, subject } = value;
  if (type === 'token' && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256))
    return { type, sha256 };
  if (type === 'certificate' && typeof subject === 'string' && CERTIFICATE_SUBJECT.test(subject)) {
    return { type, subject };
  }
  return null;
}

/** Undefined: neither null nor a list of strings. */
function strings(value: unknown): readonly string[] | null | undefined {
  if (value === null) return null;
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
