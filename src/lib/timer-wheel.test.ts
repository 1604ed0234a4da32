import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TimerWheel, WheelTimer } from './timer-wheel.ts';
import '../../test/support/fixed-seed.ts';

const TICK = 20;

/** A wheel on a clock that the test moves; its own interval never runs, since the test never waits. */
class Bench implements Disposable {
  now = 1000;
  readonly fired: string[] = [];
  readonly wheel = new TimerWheel(TICK, () => this.now);

  timer(name: string, then: () => void = () => {}): WheelTimer {
    return new WheelTimer(() => {
      this.fired.push(`${name}@${this.now}`);
      then();
    });
  }

  /** Goes on to `to`, tick by tick. */
  run(to: number): void {
    for (; this.now < to; this.now += TICK) this.wheel.advance();
    this.now = to;
    this.wheel.advance();
  }

  [Symbol.dispose](): void {
    this.wheel.close();
  }
}

test('fires once, never early, within a tick of its time', () => {
  for (const delay of [0, 1, 19, 20, 21, 500, 10_219, 10_220, 10_240, 10_260, 25_000, 1_000_000]) {
    using bench = new Bench();
    bench.wheel.arm(bench.timer('a'), delay);
    bench.run(1000 + delay - 1);
    assert.deepEqual(bench.fired, [], `early by ${delay}`);
    bench.run(1000 + delay + 2 * TICK);
    assert.equal(bench.fired.length, 1, `after ${delay}`);
    bench.run(1000 + delay + 20_000);
    assert.equal(bench.fired.length, 1, 'once');
    assert.equal(bench.wheel.size, 0);
  }
});

test('armed again: later, earlier, later and earlier', () => {
  using bench = new Bench();
  const timer = bench.timer('a');
  bench.wheel.arm(timer, 100);
  bench.wheel.arm(timer, 5000);
  bench.run(5900);
  assert.deepEqual(bench.fired, []);
  bench.wheel.arm(timer, 50_000);
  bench.wheel.arm(timer, 60);
  bench.run(6000);
  assert.equal(bench.fired.length, 1);
  bench.wheel.arm(timer, 60);
  bench.run(6100);
  assert.equal(bench.fired.length, 2, 'armed again after it fired');
});

test('disarmed and removed timers do not fire and leave the wheel', () => {
  using bench = new Bench();
  const [one, two, three] = [bench.timer('1'), bench.timer('2'), bench.timer('3')];
  for (const timer of [one, two, three]) bench.wheel.arm(timer, 100);
  bench.wheel.disarm(one);
  bench.wheel.remove(two);
  assert.equal(bench.wheel.size, 2);
  bench.wheel.remove(two);
  bench.run(2000);
  assert.deepEqual(bench.fired, ['3@1100']);
  assert.equal(bench.wheel.size, 0);
  bench.wheel.arm(one, 100);
  bench.wheel.arm(two, 100);
  bench.run(3000);
  assert.equal(bench.fired.length, 3);
});

test('while one fires, others of its slot are removed, disarmed, moved and armed', () => {
  using bench = new Bench();
  const others: WheelTimer[] = Array.from({ length: 5 }, (_, index) => bench.timer(`o${index}`));
  const [removed, disarmed, moved, kept, late] = others as [
    WheelTimer,
    WheelTimer,
    WheelTimer,
    WheelTimer,
    WheelTimer,
  ];
  let times = 0;
  const first = bench.timer('first', () => {
    if (times++ > 0) return;
    bench.wheel.remove(removed);
    bench.wheel.disarm(disarmed);
    bench.wheel.arm(moved, 1000);
    bench.wheel.arm(late, 0);
    bench.wheel.arm(first, 100);
  });
  for (const timer of [removed, disarmed, moved, kept]) bench.wheel.arm(timer, 100);
  // Linked last, it is looked at first.
  bench.wheel.arm(first, 100);
  bench.run(1150);
  assert.deepEqual(bench.fired, ['first@1100', 'o3@1100', 'o4@1120']);
  bench.run(1205);
  assert.match(bench.fired.at(-1) ?? '', /^first@12/);
  bench.run(2200);
  assert.match(bench.fired.at(-1) ?? '', /^o2@2[12]/);
  assert.equal(bench.wheel.size, 0);
});

test('after a long stall everything due fires at once, in one call, and the rest keeps its time', () => {
  using bench = new Bench();
  for (const delay of [50, 5000, 9000, 200_000]) bench.wheel.arm(bench.timer(String(delay)), delay);
  bench.now = 101_000;
  bench.wheel.advance();
  assert.deepEqual(bench.fired.toSorted(), ['5000@101000', '50@101000', '9000@101000'].toSorted());
  bench.wheel.arm(bench.timer('new'), 100);
  bench.run(101_160);
  assert.equal(bench.fired.length, 4);
  bench.run(200_990);
  assert.equal(bench.fired.length, 4);
  bench.run(201_040);
  assert.equal(bench.fired.length, 5);
});

test('armed during a stall, before the wheel has caught up', () => {
  using bench = new Bench();
  bench.wheel.arm(bench.timer('old'), 60_000);
  bench.now = 31_000;
  bench.wheel.arm(bench.timer('soon'), 100);
  bench.wheel.advance();
  assert.deepEqual(bench.fired, []);
  bench.run(31_140);
  assert.deepEqual(bench.fired.length, 1);
  bench.run(61_040);
  assert.deepEqual(bench.fired.length, 2);
});

test('a closed wheel forgets its timers, which can be removed and armed again', () => {
  using bench = new Bench();
  const timer = bench.timer('a');
  bench.wheel.arm(timer, 100);
  bench.wheel.close();
  bench.wheel.remove(timer);
  assert.equal(bench.wheel.size, 0);
  bench.wheel.arm(timer, 100);
  assert.equal(bench.wheel.size, 1);
  bench.run(1200);
  assert.equal(bench.fired.length, 1);
  assert.equal(bench.wheel.size, 0);
});

/** Against a model that is a plain map of deadlines: the wheel fires what the model says, at most a tick later. */
test('any sequence of arming, disarming and removing', () => {
  const command = fc.oneof(
    fc.record({ kind: fc.constant('arm' as const), timer: fc.nat(4), delay: fc.nat(30_000) }),
    fc.record({ kind: fc.constantFrom('disarm' as const, 'remove' as const), timer: fc.nat(4) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(15_000) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      using bench = new Bench();
      const deadlines = new Map<number, number>();
      const timers = Array.from({ length: 5 }, (_, index) => {
        const timer = new WheelTimer(() => {
          const deadline = deadlines.get(index);
          assert.ok(deadline !== undefined, 'fired though not armed');
          assert.ok(bench.now >= deadline, 'fired early');
          deadlines.delete(index);
        });
        return timer;
      });
      const overdue = (): void => {
        for (const deadline of deadlines.values())
          assert.ok(deadline + 2 * TICK > bench.now, 'not fired in time');
      };
      for (const step of commands) {
        if (step.kind === 'wait') {
          const to = bench.now + step.ms;
          while (bench.now < to) {
            bench.now += TICK;
            bench.wheel.advance();
            overdue();
          }
          continue;
        }
        const timer = timers[step.timer] as WheelTimer;
        if (step.kind === 'arm') {
          bench.wheel.arm(timer, step.delay);
          deadlines.set(step.timer, bench.now + step.delay);
        } else {
          bench.wheel[step.kind](timer);
          deadlines.delete(step.timer);
        }
      }
    }),
    { numRuns: 300 },
  );
});
