/** Parts of a multipart form (RFC 7578) by name, with their places. Parts in parts are not looked into. */
import type { BodyField } from './fields.ts';

/** A form with more parts has no key that is looked for. */
const MAX_PARTS = 1000;
const CRLF = Buffer.from('\r\n');
const BLANK = Buffer.from('\r\n\r\n');

interface Part {
  readonly name: string | null;
  /** Of its delimiter. */
  readonly from: number;
  readonly valueFrom: number;
  readonly valueTo: number;
  /** Of the delimiter behind it. */
  readonly to: number;
}

export function multipartFields(body: Buffer, contentType: string, name: string): BodyField[] {
  return partsOf(body, contentType)
    .filter((part) => part.name === name)
    .map(({ valueFrom, valueTo }) => ({ value: body.toString('utf8', valueFrom, valueTo), many: false }));
}

export function withoutMultipartFields(body: Buffer, contentType: string, name: string): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (const part of partsOf(body, contentType)) {
    if (part.name !== name) continue;
    kept.push(body.subarray(from, part.from));
    from = part.to;
  }
  return Buffer.concat([...kept, body.subarray(from)]);
}

/** None when it is no whole form. */
function partsOf(body: Buffer, contentType: string): Part[] {
  const boundary = parameter(contentType, 'boundary');
  if (boundary === null || boundary === '' || boundary.length > 70) return [];
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  const parts: Part[] = [];
  let from = nextDelimiter(body, delimiter, 0);
  while (from >= 0 && parts.length <= MAX_PARTS) {
    const head = afterDelimiter(body, from + delimiter.length);
    if (head < 0) return parts;
    const to = nextDelimiter(body, delimiter, head);
    const blank = body.indexOf(BLANK, head);
    if (to < 0 || blank < 0 || blank + BLANK.length > to) return [];
    const valueFrom = blank + BLANK.length;
    const valueTo = Math.max(valueFrom, to - CRLF.length);
    parts.push({ name: nameOf(body.toString('utf8', head, blank)), from, valueFrom, valueTo, to });
    from = to;
  }
  return [];
}

/** Where a delimiter stands at the beginning of a line. */
function nextDelimiter(body: Buffer, delimiter: Buffer, from: number): number {
  for (let at = body.indexOf(delimiter, from); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (at === 0 || (body[at - 2] === 0x0d && body[at - 1] === 0x0a)) return at;
  }
  return -1;
}

/** Where the part begins; -1: that was the last delimiter. */
function afterDelimiter(body: Buffer, at: number): number {
  if (body[at] === 0x2d && body[at + 1] === 0x2d) return -1;
  const end = body.indexOf(CRLF, at);
  return end < 0 ? -1 : end + CRLF.length;
}

/** What Content-Disposition names the part. */
function nameOf(head: string): string | null {
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).trim().toLowerCase() === 'content-disposition') {
      return parameter(line.slice(colon + 1), 'name');
    }
  }
  return null;
}

/** A parameter's value, quoted or not; quoted pairs as browsers write them (`%22`, `\"`). */
function parameter(text: string, name: string): string | null {
  const parameters = /;\s*([^=;\s"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))/g;
  for (const [, found = '', quoted, plain = ''] of text.matchAll(parameters)) {
    if (found.toLowerCase() === name) return quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
  }
  return null;
}
