/**
 * Request ids (`X-Kong-Request-Id`): 32 lower-case hex digits of 16 random bytes.
 *
 * Random bytes are drawn and written as hex for many ids at once, and an id is a slice of that text: about 30 ns in
 * place of 500 ns for an id drawn alone. A slice keeps its text of 4 KiB alive as long as it lives itself.
 */
import { randomFillSync } from 'node:crypto';

const DIGITS = 32;
const BATCH = 128;

const bytes = Buffer.alloc((DIGITS / 2) * BATCH);
let digits = '';
let position = 0;

/** A new id. */
export function requestId(): string {
  if (position === digits.length) {
    digits = randomFillSync(bytes).toString('hex');
    position = 0;
  }
  const start = position;
  position += DIGITS;
  return digits.slice(start, position);
}
