/**
 * Runs the filters of one exchange, phase by phase. A phase is a loop over plain calls: only what answers a promise is
 * waited for, and an exchange that ended meanwhile goes no further.
 *
 * A reply ends the phase; header filters, body filters and logs of the whole plan still run on it (as in Kong). A filter that
 * fails is a 500 for its request and nothing else.
 */
import { GatewayError } from '../../lib/gateway-error.ts';
import type { PluginInstance } from '../../plugins/instance.ts';
import { BodyTooLarge } from '../../plugins/kit/exchange.ts';
import { Reply } from '../../plugins/kit/reply.ts';
import type { Plan } from '../../plugins/plan.ts';
import { NO_BODY, type ResponseHead, UNKNOWN_LENGTH } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { replyOfPlugin } from '../reply.ts';
import { payloadTooLarge } from '../request-body.ts';
import { ExchangeView } from './view.ts';

export type RequestPhase = 'rewrite' | 'access';

const EMPTY = Buffer.alloc(0);

export class PluginRun {
  readonly view: ExchangeView;
  plan: Plan;
  readonly #exchange: Exchange;
  #phase: RequestPhase = 'rewrite';
  #place = 0;
  /** A header filter has failed: the 500 that says so is not filtered again. */
  #failed = false;

  constructor(exchange: Exchange, plan: Plan) {
    this.#exchange = exchange;
    this.plan = plan;
    this.view = new ExchangeView(exchange);
  }

  /** True: the phase is over, go on. False: the request was answered, or `exchange.proceed` follows. */
  start(phase: RequestPhase): boolean {
    this.#phase = phase;
    this.#place = 0;
    return this.#go();
  }

  #go(): boolean {
    const phase = this.#phase;
    while (this.#place < this.plan.entries.length) {
      const entry = this.plan.entries[this.#place++];
      if (entry === null || entry === undefined || entry.filters[phase] === undefined) continue;
      try {
        const result = entry.filters[phase](this.view);
        if (result !== undefined) {
          if (!(result instanceof Reply)) {
            this.#wait(entry, result);
            return false;
          }
          this.#answer(result);
          return false;
        }
      } catch (error) {
        this.#fail(entry, error);
        return false;
      }
      if (this.view.identified) this.#switchPlan();
    }
    return true;
  }

  #wait(entry: PluginInstance, result: Promise<Reply | void>): void {
    const exchange = this.#exchange;
    const settled = (): boolean => exchange.over || exchange.responded;
    result.then(
      (reply) => {
        if (settled()) return;
        if (reply instanceof Reply) return this.#answer(reply);
        if (this.view.identified) this.#switchPlan();
        if (this.#go()) exchange.proceed(this.#phase);
      },
      (error: unknown) => {
        if (!settled()) this.#fail(entry, error);
      },
    );
  }

  /** It is known by now who calls: what has not run yet is chosen by it. */
  #switchPlan(): void {
    this.view.identified = false;
    const { consumer, groups } = this.view;
    this.plan = this.plan.for(
      this.#place,
      consumer?.id ?? null,
      groups.map(({ id }) => id),
    );
  }

  #answer(reply: Reply): void {
    replyOfPlugin(this.#exchange, reply);
  }

  #fail(entry: PluginInstance, error: unknown): void {
    if (error instanceof BodyTooLarge) return this.#exchange.fail(payloadTooLarge());
    this.#exchange.fail(pluginError(entry, error));
  }

  /** The head as the filters leave it; null: one of them failed, and the request was answered. */
  filterHead(head: ResponseHead): ResponseHead | null {
    const { headerFilters, bodyFilters } = this.plan;
    if (this.#failed || (headerFilters.length === 0 && bodyFilters.length === 0)) return head;
    const { status, reason, headers, bodyLength } = head;
    const filtered = bodyFilters.length > 0 && bodyLength !== NO_BODY && bodyLength !== 0;
    const edited = { status, reason, headers, bodyLength: filtered ? UNKNOWN_LENGTH : bodyLength };
    this.view.response.begin(edited);
    for (const entry of headerFilters) {
      try {
        entry.filters.headerFilter(this.view);
      } catch (error) {
        this.#failed = true;
        this.#exchange.fail(pluginError(entry, error));
        return null;
      }
    }
    this.view.response.sent();
    return edited;
  }

  get filtersBody(): boolean {
    return !this.#failed && this.plan.bodyFilters.length > 0;
  }

  /** What is sent in place of the chunk. @throws GatewayError: the response breaks off. */
  filterBody(chunk: Buffer, last: boolean): Buffer {
    let bytes = chunk;
    for (const entry of this.plan.bodyFilters) {
      try {
        bytes = entry.filters.bodyFilter(this.view, bytes, last) ?? bytes;
      } catch (error) {
        throw pluginError(entry, error);
      }
    }
    return bytes;
  }

  /** The last chunk of a body, which is empty. */
  filterEnd(): Buffer {
    return this.filterBody(EMPTY, true);
  }

  /** The exchange is over. */
  log(): void {
    this.view.over();
    for (const entry of this.plan.logs) {
      const failed = (error: unknown): void =>
        this.#exchange.context.reportError(this.#exchange, pluginError(entry, error));
      try {
        const result = entry.filters.log(this.view);
        if (result !== undefined) result.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}

function pluginError({ entity }: PluginInstance, cause: unknown): GatewayError {
  const init = {
    source: 'plugin',
    status: 500,
    cause: `plugin ${entity.name}: ${causeText(cause)}`,
  } as const;
  return new GatewayError('plugin_failed', 'An unexpected error occurred', init);
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
