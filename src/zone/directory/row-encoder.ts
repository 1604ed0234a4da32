/**
 * Entities as rows: the fields in the forms of row-fields.ts, after the head of tables.ts.
 *
 * The id and the owner stand in the head; as fields they are there only when their text is not that of
 * the sixteen octets (capital letters).
 */
import { parseUuid } from './key.ts';
import type { RowKind } from './row-kind.ts';
import { FORM } from './row-fields.ts';
import { HEAD, infoOf, MAX_ROW_BYTES } from './tables.ts';

type Values = Readonly<Record<string, unknown>>;

class RowTooLarge extends Error {}

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
      if (name === 'id' && isSmall(id)) continue;
      if (name === kind.owner && isReference(value) && isSmall(value.id)) continue;
      this.#value(field << 3, value);
    }
    while ((this.length & 7) !== 0) this.#byte(0xff);
    if (this.length > MAX_ROW_BYTES) throw new RowTooLarge(`${kind.name} ${id} is too large`);
    this.words[HEAD.info] = infoOf(this.length, kind.number);
  }

  #value(field: number, value: unknown): void {
    if (typeof value === 'string' && value.isWellFormed()) this.#text(field | FORM.text, value);
    else if (
      typeof value === 'number' &&
      Number.isSafeInteger(value) &&
      value >= 0 &&
      !Object.is(value, -0)
    ) {
      this.#byte(field | FORM.integer);
      this.#integer(value);
    } else if (typeof value === 'number' && Number.isFinite(value)) {
      this.#byte(field | FORM.double);
      this.#reserve(8);
      this.length = this.bytes.writeDoubleLE(value, this.length);
    } else if (typeof value === 'boolean') this.#byte(field | (value ? FORM.true : FORM.false));
    else if (isReference(value)) this.#reference(field, value);
    else this.#text(field | FORM.json, JSON.stringify(value));
  }

  #reference(field: number, value: { readonly id: string }): void {
    this.#byte(field | FORM.reference);
    this.#reserve(16);
    if (parseUuid(value.id, this.bytes, this.length) && isSmall(value.id)) this.length += 16;
    else {
      this.length--;
      this.#text(field | FORM.json, JSON.stringify(value));
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

function isReference(value: unknown): value is { readonly id: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'id' in value && typeof value.id === 'string' && Object.keys(value).length === 1;
}

/** Is the UUID written as it is read? */
function isSmall(uuid: string): boolean {
  return uuid.toLowerCase() === uuid;
}

function idOf(reference: unknown): string {
  return isReference(reference) ? reference.id : '';
}
