/**
 * Rewrites a WebAssembly module so that none of its loops runs for ever: each turn of each loop takes one from a global that
 * the host fills, and when that is used up the host is called, which throws when it has had enough.
 *
 * QuickJS asks now and then whether to stop, but only between steps of a script: a built-in that is busy by itself
 * (`[].includes.call({ length: 2 ** 53 })`, a search for half a megabyte in a megabyte) never asks. Every loop of
 * the compiled engine does, this way. What remains are recursion, which the stack bounds, and straight code.
 *
 * The host is called through an import that the module has already, one without parameters and results: another one
 * would shift the numbers of all functions. The global is a new one behind the module's own.
 */
import { ByteReader, sized, u32 } from './leb.ts';
import { loopBodies } from './loops.ts';

/** The export that holds the turns left. */
export const FUEL = 'fuel';

const TYPES = 1;
const IMPORTS = 2;
const GLOBALS = 6;
const EXPORTS = 7;
const CODE = 10;
const KIND_FUNCTION = 0;
const KIND_TABLE = 1;
const KIND_MEMORY = 2;
const KIND_GLOBAL = 3;
/** `i32`, mutable, `i32.const 0`, `end`. */
const FUEL_GLOBAL = Buffer.from([0x7f, 0x01, 0x41, 0x00, 0x0b]);
/** The same with 2^31 - 1. */
const FULL_GLOBAL = Buffer.from([0x7f, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b]);

const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const CALL = 0x10;
const END = 0x0b;
const UNREACHABLE = 0x00;
/** `i32.const 1`, `i32.sub`. */
const MINUS_ONE = [0x41, 1, 0x6b];
/** `i32.const 0`, `i32.lt_s`, `if` without a result. */
const IF_NEGATIVE = [0x41, 0, 0x48, 0x04, 0x40];

export interface MeteredModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The import that is called when the fuel is used up; also the module's own calls come to it. */
  readonly hook: { readonly module: string; readonly name: string };
}

interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

/** @throws RangeError, TypeError for a module that this cannot be done to. */
export function meter(wasm: Uint8Array): MeteredModule {
  const sections = sectionsOf(wasm);
  const hook = findHook(sectionOf(sections, IMPORTS), plainTypes(sectionOf(sections, TYPES)));
  const bytes = rewritten(wasm, sections, { initial: FUEL_GLOBAL, atEnd: [CALL, ...u32(hook.index)] });
  return { bytes, hook: { module: hook.module, name: hook.name } };
}

/**
 * For a module without such an import: it traps when the fuel is used up, of which it has 2^31 - 1 turns to begin with.
 *
 * @throws RangeError, TypeError for a module that this cannot be done to.
 */
export function meterTrapping(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  return rewritten(wasm, sectionsOf(wasm), { initial: FULL_GLOBAL, atEnd: [UNREACHABLE] });
}

function sectionOf(sections: readonly Section[], id: number): Uint8Array {
  const body = sections.find((section) => section.id === id)?.body;
  if (body === undefined) throw new TypeError(`a module without section ${id}`);
  return body;
}

function rewritten(
  wasm: Uint8Array,
  sections: readonly Section[],
  { initial, atEnd }: { readonly initial: Uint8Array; readonly atEnd: readonly number[] },
): Uint8Array<ArrayBuffer> {
  const fuel = new ByteReader(sectionOf(sections, GLOBALS)).u32();
  const check = checkCode(fuel, atEnd);
  const changed = new Map<number, (body: Uint8Array) => Uint8Array>([
    [GLOBALS, (body) => withOneMore(body, initial)],
    [EXPORTS, (body) => withOneMore(body, fuelExport(fuel))],
    [CODE, (body) => meteredCode(body, check)],
  ]);
  const parts: Uint8Array[] = [wasm.subarray(0, 8)];
  for (const { id, body } of sections) {
    parts.push(Buffer.from([id]), sized(changed.get(id)?.(body) ?? body));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function sectionsOf(wasm: Uint8Array): Section[] {
  const reader = new ByteReader(wasm, 8);
  const sections: Section[] = [];
  while (!reader.done) {
    const id = reader.byte();
    const size = reader.u32();
    sections.push({ id, body: wasm.subarray(reader.at, reader.at + size) });
    reader.skip(size);
  }
  return sections;
}

/** Numbers of the types `() -> ()`. */
function plainTypes(body: Uint8Array): Set<number> {
  const reader = new ByteReader(body);
  const plain = new Set<number>();
  const count = reader.u32();
  for (let number = 0; number < count; number++) {
    reader.byte();
    const parameters = reader.u32();
    reader.skip(parameters);
    const results = reader.u32();
    reader.skip(results);
    if (parameters === 0 && results === 0) plain.add(number);
  }
  return plain;
}

function findHook(body: Uint8Array, plain: Set<number>): MeteredModule['hook'] & { readonly index: number } {
  const reader = new ByteReader(body);
  const text = (): string => {
    const length = reader.u32();
    const { at } = reader;
    reader.skip(length);
    return Buffer.from(reader.bytes.subarray(at, at + length)).toString();
  };
  let index = 0;
  for (let left = reader.u32(); left > 0; left--) {
    const module = text();
    const name = text();
    const kind = reader.byte();
    if (kind === KIND_FUNCTION) {
      if (plain.has(reader.u32())) return { module, name, index };
      index++;
    } else if (kind === KIND_GLOBAL) throw new TypeError('a module that imports globals');
    else skipLimits(reader, kind);
  }
  throw new TypeError('a module without an import that takes and gives nothing');
}

function skipLimits(reader: ByteReader, kind: number): void {
  if (kind === KIND_TABLE) reader.byte();
  else if (kind !== KIND_MEMORY) throw new TypeError(`an import of kind ${kind}`);
  const bounded = reader.byte();
  reader.skipNumber();
  if (bounded & 1) reader.skipNumber();
}

/** `fuel -= 1; if (fuel < 0) …`. */
function checkCode(fuel: number, atEnd: readonly number[]): Uint8Array {
  const number = u32(fuel);
  return Buffer.from([
    GLOBAL_GET,
    ...number,
    ...MINUS_ONE,
    GLOBAL_SET,
    ...number,
    GLOBAL_GET,
    ...number,
    ...IF_NEGATIVE,
    ...atEnd,
    END,
  ]);
}

function fuelExport(fuel: number): Uint8Array {
  return Buffer.concat([sized(Buffer.from(FUEL)), Buffer.from([KIND_GLOBAL, ...u32(fuel)])]);
}

/** A list whose length stands first. */
function withOneMore(body: Uint8Array, item: Uint8Array): Uint8Array {
  const reader = new ByteReader(body);
  const count = reader.u32();
  return Buffer.concat([Buffer.from(u32(count + 1)), body.subarray(reader.at), item]);
}

function meteredCode(body: Uint8Array, check: Uint8Array): Uint8Array {
  const reader = new ByteReader(body);
  const count = reader.u32();
  const parts: Uint8Array[] = [Buffer.from(u32(count))];
  for (let left = count; left > 0; left--) {
    const size = reader.u32();
    parts.push(sized(meteredFunction(body.subarray(reader.at, reader.at + size), check)));
    reader.skip(size);
  }
  return Buffer.concat(parts);
}

function meteredFunction(body: Uint8Array, check: Uint8Array): Uint8Array {
  const code = new ByteReader(body);
  for (let groups = code.u32(); groups > 0; groups--) {
    code.u32();
    code.byte();
  }
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const at of loopBodies(code)) {
    parts.push(body.subarray(from, at), check);
    from = at;
  }
  if (from === 0) return body;
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}
