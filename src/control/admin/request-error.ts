/** Why an admin request is refused. Thrown where it is found, answered in one place (`resource.ts`). */
import { RevisionConflict, StoreError, StoreUnavailable } from '../../store/errors.ts';
import { TooLarge, TooManyBodies } from './body.ts';

export interface Refusal {
  readonly status: number;
  /** Null: an empty answer. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class RequestError extends Error {
  readonly refusal: Refusal;

  constructor(status: number, body: string | Readonly<Record<string, unknown>> | null) {
    super(typeof body === 'string' ? body : `status ${status}`);
    this.refusal = { status, body: typeof body === 'string' ? { message: body } : body };
  }
}

export function notFoundAnswer(): RequestError {
  return new RequestError(404, 'Not found');
}

/** Null: an error that nobody expected. @param ifMatch the request named the revision that it expects. */
export function refusalOf(error: unknown, ifMatch: boolean): Refusal | null {
  if (error instanceof RequestError) return error.refusal;
  if (error instanceof StoreError) return { status: error.status, body: error.toBody() };
  if (error instanceof TooLarge) {
    return { status: 413, body: { message: 'Payload too large' }, headers: { connection: 'close' } };
  }
  if (error instanceof TooManyBodies) {
    const body = { message: 'too many large bodies are on their way' };
    return { status: 503, body, headers: { connection: 'close', 'retry-after': '1' } };
  }
  // Nobody is left to read the answer, and the client's going is nothing that went wrong here.
  if (isAborted(error)) return { status: 400, body: { message: 'the body is not complete' } };
  if (error instanceof RevisionConflict) {
    return { status: ifMatch ? 412 : 409, body: { message: error.message, revision: error.current } };
  }
  if (error instanceof StoreUnavailable) {
    return { status: 503, body: { message: `the store is not available: ${error.message}` } };
  }
  return null;
}

/** Reading a body whose client has gone. */
function isAborted(error: unknown): boolean {
  return (
    error instanceof Error && error.message === 'aborted' && 'code' in error && error.code === 'ECONNRESET'
  );
}
