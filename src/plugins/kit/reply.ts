/** Answers that a plugin gives instead of an upstream: what its filters return to end a request. */

/** Header fields: one value, or one line for each. */
export type ReplyHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Ends the request: no upstream is asked. Header and body filters and logs of all plugins still run on it. */
export class Reply {
  readonly status: number;
  /** A message goes out in the form that the client accepts, with the request's id (`kong.response.error`). */
  readonly message: string | null;
  readonly body: Buffer | null;
  readonly headers: ReplyHeaders;

  constructor(status: number, message: string | null, body: Buffer | null, headers: ReplyHeaders) {
    this.status = status;
    this.message = message;
    this.body = body;
    this.headers = headers;
  }
}

/**
 * An answer with a body of its own (`kong.response.exit`).
 *
 * @param status 200 to 599.
 * @param body an object or list is sent as JSON; a text without `Content-Type` of its own as `text/plain`; nothing: no body.
 */
export function reply(status: number, body: unknown = null, headers: ReplyHeaders = {}): Reply {
  if (body === null || body === undefined) return new Reply(status, null, null, headers);
  if (body instanceof Uint8Array) return new Reply(status, null, Buffer.from(body), headers);
  const isText = typeof body === 'string';
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  const typed = hasContentType(headers) ? headers : { 'Content-Type': type, ...headers };
  return new Reply(status, null, Buffer.from(isText ? body : JSON.stringify(body)), typed);
}

/**
 * An answer that says what is wrong in the form that the client accepts: JSON, HTML, XML, plain text or a gRPC status
 * (`kong.response.error`).
 *
 * @param message the usual text of the status unless said.
 */
export function refuse(status: number, message: string | null = null, headers: ReplyHeaders = {}): Reply {
  return new Reply(status, message ?? '', null, headers);
}

function hasContentType(headers: ReplyHeaders): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
}
