/** Consumers of the benchmark of authentication, by number. */
import { createHash } from 'node:crypto';

/** Those that have a password, too. */
export const BASIC_USERS = 20;

function digest(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function uuid(text: string): string {
  const hex = digest(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export const consumerOf = (n: number): string => uuid(`consumer ${n}`);
export const keyIdOf = (n: number): string => uuid(`key ${n}`);
export const keyOf = (n: number): string => digest(`key ${n}`);
export const passwordOf = (n: number): string => digest(`password ${n}`);

export function basicHeader(n: number): string {
  return `Basic ${Buffer.from(`user-${n}:${passwordOf(n)}`).toString('base64')}`;
}
