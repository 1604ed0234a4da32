/**
 * A coarse timer wheel for time-outs that are nearly always pushed back before they fire.
 *
 * A request moves its connection's deadline several times; with `setTimeout` each move costs more than routing the
 * request. Here a move to a later deadline is one number written into the timer: the wheel looks at it when the slot
 * comes round and puts the timer where it now belongs. Only a move to an earlier slot touches the lists. One interval
 * serves all timers of a worker and stops when none is armed.
 *
 * Precision is one tick, always late, never early.
 */

import { performance } from 'node:perf_hooks';

const SLOTS = 512;
const MASK = SLOTS - 1;

/** One time-out; embed it in (or keep it with) what it guards. */
export class WheelTimer {
  /** Milliseconds on the wheel's clock, `Infinity` when disarmed. */
  deadline = Infinity;
  /** Tick in which the wheel will look at this timer; -1 when it is on no list. */
  tick = -1;
  previous: WheelTimer | null = null;
  next: WheelTimer | null = null;
  readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

export class TimerWheel {
  readonly #slots: Array<WheelTimer | null> = Array.from({ length: SLOTS }, () => null);
  readonly #tickMs: number;
  readonly #clock: () => number;
  #interval: NodeJS.Timeout | null = null;
  #currentTick = 0;
  /** Timers of the slot being run that were not looked at yet. */
  #due: WheelTimer | null = null;
  #armed = 0;

  /** `clock` gives milliseconds and never goes back. */
  constructor(tickMs = 20, clock: () => number = () => performance.now()) {
    this.#tickMs = tickMs;
    this.#clock = clock;
  }

  /** Timers on the wheel, among them ones that were disarmed and not yet met. */
  get size(): number {
    return this.#armed;
  }

  /** Fires `timer` once, `delayMs` from `now` (the wheel's clock, when the caller has just read it) or later. */
  arm(timer: WheelTimer, delayMs: number, now: number = this.#clock()): void {
    const deadline = now + delayMs;
    timer.deadline = deadline;
    if (timer.tick >= 0) {
      if (deadline >= timer.tick * this.#tickMs) return;
      this.#unlink(timer);
    }
    if (this.#interval === null) this.#start();
    this.#link(timer);
  }

  /** Cheap: the timer stays on its list until its slot comes round. */
  disarm(timer: WheelTimer): void {
    timer.deadline = Infinity;
  }

  /** Takes the timer off the wheel for good, so that nothing refers to it. */
  remove(timer: WheelTimer): void {
    timer.deadline = Infinity;
    if (timer.tick >= 0) this.#unlink(timer);
  }

  close(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
    // One by one: a connection that is still closing may remove its timer later.
    for (let slot = 0; slot < SLOTS; slot++)
      for (let timer = this.#slots[slot]; timer; timer = this.#slots[slot]) this.remove(timer);
    while (this.#due !== null) this.remove(this.#due);
  }

  /** Fires what is due; called by the interval (and by tests with a clock of their own). */
  advance(): void {
    const now = this.#clock();
    const target = Math.floor(now / this.#tickMs);
    // After a long stall every slot is met once; more turns would look at the same lists again.
    if (target - this.#currentTick > SLOTS) this.#currentTick = target - SLOTS;
    while (this.#currentTick < target) this.#runSlot(++this.#currentTick, now);
    if (this.#armed === 0 && this.#interval !== null) {
      clearInterval(this.#interval);
      this.#interval = null;
    }
  }

  #start(): void {
    this.#currentTick = Math.floor(this.#clock() / this.#tickMs);
    this.#interval = setInterval(() => this.advance(), this.#tickMs);
    this.#interval.unref();
  }

  #runSlot(tick: number, now: number): void {
    this.#due = this.#slots[tick & MASK] ?? null;
    this.#slots[tick & MASK] = null;
    // `fire` may arm and remove any timer, also ones still on this list: take them off one by one.
    for (let timer = this.#due; timer !== null; timer = this.#due) {
      this.#unlink(timer);
      if (timer.deadline <= now) {
        timer.deadline = Infinity;
        timer.fire();
      } else if (timer.deadline !== Infinity) {
        this.#link(timer);
      }
    }
  }

  #link(timer: WheelTimer): void {
    const wanted = Math.ceil(timer.deadline / this.#tickMs);
    const tick = Math.min(Math.max(wanted, this.#currentTick + 1), this.#currentTick + MASK);
    const head = this.#slots[tick & MASK] ?? null;
    timer.tick = tick;
    timer.previous = null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.#slots[tick & MASK] = timer;
    this.#armed++;
  }

  #unlink(timer: WheelTimer): void {
    if (timer.previous !== null) timer.previous.next = timer.next;
    else if (this.#due === timer) this.#due = timer.next;
    else this.#slots[timer.tick & MASK] = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.previous = timer.next = null;
    timer.tick = -1;
    this.#armed--;
  }
}
