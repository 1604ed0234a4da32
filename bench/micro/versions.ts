/**
 * What it costs to draw a client's version, in nanoseconds: `node bench/micro/versions.ts`. `canary` is one comparison of a
 * place with a share, also of a release that grows; `split` draws among so many versions.
 */
import { hash32 } from '../../src/zone/hash32.ts';
import { placeOf, shareAt, WeightedDraw } from '../../src/plugins/versions/draw.ts';
import { micro, microTable, type MicroCase } from '../support/micro.ts';

const KEYS = Array.from({ length: 1024 }, (_, n) => `${n}-5e8c5bd1-3c6a-4c55-9f07-3f4b4a8f8a01`);
const keyOf = (index: number): string => KEYS[index & 1023] ?? '';
const RAMP = { start: 0, duration: 4e12, steps: 1000 };

function split(count: number): MicroCase {
  const versions = Array.from({ length: count }, (_, n) => ({ name: `version ${n}`, weight: 1 + n }));
  const draw = new WeightedDraw(versions, 0);
  return { name: `split ${count}`, run: (index) => draw.of(hash32(keyOf(index))) };
}

const CASES: readonly MicroCase[] = [
  { name: 'canary', run: (index) => placeOf(keyOf(index), 0) < 0.1 },
  { name: 'canary that grows', run: (index) => placeOf(keyOf(index), 0) < shareAt(RAMP, Date.now()) },
  split(2),
  split(3),
  split(10),
  split(50),
];

console.log(microTable('draws', micro(CASES)));
