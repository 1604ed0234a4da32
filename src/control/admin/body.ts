/** Request bodies of the Admin API: read whole, within nginx's `client_max_body_size` of the admin listener. */

export class TooLarge extends Error {}

/** @param limit octets; 0 is unlimited. @throws TooLarge as soon as it is certain. */
export async function readBody(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const max = limit === 0 ? Infinity : limit;
  if (Number(request.headers.get('content-length') ?? 0) > max) throw new TooLarge();
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    if (length > max) throw new TooLarge();
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
