/** The few elements of DER (X.690) that certificates and OCSP responses are read by. Whatever is not there is an error. */

export class DerError extends Error {}

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With its tag and length. */
  readonly whole: Buffer;
}

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  sequence: 0x30,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** @throws DerError */
export function readElement(bytes: Buffer, at = 0): Element {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f) throw new DerError('cut short');
  let from = at + 2;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 3 || from + octets > bytes.length) throw new DerError('length');
    length = bytes.readUIntBE(from, octets);
    from += octets;
  }
  if (from + length > bytes.length) throw new DerError('cut short');
  return { tag, content: bytes.subarray(from, from + length), whole: bytes.subarray(at, from + length) };
}

/** What an element is made of. @throws DerError */
export function children(content: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < content.length;) {
    const element = readElement(content, at);
    found.push(element);
    at += element.whole.length;
  }
  return found;
}

/** The element of that tag, or the one at that place must have it. @throws DerError */
export function expect(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new DerError(`no element 0x${tag.toString(16)}`);
  return element.content;
}

/** Milliseconds of a time as RFC 5280 has it. @throws DerError */
export function readTime(element: Element | undefined): number {
  const short = element?.tag === TAG.utcTime;
  const text = expect(element, short ? TAG.utcTime : TAG.generalizedTime).toString('latin1');
  // §4.1.2.5.1: two digits are of the years 1950 to 2049.
  const whole = short ? `${text < '50' ? '20' : '19'}${text}` : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(whole);
  if (match === null) throw new DerError('time');
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
}
