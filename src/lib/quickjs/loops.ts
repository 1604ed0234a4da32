/**
 * Finds where the loops of WebAssembly code begin: passes over its instructions, whose immediates are the only thing that has
 * to be known of them (WebAssembly Core Specification 2.0, §5.4). What it does not know it refuses: no loop is overlooked.
 */
import type { ByteReader } from './leb.ts';

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const BR_TABLE = 0x0e;
const CALL_INDIRECT = 0x11;
const SELECT_TYPED = 0x1c;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const MISC = 0xfc;

/** br, br_if, call; locals, globals, tables; memory.size, memory.grow; i32.const, i64.const; ref.null, ref.func. */
const ONE_NUMBER: ReadonlySet<number> = new Set([
  0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2,
]);
/** unreachable, nop, else, end, return, drop, select, ref.is_null. */
const BARE: ReadonlySet<number> = new Set([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1]);
/** Of the instructions behind 0xfc, how many numbers follow: saturating conversions, then memory and table in bulk. */
const MISC_NUMBERS: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];

/** @returns the offsets right behind each `loop` and its type. @throws RangeError for an unknown instruction. */
export function loopBodies(code: ByteReader): number[] {
  const found: number[] = [];
  while (!code.done) {
    const opcode = code.byte();
    if (opcode === BLOCK || opcode === LOOP || opcode === IF) {
      code.skipNumber();
      if (opcode === LOOP) found.push(code.at);
    } else skipImmediates(code, opcode);
  }
  return found;
}

function skipImmediates(code: ByteReader, opcode: number): void {
  if (BARE.has(opcode) || (opcode >= 0x45 && opcode <= 0xc4)) return;
  if (ONE_NUMBER.has(opcode)) return code.skipNumber();
  // Loads and stores: alignment and offset.
  if (opcode >= 0x28 && opcode <= 0x3e) return skipNumbers(code, 2);
  if (opcode === BR_TABLE) return skipNumbers(code, code.u32() + 1);
  if (opcode === CALL_INDIRECT) return skipNumbers(code, 2);
  if (opcode === SELECT_TYPED) return code.skip(code.u32());
  if (opcode === F32_CONST) return code.skip(4);
  if (opcode === F64_CONST) return code.skip(8);
  const numbers = opcode === MISC ? MISC_NUMBERS[code.u32()] : undefined;
  if (numbers === undefined) throw new RangeError(`unknown instruction 0x${opcode.toString(16)}`);
  skipNumbers(code, numbers);
}

function skipNumbers(code: ByteReader, count: number): void {
  for (let done = 0; done < count; done++) code.skipNumber();
}
