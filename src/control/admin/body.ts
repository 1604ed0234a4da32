/**
 * Request bodies of the Admin API: read whole, within nginx's `client_max_body_size` of the admin listener. What all
 * requests that are under way hold together has a bound as well, since a thousand connections may each send the largest;
 * a body that is alone may be as large as its limit lets it.
 */

export class TooLarge extends Error {}

export class TooManyBodies extends Error {}

const MAX_HELD = 256 * 1024 * 1024;
const SPARED = 64 * 1024;

export class BodyBudget {
  readonly #max: number;
  readonly #spared: number;
  readonly #byRequest = new WeakMap<Request, number>();
  held = 0;

  /** @param max octets of all bodies together. @param spared octets of a body that is always taken. */
  constructor(max: number, spared: number) {
    this.#max = max;
    this.#spared = spared;
  }

  /** @throws TooManyBodies */
  take(request: Request, octets: number): void {
    const own = this.#byRequest.get(request) ?? 0;
    const alone = this.held === own;
    if (this.held + octets > this.#max && own + octets > this.#spared && !alone) throw new TooManyBodies();
    this.#byRequest.set(request, own + octets);
    this.held += octets;
  }

  /** The request is answered. */
  release(request: Request): void {
    this.held -= this.#byRequest.get(request) ?? 0;
    this.#byRequest.delete(request);
  }
}

/** Those of this process. */
export const BODIES = new BodyBudget(MAX_HELD, SPARED);

/** @param limit octets; 0 is unlimited. @throws TooLarge as soon as it is certain, TooManyBodies */
export async function readBody(
  request: Request,
  limit: number,
  budget = BODIES,
): Promise<Uint8Array<ArrayBuffer>> {
  const max = limit === 0 ? Infinity : limit;
  if (Number(request.headers.get('content-length') ?? 0) > max) throw new TooLarge();
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    if (length > max) throw new TooLarge();
    budget.take(request, chunk.length);
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
