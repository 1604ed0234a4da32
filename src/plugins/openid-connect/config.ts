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

/** What a client of the provider's did wrong, or the provider itself. */
export function grantProblem(error: unknown): unknown {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at.name === 'FetchError' || at.name === 'ProviderDown') return error;
    if ('status' in at && typeof at.status === 'number' && at.status >= 500) return error;
  }
  if (!(error instanceof Error)) return error;
  const description = 'error_description' in error ? String(error.error_description) : error.message;
  return new Unauthorized(description, true, error);
}

/** The provider cannot be asked, and nothing that it said before will do. */
export class ProviderDown extends Error {
  override readonly name = 'ProviderDown';
}
