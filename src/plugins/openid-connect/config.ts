/** The configuration and what is wrong with a request, as the files of this folder pass them around. */
import type { Entity } from '../../entities/schema/field.ts';
import type { openidConnect } from './schema.ts';

export type OidcConfig = Entity<typeof openidConnect.config>;

export type Claims = Readonly<Record<string, unknown>>;

/** The client is not let in: a 401. Everything else that is thrown is a fault, and a 500. */
export class Unauthorized extends Error {
  override readonly name = 'Unauthorized';
  /** A credential was shown: there is no point in a login. */
  readonly shown: boolean;

  /** @param shown whether the client has shown something that was not good. */
  constructor(message: string, shown = true, cause?: unknown) {
    super(message, { cause });
    this.shown = shown;
  }
}

/** What the provider refused, as a 401; what it failed at stays what it is. */
export function grantProblem(error: unknown): unknown {
  if (!(error instanceof Error) || isFault(error)) return error;
  const description = 'error_description' in error ? String(error.error_description) : error.message;
  return new Unauthorized(description, true, error);
}

/** It could not be asked, or answered with 5xx: the causes of errors lead to what went wrong, or to the response. */
function isFault(error: Error): boolean {
  let at: unknown = error;
  for (let depth = 0; typeof at === 'object' && at !== null && depth < 5; depth++) {
    if ('name' in at && (at.name === 'FetchError' || at.name === 'ProviderDown')) return true;
    if ('status' in at && typeof at.status === 'number' && at.status >= 500) return true;
    at = 'cause' in at ? at.cause : null;
  }
  return false;
}

/** The provider cannot be asked, and nothing that it said before will do. */
export class ProviderDown extends Error {
  override readonly name = 'ProviderDown';
}
