/** Kong's vocabulary of field and entity messages (its schema library's error strings). */

/** Elements of the lists and maps of one entity: it is validated and stored in one go. */
export const MAX_ELEMENTS = 100_000;

export const MESSAGES = {
  tooMany: `too many values: the lists of an entity may have ${MAX_ELEMENTS} together`,
  array: 'expected an array',
  set: 'expected a set',
  map: 'expected a map',
  record: 'expected a record',
  string: 'expected a string',
  number: 'expected a number',
  integer: 'expected an integer',
  boolean: 'expected a boolean',
  required: 'required field missing',
  unknown: 'unknown field',
  uuid: 'expected a valid UUID',
  timestamp: 'expected a valid timestamp',
  missingPrimaryKey: 'missing primary key',
  mustBeNull: 'value must be null',
} as const;

/** `'a', 'b'` */
export function quotedList(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}
