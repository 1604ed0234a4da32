/** Registered claims (RFC 7519 §4.1) as Kong checks and reports them: what is wrong, by claim. */
import { type JsonObject, member } from '../../lib/jose/compact.ts';

export type ClaimErrors = Readonly<Record<string, string>>;

const RULES: Readonly<Record<string, (value: number, now: number) => string | null>> = {
  nbf: (nbf, now) => (nbf > now ? 'token not valid yet' : null),
  exp: (exp, now) => (exp <= now ? 'token expired' : null),
};

/** @param now seconds since 1970. @returns null: nothing is wrong. */
export function claimErrors(claims: JsonObject, names: readonly string[], now: number): ClaimErrors | null {
  let errors: Record<string, string> | null = null;
  for (const name of names) {
    const value = member(claims, name);
    // A number so large that it has become Infinity would never end.
    const error = Number.isFinite(value) ? RULES[name]?.(value as number, now) : 'must be a number';
    if (typeof error === 'string') (errors ??= {})[name] = error;
  }
  return errors;
}

/** @param most seconds; 0: any time. */
export function expirationErrors(claims: JsonObject, most: number, now: number): ClaimErrors | null {
  if (most <= 0) return null;
  const exp = member(claims, 'exp');
  return typeof exp !== 'number' || exp - now > most ? { exp: 'exceeds maximum allowed expiration' } : null;
}
