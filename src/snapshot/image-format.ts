/**
 * The bytes of an image; image.ts says what they are for.
 *
 * Layout: 8 bytes (magic, length of the head), the head as JSON, padding to 8, the index, the record texts. The head
 * lists the sections: one operation on one kind of entity, and how many rows of the index it has, in their order. So a
 * reader passes over the kinds that it does not need without touching their rows.
 * A row is two doubles (created_at, updated_at; NaN where the entity has none) and four 32-bit words (offset and
 * length of the text, the route's service as its number among the services of the same image, unused). A text is the
 * entity as JSON with its id first and without the two timestamps: those stand in the index because a file that does
 * not say them gets its load time, and an entity whose text is unchanged must not count as changed at each reload. It
 * keeps its first timestamps then.
 */
import type { Values } from '../entities/schema/field.ts';
import type { Steps } from '../lib/steps.ts';

export interface ImageMeta {
  readonly revision: number;
  /** MD5 of the configuration's text, 32 hex digits. */
  readonly hash: string;
}

export interface DeltaMeta extends ImageMeta {
  /** Null: a whole configuration. A number: a delta that applies to that revision alone. */
  readonly baseRevision: number | null;
}

export type Operation = 'put' | 'remove';

/** A record on its way into an image. Texts are shared with the image they come from when they are bytes. */
export interface Row {
  readonly text: string | Buffer;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Number of the route's service among the services of the same image. */
  readonly serviceRow: number;
}

export interface Rows {
  readonly op: Operation;
  readonly kind: string;
  readonly rows: readonly Row[];
}

/** Where a section's rows are in the index. */
export interface Section {
  readonly op: Operation;
  readonly kind: string;
  readonly first: number;
  readonly end: number;
}

interface Head extends DeltaMeta {
  readonly sections: ReadonlyArray<{ readonly op: Operation; readonly kind: string; readonly rows: number }>;
}

const MAGIC = 0x536c7569;
const ROW_SIZE = 32;
export const NO_SERVICE = 0xffffffff;

/** @param entity complete, of any kind. */
export function rowOf(entity: object, serviceRow: number): Row {
  const { created_at: createdAt, updated_at: updatedAt } = entity as Values;
  let text = JSON.stringify({ ...entity, created_at: undefined, updated_at: undefined });
  if (!text.startsWith('{"id":')) {
    const { id, created_at: _, updated_at: __, ...rest } = entity as Values;
    text = JSON.stringify({ id, ...rest });
  }
  return { text, createdAt: timeOf(createdAt), updatedAt: timeOf(updatedAt), serviceRow };
}

function timeOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}

/** One step for each row. */
export function* imageInSteps(meta: DeltaMeta, all: readonly Rows[]): Steps<SharedArrayBuffer> {
  const filled = all.filter(({ rows }) => rows.length > 0);
  const { revision, hash, baseRevision } = meta;
  const sections = filled.map(({ op, kind, rows }) => ({ op, kind, rows: rows.length }));
  const headText = JSON.stringify({ revision, hash, baseRevision, sections } satisfies Head);
  const indexAt = align(8 + Buffer.byteLength(headText));
  let textAt = indexAt;
  let size = indexAt;
  for (const { rows } of filled) {
    textAt += rows.length * ROW_SIZE;
    for (const { text } of rows) {
      size += typeof text === 'string' ? Buffer.byteLength(text) : text.length;
      yield;
    }
  }
  size += textAt - indexAt;
  const image = new SharedArrayBuffer(size);
  const bytes = Buffer.from(image);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.write(headText, 8), 4);
  let indexRow = indexAt;
  for (const { rows } of filled) {
    for (const row of rows) {
      textAt += writeRow(bytes, row, indexRow, textAt);
      indexRow += ROW_SIZE;
      yield;
    }
  }
  return image;
}

/** Answers the length of the text. */
function writeRow(bytes: Buffer, row: Row, at: number, textAt: number): number {
  const { text } = row;
  const length = typeof text === 'string' ? bytes.write(text, textAt) : text.copy(bytes, textAt);
  bytes.writeDoubleLE(row.createdAt, at);
  bytes.writeDoubleLE(row.updatedAt, at + 8);
  bytes.writeUInt32LE(textAt, at + 16);
  bytes.writeUInt32LE(length, at + 20);
  bytes.writeUInt32LE(row.serviceRow, at + 24);
  return length;
}

function align(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

/** Reads an image in place. */
export class ImageView {
  readonly meta: DeltaMeta;
  readonly sections: readonly Section[];
  /** Number of rows. */
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #indexAt: number;

  /** Throws when the bytes are not an image. */
  constructor(image: SharedArrayBuffer) {
    const bytes = Buffer.from(image);
    if (bytes.length < 8 || bytes.readUInt32LE(0) !== MAGIC) throw new Error('not a configuration image');
    const headLength = bytes.readUInt32LE(4);
    const head = JSON.parse(bytes.toString('utf8', 8, 8 + headLength)) as Head;
    let end = 0;
    this.sections = head.sections.map(({ op, kind, rows }) => ({
      op,
      kind,
      first: end,
      end: (end += rows),
    }));
    this.meta = head;
    this.length = end;
    this.#bytes = bytes;
    this.#indexAt = align(8 + headLength);
  }

  /** The entities of a kind; empty when there are none. */
  puts(kind: string): Section {
    const found = this.sections.find((section) => section.op === 'put' && section.kind === kind);
    return found ?? { op: 'put', kind, first: 0, end: 0 };
  }

  text(row: number): Buffer {
    const at = this.#bytes.readUInt32LE(this.#at(row) + 16);
    return this.#bytes.subarray(at, at + this.#bytes.readUInt32LE(this.#at(row) + 20));
  }

  /** The text begins `{"id":"…"`; ids have no character that JSON escapes. */
  id(row: number): string {
    const from = this.#bytes.readUInt32LE(this.#at(row) + 16) + 7;
    return this.#bytes.toString('latin1', from, this.#bytes.indexOf(0x22, from));
  }

  serviceRow(row: number): number {
    return this.#bytes.readUInt32LE(this.#at(row) + 24);
  }

  /** The creation time when the file said one, else null: a load time sets both timestamps alike. */
  saidCreatedAt(row: number): number | null {
    const at = this.#at(row);
    const createdAt = this.#bytes.readDoubleLE(at);
    return createdAt === this.#bytes.readDoubleLE(at + 8) ? null : createdAt;
  }

  /** For another image, where services have other numbers. */
  row(row: number): Row {
    const at = this.#at(row);
    return {
      text: this.text(row),
      createdAt: this.#bytes.readDoubleLE(at),
      updatedAt: this.#bytes.readDoubleLE(at + 8),
      serviceRow: NO_SERVICE,
    };
  }

  entity(row: number): Values {
    const { text, createdAt, updatedAt } = this.row(row);
    const entity = JSON.parse(text.toString()) as Record<string, unknown>;
    if (!Number.isNaN(createdAt)) entity['created_at'] = createdAt;
    if (!Number.isNaN(updatedAt)) entity['updated_at'] = updatedAt;
    return entity;
  }

  #at(row: number): number {
    return this.#indexAt + row * ROW_SIZE;
  }
}
