/** Parameters of the OAuth 2.0 endpoints: of the query, and of the body, which wins. */
import { bodyArgs, NO_ARGS, type BodyArgs } from '../common/body-args.ts';
import type { Exchange } from '../kit/exchange.ts';

export class Parameters {
  readonly #query: ReadonlyMap<string, readonly string[]>;
  readonly #body: BodyArgs;

  constructor(query: ReadonlyMap<string, readonly string[]>, body: BodyArgs) {
    this.#query = query;
    this.#body = body;
  }

  /**
   * Undefined: it is not there. Null: it stands there more than once (RFC 6749 §3.1 forbids it), or is no text, so that it
   * equals nothing.
   */
  get(name: string): string | null | undefined {
    const values: readonly unknown[] | undefined = this.#body.get(name) ?? this.#query.get(name);
    if (values === undefined) return undefined;
    const [value] = values;
    if (value === null && values.length === 1) return undefined;
    return values.length === 1 && typeof value === 'string' ? value : null;
  }
}

const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

export function parametersOf(exchange: Exchange): Parameters | Promise<Parameters> {
  const { request } = exchange;
  const body = WITH_BODY.has(request.method) ? bodyArgs(exchange) : NO_ARGS;
  if (body instanceof Promise) return body.then((args) => new Parameters(request.args, args));
  return new Parameters(request.args, body);
}
