/** Keys and secrets that nobody gave. */
import { randomBytes } from 'node:crypto';

/** 32 letters and digits, as Kong makes keys and secrets. */
export function randomKey(): string {
  return randomBytes(48)
    .toString('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 32)
    .padEnd(32, '0');
}
