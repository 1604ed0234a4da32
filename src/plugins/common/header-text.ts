/** Texts from outside (claims, answers of services, results of policies) on their way into a header. */

// eslint-disable-next-line no-control-regex
const NO_HEADER = /[\u0000-\u001f\u007f]/;
const LONGEST = 16 * 1024;

/**
 * Headers are Latin-1: what is beyond it goes as the bytes of its UTF-8, as Kong sends it.
 *
 * @param value objects and lists go as JSON.
 * @returns null for what no header may hold: line breaks and other control characters, more than 16 KiB, nothing at all.
 */
export function headerText(value: unknown): string | null {
  const text = plainText(value);
  if (text === null || text.length > LONGEST || NO_HEADER.test(text)) return null;
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length > LONGEST ? null : bytes.toString('latin1');
}

function plainText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return null;
  return JSON.stringify(value) ?? null;
}

export function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
}
