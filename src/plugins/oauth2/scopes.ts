/** Scopes that a client asks for, against those that there are. */
import { failure, type OauthError } from './answers.ts';
import type { Parameters } from './parameters.ts';

export interface Scopes {
  readonly scopes: readonly string[] | null;
  readonly mandatory_scope: boolean;
}

/** The scope to give, or null for none. */
export function requestedScope(parameters: Parameters, config: Scopes): string | null | OauthError {
  const asked = parameters.get('scope');
  const known = config.scopes;
  if (asked === undefined || asked?.trim() === '') {
    return config.mandatory_scope ? failure('invalid_scope', 'You must specify a scope') : null;
  }
  if (known === null) return null;
  if (asked === null) return failure('invalid_scope', 'scope must be a string');
  const names = scopeNames(asked);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) return failure('invalid_scope', `"${unknown}" is an invalid scope`);
  return names.join(' ');
}

export function scopeNames(scope: string): string[] {
  return scope.split(/[\t-\r ]+/).filter((name) => name !== '');
}
