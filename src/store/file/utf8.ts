/**
 * Files are UTF-8. A decoder that replaces what it cannot read would load another encoding under names that nobody
 * wrote, so bytes are checked before they become text.
 */
import { constants, isUtf8 } from 'node:buffer';
import type { DeclarativeError } from './declarative.ts';
import { Lines } from './places.ts';
import { syntaxError } from './problems.ts';

export type Decoded =
  | { readonly text: string; readonly error: null }
  | { readonly text: null; readonly error: DeclarativeError };

/** The error stands at the first byte that is not UTF-8. */
export function decodeText(bytes: Buffer): Decoded {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    const error = syntaxError({ message: 'the text is longer than 512 MiB', position: null });
    return { text: null, error };
  }
  if (isUtf8(bytes)) return { text: bytes.toString(), error: null };
  const before = longestText(bytes);
  const position = new Lines(before).position(before.length);
  return { text: null, error: syntaxError({ message: 'the text is not UTF-8', position }) };
}

/** The text of the longest beginning that is UTF-8, by halving: a longer beginning never becomes valid again. */
function longestText(bytes: Uint8Array): string {
  let text = '';
  let valid = 0;
  let invalid = bytes.length + 1;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    const decoded = textOf(bytes.subarray(0, middle));
    if (decoded === null) {
      invalid = middle;
    } else {
      valid = middle;
      text = decoded;
    }
  }
  return text;
}

/** A character that is cut at the end may yet become whole, so it is left out and no error. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}
