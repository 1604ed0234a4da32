/** The body of a request as an object: JSON alone so far, in one place that forms can be added to. */
import type { Values } from '../../entities/schema/field.ts';
import { TooLarge, readBody } from './body.ts';
import { type AdminContext, empty, json } from './resource.ts';

/** What the client sent, or the answer that refuses it. No body is an empty object. */
export async function readInput(context: AdminContext, limit: number): Promise<Values | Response> {
  let bytes: Uint8Array;
  try {
    bytes = await readBody(context.req.raw, limit);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return json(413, { message: 'Payload too large' }, { connection: 'close' });
  }
  if (bytes.length === 0) return {};
  const type = (context.req.header('content-type') ?? 'application/json').split(';', 1)[0]?.trim();
  if (type?.toLowerCase() !== 'application/json') return empty(415);
  const value = parse(new TextDecoder().decode(bytes));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Values;
  return json(400, { message: 'Cannot parse JSON body' });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
