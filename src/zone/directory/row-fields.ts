/**
 * The fields of a row, and what they say.
 *
 * After the head (tables.ts) come the fields that are set: one octet with the field's number and the form of its value,
 * then the value: texts and JSON as length and UTF-8, integers with seven bits in an octet, references as the sixteen
 * octets of the id. Octets of 0xff fill the row up.
 */
import { formatUuid } from './key.ts';
import type { RowKind } from './row-kind.ts';
import { HEAD, sizeOf, type SegmentView } from './tables.ts';

export const FORM = { text: 0, integer: 1, double: 2, true: 3, false: 4, reference: 5, json: 6 } as const;

/** Goes over the fields of a row. */
export class RowFields {
  number = 0;
  #form = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Where the value is; `length` is that of texts. */
  from = 0;
  length = 0;

  begin(kind: RowKind, { bytes, words }: SegmentView, offset: number): void {
    this.#bytes = bytes;
    this.#at = offset + kind.headBytes;
    this.#end = offset + sizeOf(words[offset >> 2]!);
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const head = this.#bytes[this.#at++]!;
    // Nothing but padding is left: a field of this number and form does not exist.
    if (head === 0xff) return false;
    this.number = head >> 3;
    this.#form = head & 7;
    this.length = this.#form === FORM.text || this.#form === FORM.json ? this.#integer() : 0;
    this.from = this.#at;
    this.#at += this.length;
    if (this.#form === FORM.double) this.#at += 8;
    else if (this.#form === FORM.reference) this.#at += 16;
    else if (this.#form === FORM.integer) this.length = this.#integer();
    return true;
  }

  get isText(): boolean {
    return this.#form === FORM.text;
  }

  value(): unknown {
    const { from, length } = this;
    switch (this.#form) {
      case FORM.text:
        return this.#bytes.toString('utf8', from, from + length);
      case FORM.integer:
        return length;
      case FORM.double:
        return this.#bytes.readDoubleLE(from);
      case FORM.reference:
        return { id: formatUuid(this.#bytes, from) };
      case FORM.json:
        return JSON.parse(this.#bytes.toString('utf8', from, from + length));
      default:
        return this.#form === FORM.true;
    }
  }

  #integer(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
}

const decoding = new RowFields();

/** The entity as it was put: complete, unset fields null. */
export function decodeRow(kind: RowKind, view: SegmentView, offset: number): Record<string, unknown> {
  const entity: Record<string, unknown> = { ...kind.blank };
  entity['id'] = formatUuid(view.bytes, offset + HEAD.id * 4);
  if (kind.owner !== null) entity[kind.owner] = { id: formatUuid(view.bytes, offset + HEAD.owner * 4) };
  decoding.begin(kind, view, offset);
  while (decoding.next()) entity[kind.fields[decoding.number]!] = decoding.value();
  return entity;
}
