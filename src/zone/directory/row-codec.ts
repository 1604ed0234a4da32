/**
 * Entities as rows and back.
 *
 * After the head (tables.ts) come the fields that are set: one octet with the field's number and the form of its value,
 * then the value. The id and the owner stand in the head; as fields they are there only when their text is not that of
 * the sixteen octets (capital letters).
 */
import { formatUuid, parseUuid } from './key.ts';
import type { RowKind } from './row-kind.ts';
import { HEAD, infoOf, MAX_ROW_BYTES, sizeOf, type SegmentView } from './tables.ts';

type Values = Readonly<Record<string, unknown>>;

/** Forms of a value. */
const TEXT = 0;
const INTEGER = 1;
const DOUBLE = 2;
const TRUE = 3;
const FALSE = 4;
const REFERENCE = 5;
const JSON_TEXT = 6;

export class RowTooLarge extends Error {}

/** Holds one row while it is made. */
export class RowEncoder {
  bytes: Buffer = Buffer.from(new ArrayBuffer(4096));
  words = new Int32Array(this.bytes.buffer);
  /** Octets of the row, a multiple of 8. */
  length = 0;

  /** @throws Error when the id or the owner is no UUID, RowTooLarge */
  encode(kind: RowKind, entity: Values): void {
    this.length = kind.headBytes;
    this.bytes.fill(0, 0, kind.headBytes);
    const id = String(entity['id']);
    if (!parseUuid(id, this.bytes, HEAD.id * 4)) throw new Error(`the id ${id} is no UUID`);
    if (kind.owner !== null && !parseUuid(idOf(entity[kind.owner]), this.bytes, HEAD.owner * 4)) {
      throw new Error(`${kind.name} ${id} has no ${kind.owner}`);
    }
    for (let field = 0; field < kind.fields.length; field++) {
      const name = kind.fields[field]!;
      const value = entity[name];
      if (value === null || value === undefined) continue;
      if (name === 'id' && value === formatUuid(this.bytes, HEAD.id * 4)) continue;
      if (name === kind.owner && isReference(value) && value.id === formatUuid(this.bytes, HEAD.owner * 4))
        continue;
      this.#value(field << 3, value);
    }
    while ((this.length & 7) !== 0) this.#byte(0xff);
    if (this.length > MAX_ROW_BYTES) throw new RowTooLarge(`${kind.name} ${id} is too large`);
    this.words[HEAD.info] = infoOf(this.length, kind.number);
  }

  #value(field: number, value: unknown): void {
    if (typeof value === 'string' && value.isWellFormed()) this.#text(field | TEXT, value);
    else if (
      typeof value === 'number' &&
      Number.isSafeInteger(value) &&
      value >= 0 &&
      !Object.is(value, -0)
    ) {
      this.#byte(field | INTEGER);
      this.#integer(value);
    } else if (typeof value === 'number' && Number.isFinite(value)) {
      this.#byte(field | DOUBLE);
      this.#reserve(8);
      this.length = this.bytes.writeDoubleLE(value, this.length);
    } else if (typeof value === 'boolean') this.#byte(field | (value ? TRUE : FALSE));
    else if (isReference(value)) this.#reference(field, value);
    else this.#text(field | JSON_TEXT, JSON.stringify(value));
  }

  #reference(field: number, value: { readonly id: string }): void {
    this.#byte(field | REFERENCE);
    this.#reserve(16);
    const canonical =
      parseUuid(value.id, this.bytes, this.length) && formatUuid(this.bytes, this.length) === value.id;
    if (canonical) this.length += 16;
    else {
      this.length--;
      this.#text(field | JSON_TEXT, JSON.stringify(value));
    }
  }

  #text(head: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#byte(head);
    this.#integer(length);
    this.#reserve(length);
    this.bytes.write(text, this.length, 'utf8');
    this.length += length;
  }

  /** Seven bits an octet, the lowest first. */
  #integer(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = value;
  }

  #reserve(length: number): void {
    if (this.length + length <= this.bytes.length) return;
    const grown = Buffer.from(new ArrayBuffer(2 ** Math.ceil(Math.log2(this.length + length))));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    this.words = new Int32Array(grown.buffer);
  }
}

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
    this.length = this.#form === TEXT || this.#form === JSON_TEXT ? this.#integer() : 0;
    this.from = this.#at;
    this.#at += this.length;
    if (this.#form === DOUBLE) this.#at += 8;
    else if (this.#form === REFERENCE) this.#at += 16;
    else if (this.#form === INTEGER) this.length = this.#integer();
    return true;
  }

  get isText(): boolean {
    return this.#form === TEXT;
  }

  value(): unknown {
    const { from, length } = this;
    switch (this.#form) {
      case TEXT:
        return this.#bytes.toString('utf8', from, from + length);
      case INTEGER:
        return length;
      case DOUBLE:
        return this.#bytes.readDoubleLE(from);
      case REFERENCE:
        return { id: formatUuid(this.#bytes, from) };
      case JSON_TEXT:
        return JSON.parse(this.#bytes.toString('utf8', from, from + length));
      default:
        return this.#form === TRUE;
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

function isReference(value: unknown): value is { readonly id: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'id' in value && typeof value.id === 'string' && Object.keys(value).length === 1;
}

function idOf(reference: unknown): string {
  return isReference(reference) ? reference.id : '';
}
