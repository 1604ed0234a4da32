import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FUEL, meter } from './meter.ts';
import { Instance, Module, type WasmGlobal } from './wasm.ts';

/**
 * By hand: an import `m.hook` without parameters, a global, and an exported function that turns its loop as often as its
 * parameter says, with a branch table and constants of every kind on the way.
 */
const MODULE = Buffer.from(
  [
    '0061736d01000000',
    '010802600000 60017f00',
    '020a01016d04686f6f6b0000',
    '03020101',
    '0606017f0141070b',
    '07050101660001',
    '0a2e012c01017e',
    // f32.const, f64.const, i64.const with the bytes of a loop in them, dropped.
    '43030303031a 440303030303030303 1a 4283031a',
    // loop; local 0 -= 1; br_if; end
    '0340 2000 4101 6b 2200 0d00 0b',
    // block; br_table; end; end
    '0240 4100 0e0000 0b 0b',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

test('each turn of a loop takes one, and the hook is called when there is none left', () => {
  const { bytes, hook } = meter(MODULE);
  assert.deepEqual(hook, { module: 'm', name: 'hook' });
  let asked = 0;
  let fuel: WasmGlobal | null = null;
  const { exports } = new Instance(new Module(bytes), {
    m: {
      hook: () => {
        asked++;
        if (fuel !== null) fuel.value = 9;
      },
    },
  });
  fuel = exports[FUEL] as WasmGlobal;
  const run = exports['f'] as (turns: number) => void;
  fuel.value = 10;
  run(10);
  assert.deepEqual([asked, fuel.value], [0, 0]);
  run(10);
  assert.deepEqual([asked, fuel.value], [1, 0]);
  run(25);
  assert.deepEqual([asked, fuel.value], [4, 5]);
});

test('an instruction that is not known is refused', () => {
  const changed = Buffer.from(MODULE);
  changed[changed.indexOf(0x43)] = 0xfd;
  assert.throws(() => meter(changed), /unknown instruction 0xfd/);
  assert.throws(() => meter(MODULE.subarray(0, MODULE.length - 3)), RangeError);
});
