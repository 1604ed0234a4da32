/** Claims of tokens that the gateway signs anew, and what it asks of those that come. */
import { isObject, type JsonObject, member } from '../../lib/jose/compact.ts';

export interface ClaimEdits {
  readonly access_token_issuer: string | null;
  readonly access_token_upstream_leeway: number | null;
  readonly add_claims: JsonObject | null;
  readonly set_claims: JsonObject | null;
  readonly add_access_token_claims: JsonObject | null;
  readonly set_access_token_claims: JsonObject | null;
  readonly remove_access_token_claims: readonly string[] | null;
}

/** First what is taken out, then the issuer and the end, then what is added, then what is set. */
export function editClaims(claims: JsonObject, edits: ClaimEdits): JsonObject {
  // Without a prototype, so that a claim of any name is only a claim.
  const edited: Record<string, unknown> = Object.assign(Object.create(null) as object, claims);
  for (const name of edits.remove_access_token_claims ?? []) delete edited[name];
  if (edits.access_token_issuer !== null) {
    if (edited['iss'] !== undefined) edited['original_iss'] = edited['iss'];
    edited['iss'] = edits.access_token_issuer;
  }
  const leeway = edits.access_token_upstream_leeway ?? 0;
  if (leeway !== 0 && typeof edited['exp'] === 'number') edited['exp'] += leeway;
  for (const added of [edits.add_claims, edits.add_access_token_claims]) {
    for (const [name, value] of Object.entries(added ?? {})) if (!(name in edited)) edited[name] = value;
  }
  return Object.assign(edited, edits.set_claims, edits.set_access_token_claims);
}

/** @param now, leeway seconds. */
export function isTimely(claims: JsonObject, now: number, leeway: number): boolean {
  const exp = member(claims, 'exp');
  const nbf = member(claims, 'nbf');
  if (typeof exp !== 'number' || !Number.isFinite(exp) || exp + leeway <= now) return false;
  return nbf === undefined || (typeof nbf === 'number' && nbf - leeway <= now);
}

/** What lies at the end of the way; undefined: nothing. */
export function claimAt(claims: JsonObject, way: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of way) value = isObject(value) ? member(value, name) : undefined;
  return value;
}

/** @param required one of these must be there; of one with spaces, all parts. */
export function hasScopes(claim: unknown, required: readonly string[]): boolean {
  const list: readonly unknown[] = Array.isArray(claim)
    ? claim
    : typeof claim === 'string'
      ? claim.split(' ')
      : [];
  const scopes = new Set(list);
  return required.some(
    (some) => some.split(' ').every((scope) => scope === '' || scopes.has(scope)) && some.trim() !== '',
  );
}
