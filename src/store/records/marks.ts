/**
 * Marks: what the feed of changes calls a record's key and its unique values. They are hashes, so that they are short
 * (a notification of Postgres has 8000 octets), and tokens do not travel in them. Two that meet by chance cost a cache
 * miss.
 */
import { hash } from 'node:crypto';

const LENGTH = 12;
/** More marks than these together are told as "anything": caches are emptied. */
export const MAX_MARKS = 1000;

export function keyMark(collection: string, key: string): string {
  return mark(`${collection}\0${key}`);
}

export function uniqueMark(collection: string, index: string, value: string): string {
  return mark(`${collection}\0${index}\0${value}`);
}

/** All of a record's. */
export function marksOf(
  collection: string,
  record: { readonly key: string; readonly unique?: Readonly<Record<string, string>> },
): string[] {
  const unique = Object.entries(record.unique ?? {});
  return [
    keyMark(collection, record.key),
    ...unique.map(([index, value]) => uniqueMark(collection, index, value)),
  ];
}

function mark(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, LENGTH);
}
