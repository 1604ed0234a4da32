/** Byte classes of HTTP/1.1 (RFC 9110 §5.5, §5.6.2; RFC 9112 §3, §4), one table look-up a byte. */

export const CR = 0x0d;
export const LF = 0x0a;
export const SP = 0x20;
export const HTAB = 0x09;
export const COLON = 0x3a;
export const ZERO = 0x30;
export const NINE = 0x39;

/** tchar: what a field name is made of. */
export const TOKEN = 1;
/** What a field value may hold: SP, HTAB, VCHAR, obs-text. */
export const FIELD = 2;
/** Request target: visible ASCII but `#` (a fragment is never sent), and bytes from 0x80 as nginx takes them. */
export const TARGET = 4;
/** Method as nginx takes it: A–Z, `_`, `-`. */
export const METHOD = 8;
/** Host and port of an authority: unreserved, sub-delims, percent, brackets and colon. */
export const AUTHORITY = 16;

export const BYTE_CLASS = new Uint8Array(256);
/** ASCII lower case. */
export const LOWER = new Uint8Array(256);

function mark(characters: string, bit: number): void {
  for (let i = 0; i < characters.length; i++) {
    const code = characters.charCodeAt(i);
    BYTE_CLASS[code] = (BYTE_CLASS[code] ?? 0) | bit;
  }
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const ALPHANUMERIC = `${UPPER}${UPPER.toLowerCase()}0123456789`;
mark(`${ALPHANUMERIC}!#$%&'*+-.^_\`|~`, TOKEN);
mark(`${UPPER}_-`, METHOD);
mark(`${ALPHANUMERIC}-._~!$&'()*+,;=%[]:`, AUTHORITY);

/** A token's byte in lower case, 0 for any other: what the loop over field names reads. */
export const TOKEN_LOWER = new Uint8Array(256);

/** 1 for a byte of a field value: what the loop over values reads. */
export const FIELD_BYTE = new Uint8Array(256);

for (let code = 0; code < 256; code++) {
  LOWER[code] = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
  const visible = (code > SP && code < 0x7f) || code >= 0x80;
  let bits = BYTE_CLASS[code] ?? 0;
  if (visible || code === SP || code === HTAB) bits |= FIELD;
  if (visible && code !== 0x23) bits |= TARGET;
  BYTE_CLASS[code] = bits;
  FIELD_BYTE[code] = (bits & FIELD) === 0 ? 0 : 1;
  TOKEN_LOWER[code] = (bits & TOKEN) === 0 ? 0 : (LOWER[code] ?? 0);
}

/** Without the white space around it (OWS). A regular expression would look at inner white space again and again. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start++;
  while (end > start && isOws(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isOws(code: number): boolean {
  return code === SP || code === HTAB;
}
