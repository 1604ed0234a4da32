/** Texts of the configuration in header fields, and header fields as texts: on the wire they are bytes, Latin-1 to us. */
import { isUtf8 } from 'node:buffer';

const PLAIN = /^[\t\u0020-\u007e]*$/;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/g;

/** As the bytes of its UTF-8, as Kong sends it; what no header may have is escaped as in a URL. */
export function headerValue(text: string): string {
  if (PLAIN.test(text)) return text;
  const clean = text.replace(CONTROL, (char) => `%${Buffer.from(char).toString('hex').toUpperCase()}`);
  return Buffer.from(clean, 'utf8').toString('latin1');
}

/** What the client wrote: UTF-8 where it is that, else Latin-1. */
export function textOfHeader(value: string): string {
  if (PLAIN.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}

/** A quoted string of HTTP (RFC 9110 §5.6.4). */
export function quotedString(text: string): string {
  return `"${headerValue(text).replaceAll(/["\\]/g, '\\$&')}"`;
}
