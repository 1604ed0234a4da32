/**
 * Runs the filters of one exchange that come before its response: `rewrite` and `access`. What comes behind is in
 * `response-filters.ts` and `buffered-response.ts`.
 *
 * A phase is a loop over plain calls: only what answers a promise is waited for, at most `plugin_timeout`, and an exchange
 * that ended meanwhile goes no further, whatever still settles. A reply ends the phase; header filters, body filters and logs
 * of the whole plan still run on it (as in Kong). A filter that fails is a 500 for its request and nothing else.
 */
import { WheelTimer } from '../../lib/timer-wheel.ts';
import { removeClaims } from '../../plugins/common/claims.ts';
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import { Reply } from '../../plugins/kit/reply.ts';
import type { Plan, Step } from '../../plugins/engine/plan.ts';
import type { Exchange } from '../exchange.ts';
import { replyOfPlugin } from '../reply.ts';
import { defect, pluginError, pluginTimeout } from './error.ts';
import { ExchangeView } from './view.ts';

export type RequestPhase = 'rewrite' | 'access';

export class PluginRun {
  plan: Plan;
  /** A header filter has failed: the 500 that says so is not filtered again. */
  failed = false;
  readonly #exchange: Exchange;
  #view: ExchangeView | null = null;
  #phase: RequestPhase = 'rewrite';
  #steps: ReadonlyArray<Step<'rewrite'> | Step<'access'>> = [];
  #next = 0;
  /** Counts what has been waited for: who settles late has another number. */
  #turn = 0;
  #timer: WheelTimer | null = null;
  #waiting: { readonly entry: PluginInstance; readonly phase: string } | null = null;

  constructor(exchange: Exchange, plan: Plan) {
    this.#exchange = exchange;
    this.plan = plan;
  }

  /** Made when a filter first runs. */
  get view(): ExchangeView {
    return (this.#view ??= new ExchangeView(this.#exchange));
  }

  /** Null: no filter has run. */
  get madeView(): ExchangeView | null {
    return this.#view;
  }

  /** Chunks of the response go through filters. */
  get filtersBody(): boolean {
    return !this.failed && this.plan.bodyFilters.length > 0;
  }

  /** True: the phase is over, go on. False: the request was answered, or `exchange.proceed` follows. */
  start(phase: RequestPhase): boolean {
    const { plan } = this;
    this.#phase = phase;
    this.#steps = phase === 'access' ? plan.access : plan.rewrite;
    this.#next = 0;
    if (phase === 'access') {
      if (plan.identifies) removeClaims(this.#exchange.request.headers);
      // Somebody knew before the route did.
      if (this.#view !== null && this.#view.consumer !== null) this.#switchPlan(0);
    }
    return this.#go();
  }

  #go(): boolean {
    while (this.#next < this.#steps.length) {
      const { entry, place } = this.#steps[this.#next++] as Step<'rewrite'> | Step<'access'>;
      try {
        const result = this.#call(entry);
        if (result !== undefined && !(result instanceof Reply)) {
          this.wait(entry, this.#phase, result, (reply) => {
            if (this.#settle(entry, place, reply) && this.#go()) this.#exchange.proceed(this.#phase);
          });
          return false;
        }
        if (!this.#settle(entry, place, result)) return false;
      } catch (error) {
        this.fail(entry, error);
        return false;
      }
    }
    return true;
  }

  #call(entry: Step<'rewrite'>['entry'] | Step<'access'>['entry']) {
    const { view } = this;
    return this.#phase === 'access' ? entry.filters.access?.(view) : entry.filters.rewrite?.(view);
  }

  /** False: the request was answered. */
  #settle(entry: PluginInstance, place: number, result: unknown): boolean {
    // Also before an answer: who calls decides which filters run on it.
    if (this.view.identified) this.#switchPlan(place + 1);
    if (result === undefined || result === null) return true;
    this.answer(entry, result);
    return false;
  }

  /** It is known by now who calls: what has not run yet is chosen by it. */
  #switchPlan(from: number): void {
    const { view, plan } = this;
    view.identified = false;
    const groups = plan.asksGroups ? view.groups.map(({ id }) => id) : [];
    const next = plan.for(from, view.consumer?.id ?? null, groups);
    if (next === plan) return;
    this.plan = next;
    if (this.#phase === 'rewrite') return;
    this.#steps = next.access;
    const at = next.access.findIndex(({ place }) => place >= from);
    this.#next = at < 0 ? next.access.length : at;
  }

  /** Answers with what a filter answered. */
  answer(entry: PluginInstance, result: unknown): void {
    try {
      if (!(result instanceof Reply))
        throw new TypeError(`a filter answered ${describe(result)}: neither nothing nor a reply`);
      replyOfPlugin(this.#exchange, result);
    } catch (error) {
      this.fail(entry, error);
    }
  }

  fail(entry: PluginInstance, error: unknown): void {
    this.#exchange.fail(pluginError(entry, error));
  }

  /** Waits for what a filter answered, as long as the exchange does. @throws TypeError when it is no promise. */
  wait<T>(entry: PluginInstance, phase: string, promise: PromiseLike<T>, then: (value: T) => void): void {
    if (typeof promise.then !== 'function')
      throw new TypeError(`a filter answered ${describe(promise)}: neither nothing, a reply nor a promise`);
    const turn = ++this.#turn;
    this.#waiting = { entry, phase };
    this.#timer ??= new WheelTimer(() => this.#late());
    this.#arm(this.#timer);
    promise.then(
      (value) => this.#settled(turn, () => then(value)),
      (error: unknown) => this.#settled(turn, () => this.fail(entry, error)),
    );
  }

  #arm(timer: WheelTimer): void {
    const { wheel, policy } = this.#exchange.context;
    wheel.arm(timer, policy.pluginTimeout);
  }

  #settled(turn: number, then: () => void): void {
    const exchange = this.#exchange;
    if (turn !== this.#turn) return;
    this.stop();
    if (exchange.over || exchange.responded) return;
    // Nobody is above on the stack: what is thrown here would end the worker.
    try {
      then();
    } catch (error) {
      exchange.fail(defect(error));
    }
  }

  #late(): void {
    const exchange = this.#exchange;
    const waiting = this.#waiting;
    if (waiting === null || exchange.over || exchange.responded) return;
    // That it comes is the client's part, which has a time-out of its own.
    if (exchange.body?.reading === true && this.#timer !== null) return this.#arm(this.#timer);
    this.stop();
    exchange.fail(pluginTimeout(waiting.entry, waiting.phase, exchange.context.policy.pluginTimeout));
  }

  /** Waits for nobody any more. */
  stop(): void {
    this.#turn++;
    this.#waiting = null;
    if (this.#timer !== null) this.#exchange.context.wheel.remove(this.#timer);
  }
}

function describe(value: unknown): string {
  return value === null ? 'null' : `a value of type ${typeof value}`;
}
