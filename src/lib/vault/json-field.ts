/** One field of a secret that is a JSON object. */
import { VaultError } from './reference.ts';

/** @param source what holds the JSON, for the message. @throws VaultError */
export function jsonField(reference: string, source: string, json: string, key: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    // The parser's own message quotes the text.
    throw new VaultError(reference, `${source} is not JSON`);
  }
  const found: unknown =
    typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, key)
      ? (parsed as Record<string, unknown>)[key]
      : undefined;
  if (typeof found === 'string') return found;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  throw new VaultError(reference, `${source} has no text or number named '${key}'`);
}
