/**
 * Plugins on streams: `preread` when the route is known and the upstream is not asked yet, `streamLog` when all is over.
 *
 * As on requests: in the order of the plan, only promises are waited for, at most `plugin_timeout`; who refuses, throws or does
 * not settle ends its stream and no other.
 */
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import type { StreamRefusal } from '../../plugins/kit/filters.ts';
import type { Plan } from '../../plugins/engine/plan.ts';
import { causeText } from '../plugins/error.ts';
import type { Stream } from './stream.ts';
import { StreamView } from './stream-view.ts';

/** Calls `next` when no plugin has refused the stream: at once, unless one of them makes it wait. */
export function prereadStream(stream: Stream, next: () => void): void {
  const { plugins } = stream.snapshot;
  if (plugins.streamsEmpty || stream.route === null) return next();
  const plan = plugins.streamPlanOf(stream.route);
  if (plan.prereads.length === 0) return next();
  new Preread(stream, plan, next).go();
}

/** A stream is over. */
export function logStream(stream: Stream): void {
  const { plugins } = stream.snapshot;
  if (plugins.streamsEmpty) return;
  const { streamLogs } = stream.route === null ? plugins.globalStream : plugins.streamPlanOf(stream.route);
  for (const entry of streamLogs) {
    const failed = (error: unknown): void =>
      stream.log('error', 'plugin_failed', said(entry, causeText(error)));
    try {
      // One that answers a promise against its type must not end the worker.
      const result: unknown = entry.filters.streamLog(viewOf(stream));
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

function viewOf(stream: Stream): StreamView {
  return (stream.view ??= new StreamView(stream));
}

function said({ entity }: PluginInstance, what: string): string {
  return `plugin ${entity.name} (${entity.id}): ${what}`;
}

class Preread {
  readonly #stream: Stream;
  readonly #plan: Plan;
  readonly #done: () => void;
  #place = 0;
  /** Counts what has been waited for: who settles late has another number. */
  #turn = 0;

  constructor(stream: Stream, plan: Plan, done: () => void) {
    this.#stream = stream;
    this.#plan = plan;
    this.#done = done;
  }

  go(): void {
    const { prereads } = this.#plan;
    while (this.#place < prereads.length) {
      const entry = prereads[this.#place++] as (typeof prereads)[number];
      try {
        const result = entry.filters.preread(viewOf(this.#stream));
        if (result instanceof Promise) return this.#wait(entry, result);
        if (this.#refused(entry, result)) return;
      } catch (error) {
        return this.#fail(entry, error);
      }
      if (this.#stream.over) return;
    }
    this.#done();
  }

  #wait(entry: PluginInstance, result: Promise<StreamRefusal | void>): void {
    const { wheel, bounds } = this.#stream.context;
    const turn = ++this.#turn;
    const timer = new WheelTimer(() => {
      this.#turn++;
      const text = said(entry, `has not settled in preread after ${bounds.pluginTimeout} ms`);
      this.#stream.refuse(504, 'plugin_timeout', text);
    });
    wheel.arm(timer, bounds.pluginTimeout);
    const settled = (then: () => void): void => {
      wheel.remove(timer);
      if (turn !== this.#turn || this.#stream.over) return;
      // Nobody is above on the stack: what is thrown here would end the worker.
      try {
        then();
      } catch (error) {
        this.#stream.refuse(500, 'defect', causeText(error), 'crit');
      }
    };
    result.then(
      (refusal) =>
        settled(() => {
          if (!this.#refused(entry, refusal)) this.go();
        }),
      (error: unknown) => settled(() => this.#fail(entry, error)),
    );
  }

  #refused(entry: PluginInstance, refusal: StreamRefusal | void): boolean {
    if (refusal === undefined || refusal === null) return false;
    // Whatever else was answered was not meant to let it pass.
    const { refuse = 'an answer that is no refusal' } = refusal as Partial<StreamRefusal>;
    this.#stream.refuse(403, 'stream_refused', said(entry, refuse), 'info');
    return true;
  }

  #fail(entry: PluginInstance, error: unknown): void {
    this.#stream.refuse(500, 'plugin_failed', said(entry, causeText(error)));
  }
}
