/**
 * The header section of one message, kept as the bytes that came and the offsets at which its lines stand.
 *
 * Most lines of a request go upstream as they are. So nothing is turned into strings: the parser validates each byte
 * once and notes offsets, a look-up makes a string of the one value that is asked for, and the serializer copies runs
 * of untouched lines. What the gateway removes is marked, what it adds waits in a list of strings behind the lines.
 *
 * Names that the gateway asks for on every request are known by a small number, so that finding them costs no search.
 */
import { latin1, putLatin1 } from '../../lib/bytes.ts';
import type { NameSet } from '../folded-names.ts';
import type { Headers } from '../message.ts';
import { hashName, KNOWN_COUNT, knownId, knownIdOfBytes } from './field-names.ts';
import { LOWER } from './syntax.ts';

/** Offsets of one line in `#lines`. */
const NAME = 0;
const NAME_END = 1;
const VALUE = 2;
const VALUE_END = 3;
/** Number of a known name, else the name's hash with a bit that no number has; -1 when the line was removed. */
const TAG = 4;
const STRIDE = 5;
const REMOVED = -1;
const UNKNOWN_TAG = 0x40000000;
const INITIAL_LINES = 32;

function unknownTag(hash: number): number {
  return (hash & 0x3fffffff) | UNKNOWN_TAG;
}

export class FieldLines implements Headers {
  buffer: Buffer;
  /** Lines parsed, removed ones among them. */
  count = 0;
  /** Offset of the empty line that ends the section. */
  end = 0;
  /** Bit `1 << id` for each known name that stands in some line. */
  seen = 0;
  /** A known name from the set `1 << id` occurs more than once. */
  repeated = 0;
  /** Added by the gateway: name, value, name, value; the first `#addedCount` of them. */
  readonly #added: string[] = [];
  #addedCount = 0;
  #removed = 0;
  /** No received line has a spelling of these: they have been removed before. */
  #cleared: NameSet | null = null;
  /** Bit `1 << id` for each known name among `added`. */
  #addedKnown = 0;
  #lines = new Int32Array(INITIAL_LINES * STRIDE);
  readonly #first = new Int16Array(KNOWN_COUNT + 1);

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  /** Forgets everything; `buffer` is what the next lines point into. */
  reset(buffer: Buffer): void {
    this.buffer = buffer;
    this.count = 0;
    this.end = 0;
    this.seen = 0;
    this.repeated = 0;
    this.#removed = 0;
    this.#cleared = null;
    this.#addedKnown = 0;
    this.#addedCount = 0;
  }

  /** The bytes moved: the section's start, once at `from`, is now the start of `buffer`. */
  rebase(buffer: Buffer, from: number): void {
    this.buffer = buffer;
    const lines = this.#lines;
    for (let at = 0; at < this.count * STRIDE; at += STRIDE) {
      for (let field = NAME; field <= VALUE_END; field++) lines[at + field] = (lines[at + field] ?? 0) - from;
    }
  }

  /** Copies the section out of a buffer that will be read into again. */
  detach(): void {
    const start = this.count === 0 ? this.end : (this.#lines[NAME] ?? 0);
    const bytes = Buffer.allocUnsafe(this.end - start);
    this.buffer.copy(bytes, 0, start, this.end);
    this.rebase(bytes, start);
    this.end -= start;
  }

  /** For the parser: one validated line, `hash` over its lower-cased name. */
  push(name: number, nameEnd: number, value: number, valueEnd: number, hash: number): void {
    let at = this.count * STRIDE;
    if (at === this.#lines.length) this.#grow();
    const lines = this.#lines;
    const id = knownIdOfBytes(this.buffer, name, nameEnd, hash);
    lines[at++] = name;
    lines[at++] = nameEnd;
    lines[at++] = value;
    lines[at++] = valueEnd;
    lines[at] = id === 0 ? unknownTag(hash) : id;
    if (id !== 0) {
      const bit = 1 << id;
      if ((this.seen & bit) === 0) {
        this.seen |= bit;
        this.#first[id] = this.count;
      } else {
        this.repeated |= bit;
      }
    }
    this.count++;
  }

  get(name: string): string | undefined {
    const id = knownId(name);
    const line = id === 0 ? this.#find(name, 0) : this.#firstKnown(id);
    if (line >= 0) return this.#value(line);
    if (id !== 0 && (this.#addedKnown & (1 << id)) === 0) return undefined;
    return this.#addedValue(name);
  }

  all(name: string): string[] {
    const values: string[] = [];
    const id = knownId(name);
    const tag = id === 0 ? unknownTag(hashName(name)) : id;
    const lines = this.#lines;
    const stop = this.count * STRIDE;
    for (let at = 0; at < stop; at += STRIDE) {
      if (lines[at + TAG] === tag && (id !== 0 || this.#sameName(at, name)))
        values.push(this.#value(at / STRIDE));
    }
    for (let i = 0; i < this.#addedCount; i += 2) {
      if (this.#added[i]?.toLowerCase() === name) values.push(this.#added[i + 1] ?? '');
    }
    return values;
  }

  received(name: string): string[] {
    const values: string[] = [];
    for (let line = 0; line < this.count; line++)
      if (this.#sameName(line * STRIDE, name)) values.push(this.#value(line));
    return values;
  }

  has(name: string): boolean {
    const id = knownId(name);
    if (id !== 0) return ((this.seen | this.#addedKnown) & (1 << id)) !== 0;
    return this.#find(name, 0) >= 0 || this.#addedValue(name) !== undefined;
  }

  repeats(name: string): boolean {
    const id = knownId(name);
    if (id !== 0 && ((this.repeated | this.#addedKnown) & (1 << id)) === 0) return false;
    return this.all(name).length > 1;
  }

  each(visit: (name: string, value: string) => void): void {
    const lines = this.#lines;
    for (let line = 0; line < this.count; line++) {
      const at = line * STRIDE;
      if (lines[at + TAG] === REMOVED) continue;
      visit(latin1(this.buffer, lines[at + NAME] ?? 0, lines[at + NAME_END] ?? 0), this.#value(line));
    }
    for (let i = 0; i < this.#addedCount; i += 2) visit(this.#added[i] ?? '', this.#added[i + 1] ?? '');
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  add(name: string, value: string): void {
    this.#addedKnown |= 1 << knownId(name);
    this.#added[this.#addedCount++] = name;
    this.#added[this.#addedCount++] = value;
  }

  remove(name: string): void {
    const id = knownId(name);
    if (id !== 0) {
      this.removeKnown(id);
      if ((this.#addedKnown & (1 << id)) !== 0) this.#removeAdded(name.toLowerCase());
      return;
    }
    const lower = name.toLowerCase();
    for (let line = this.#find(lower, 0); line >= 0; line = this.#find(lower, line + 1)) this.#drop(line);
    this.#removeAdded(lower);
  }

  removeSpellings(names: NameSet): void {
    const cleared = this.#cleared;
    if (cleared === null || (cleared !== names && cleared !== names.within)) {
      this.#clearLines(names);
      this.#cleared = names;
    }
    for (let i = 0; i < this.#addedCount;) {
      const name = this.#added[i] ?? '';
      if (names.has(name)) this.remove(name);
      else i += 2;
    }
  }

  #clearLines(names: NameSet): void {
    const lines = this.#lines;
    for (let line = 0; line < this.count; line++) {
      const at = line * STRIDE;
      const start = lines[at + NAME] ?? 0;
      const end = lines[at + NAME_END] ?? 0;
      const first = LOWER[this.buffer[start] as number] as number;
      if (lines[at + TAG] === REMOVED || !names.mayHave(end - start, first)) continue;
      const name = latin1(this.buffer, start, end);
      if (names.has(name)) this.remove(name);
    }
  }

  #removeAdded(name: string): void {
    for (let i = this.#addedCount - 2; i >= 0; i -= 2) {
      if (this.#added[i]?.toLowerCase() !== name) continue;
      this.#added.splice(i, 2);
      this.#addedCount -= 2;
    }
    this.#addedKnown &= ~(1 << knownId(name));
  }

  /** First value of a known name among the received lines, without a search. */
  known(id: number): string | undefined {
    if ((this.seen & (1 << id)) === 0) return undefined;
    const line = this.#firstKnown(id);
    return line < 0 ? undefined : this.#value(line);
  }

  /** Removes all received lines of a known name (not what was added). */
  removeKnown(id: number): void {
    const bit = 1 << id;
    if ((this.seen & bit) === 0) return;
    this.seen &= ~bit;
    const lines = this.#lines;
    const last = (this.repeated & bit) === 0 ? (this.#first[id] ?? 0) + 1 : this.count;
    for (let line = this.#first[id] ?? 0; line < last; line++) {
      if (lines[line * STRIDE + TAG] === id) this.#drop(line);
    }
  }

  /** Upper bound of the bytes that `copyTo` writes. */
  get byteLength(): number {
    let bytes = this.count === 0 ? 0 : this.end - (this.#lines[NAME] ?? 0);
    for (let i = 0; i < this.#addedCount; i++) bytes += (this.#added[i]?.length ?? 0) + 2;
    return bytes;
  }

  /** Writes all lines, each with its CRLF, at `at`; returns where they end. The target has `byteLength` bytes left. */
  copyTo(target: Buffer, at: number): number {
    const next = this.#removed === 0 ? this.#copyAll(target, at) : this.#copyRuns(target, at);
    return this.#addedCount === 0 ? next : this.#copyAdded(target, next);
  }

  #copyAll(target: Buffer, at: number): number {
    if (this.count === 0) return at;
    const start = this.#lines[NAME] ?? 0;
    this.buffer.copy(target, at, start, this.end);
    return at + this.end - start;
  }

  #copyRuns(target: Buffer, at: number): number {
    const lines = this.#lines;
    const stop = this.count * STRIDE;
    let runStart = -1;
    for (let line = 0; line < stop; line += STRIDE) {
      if (lines[line + TAG] !== REMOVED) {
        if (runStart < 0) runStart = lines[line] ?? 0;
      } else if (runStart >= 0) {
        const runEnd = lines[line] ?? 0;
        this.buffer.copy(target, at, runStart, runEnd);
        at += runEnd - runStart;
        runStart = -1;
      }
    }
    if (runStart < 0) return at;
    this.buffer.copy(target, at, runStart, this.end);
    return at + this.end - runStart;
  }

  #copyAdded(target: Buffer, at: number): number {
    const added = this.#added;
    for (let i = 0; i < this.#addedCount; i += 2)
      at = writeField(target, at, added[i] ?? '', added[i + 1] ?? '');
    return at;
  }

  #grow(): void {
    const larger = new Int32Array(this.#lines.length * 2);
    larger.set(this.#lines);
    this.#lines = larger;
  }

  /** Index of the first line from `from` on with that name, or -1. */
  #find(name: string, from: number): number {
    const id = knownId(name);
    const tag = id === 0 ? unknownTag(hashName(name)) : id;
    const lines = this.#lines;
    for (let line = from; line < this.count; line++) {
      const at = line * STRIDE;
      if (lines[at + TAG] !== tag) continue;
      if (id !== 0 || this.#sameName(at, name)) return line;
    }
    return -1;
  }

  #sameName(at: number, name: string): boolean {
    const start = this.#lines[at + NAME] ?? 0;
    if ((this.#lines[at + NAME_END] ?? 0) - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) {
      if (LOWER[this.buffer[start + i] as number] !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #firstKnown(id: number): number {
    return (this.seen & (1 << id)) === 0 ? -1 : (this.#first[id] ?? -1);
  }

  #value(line: number): string {
    const at = line * STRIDE;
    return latin1(this.buffer, this.#lines[at + VALUE] ?? 0, this.#lines[at + VALUE_END] ?? 0);
  }

  #addedValue(name: string): string | undefined {
    for (let i = 0; i < this.#addedCount; i += 2) {
      if (this.#added[i]?.toLowerCase() === name) return this.#added[i + 1];
    }
    return undefined;
  }

  #drop(line: number): void {
    this.#lines[line * STRIDE + TAG] = REMOVED;
    this.#removed++;
  }
}

/** Writes `name: value CRLF`; both are latin1 and were checked by whoever made them. */
export function writeField(target: Buffer, at: number, name: string, value: string): number {
  at = putLatin1(target, at, name);
  target[at++] = 0x3a;
  target[at++] = 0x20;
  at = putLatin1(target, at, value);
  target[at++] = 0x0d;
  target[at++] = 0x0a;
  return at;
}
