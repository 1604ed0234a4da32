/** The zone of health: counters in a row, and slots that are never two things at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import '../../../test/support/fixed-seed.ts';
import { HealthWriter } from './health-writer.ts';
import { FAILURE, type HealthHandle, HealthZone } from './health-zone.ts';
import { addressKey, BUCKETS, groupKey, type HealthKey } from './layout.ts';

class Clock {
  now = 1000;
  heartbeat = 0;
  writer(capacity?: number): HealthWriter {
    return new HealthWriter({
      now: () => this.now,
      oldestHeartbeat: () => this.heartbeat,
      lingerMs: 100,
      ...(capacity === undefined ? {} : { capacity }),
    });
  }
}

const keyOf = (n: number): HealthKey => addressKey('u', { host: 'h', port: n }, '127.0.0.1', n);

function taken(writer: HealthWriter, key: HealthKey, group: HealthHandle | null = null): HealthHandle {
  const handle = writer.take(key, group);
  assert.ok(handle);
  return handle;
}

function one(): { zone: HealthZone; handle: HealthHandle; group: HealthHandle } {
  const writer = new Clock().writer();
  const group = taken(writer, groupKey('u'));
  return { zone: new HealthZone(writer.buffer), handle: taken(writer, keyOf(1), group), group };
}

type Step = 's' | 't' | 'o' | 'h';
const ROWS: ReadonlyArray<readonly [steps: string, limit: number, healthy: boolean]> = [
  ['hh', 3, true],
  ['hhh', 3, false],
  ['hhshh', 3, true],
  ['hthoh', 3, false],
  ['ttoohh', 3, true],
  ['h', 0, true],
  ['hhhs', 3, false],
  ['hhhss', 3, true],
  ['hhhshs', 3, false],
  ['hhhshss', 3, true],
  ['h'.repeat(254), 255, true],
  ['h'.repeat(255), 255, false],
];
for (const [steps, limit, healthy] of ROWS) {
  test(`${steps.slice(0, 12)} with a limit of ${limit}: ${healthy ? 'healthy' : 'unhealthy'}`, () => {
    const { zone, handle } = one();
    for (const step of steps) play(zone, handle, step as Step, limit);
    assert.equal(zone.healthy(handle), healthy);
  });
}

function play(zone: HealthZone, handle: HealthHandle, step: Step, limit: number): boolean {
  if (step === 's') return zone.succeeded(handle, 2);
  const kind = { t: FAILURE.tcp, o: FAILURE.timeout, h: FAILURE.http }[step];
  return zone.failed(handle, kind, limit);
}

test('property: as a model of four counters says, and each change is told once and counted', () => {
  const steps = fc.array(fc.constantFrom<Step>('s', 't', 'o', 'h'), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 4 }), (all, limit) => {
      const { zone, handle, group } = one();
      let healthy = true;
      let counts: Record<Step, number> = { s: 0, t: 0, o: 0, h: 0 };
      let changes = 0;
      const before = zone.epoch(group);
      for (const step of all) {
        counts = step === 's' ? { s: counts.s + 1, t: 0, o: 0, h: 0 } : { ...counts, s: 0 };
        if (step === 's' && healthy) counts.s = 0;
        if (step !== 's' && !healthy) counts = { s: 0, t: 0, o: 0, h: 0 };
        else if (step !== 's') counts[step]++;
        const most = step === 's' ? 2 : limit;
        const turns: boolean = most > 0 && counts[step] >= most && healthy === (step !== 's');
        if (turns) {
          healthy = !healthy;
          counts = { s: 0, t: 0, o: 0, h: 0 };
          changes++;
        }
        if (limit === 0 && step !== 's') counts[step] = 0;
        assert.equal(play(zone, handle, step, limit), turns);
        assert.equal(zone.healthy(handle), healthy);
      }
      assert.equal(zone.epoch(group) - before, changes);
    }),
  );
});

test('what is taken again within the time is as it was; afterwards it is healthy', () => {
  const clock = new Clock();
  const writer = clock.writer();
  const { zone } = writer;
  zone.force(taken(writer, keyOf(1)), false);
  writer.leave(keyOf(1));
  clock.now += 99;
  writer.sweep();
  assert.equal(zone.healthy(taken(writer, keyOf(1))), false);
  writer.leave(keyOf(1));
  clock.now += 101;
  writer.sweep();
  assert.equal(zone.find(keyOf(1)), null);
  assert.equal(zone.healthy(taken(writer, keyOf(1))), true);
});

test('a slot is given out again only when every worker has been elsewhere', () => {
  const clock = new Clock();
  const writer = clock.writer(1);
  const { zone } = writer;
  const old = taken(writer, keyOf(1));
  writer.leave(keyOf(1));
  clock.now = 2000;
  writer.sweep();
  assert.equal(zone.lives(old), false);
  clock.heartbeat = 2000;
  assert.equal(writer.take(keyOf(2), null), null, 'a worker may stand on it');
  clock.heartbeat = 2001;
  const next = taken(writer, keyOf(2));
  assert.equal(next.at, old.at);
  assert.deepEqual([zone.lives(old), zone.lives(next)], [false, true]);
  zone.failed(old, FAILURE.tcp, 1);
  assert.equal(zone.healthy(next), true, 'an old handle does nothing');
});

test('without room, what lingers goes; what is used stays', () => {
  const clock = new Clock();
  clock.heartbeat = Infinity;
  const writer = clock.writer(2);
  taken(writer, keyOf(1));
  taken(writer, keyOf(2));
  assert.equal(writer.take(keyOf(3), null), null);
  writer.leave(keyOf(1));
  taken(writer, keyOf(3));
  assert.ok(writer.zone.find(keyOf(2)));
  assert.equal(writer.zone.find(keyOf(1)), null);
});

test('property: whatever is taken and left, each key has its own slot and is found by others', () => {
  // Few buckets are hit by many keys.
  const keys = Array.from({ length: 12 }, (_, n): HealthKey => [(n % 3) + BUCKETS * n, n, n, n]);
  const moves = fc.array(fc.tuple(fc.nat(11), fc.boolean()), { maxLength: 80 });
  fc.assert(
    fc.property(moves, (all) => {
      const clock = new Clock();
      clock.heartbeat = Infinity;
      const writer = clock.writer(12);
      const reader = new HealthZone(writer.buffer);
      const model = new Set<number>();
      for (const [n, take] of all) {
        if (take) {
          taken(writer, keys[n]!);
          model.add(n);
        } else {
          writer.leave(keys[n]!);
          model.delete(n);
          clock.now += 1000;
          writer.sweep();
        }
        const found = keys.map((key) => reader.find(key)?.at ?? null);
        assert.deepEqual(
          found.map((at) => at !== null),
          keys.map((_, i) => model.has(i)),
        );
        const slots = found.filter((at) => at !== null);
        assert.equal(new Set(slots).size, slots.length);
      }
    }),
  );
});

test('keys of 100,000 addresses are all different', () => {
  const keys = new Set<string>();
  for (let n = 0; n < 100_000; n++)
    keys.add(
      addressKey(`${n % 7}`, { host: `10.0.${n % 250}.1`, port: n }, `10.0.0.${n % 200}`, n % 65_536).join(),
    );
  assert.equal(keys.size, 100_000);
});
