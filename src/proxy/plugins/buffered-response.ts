/**
 * The `response` phase: where some plugin has a filter for it, an upstream's response waits here until it is whole, and goes
 * to the client as the filters leave it.
 *
 * It is bounded by `plugin_response_limit`; what is larger is a 502. The head gets memory of its own, since the connection
 * that it came by serves another request while a filter waits.
 */
import { GatewayError } from '../../lib/gateway-error.ts';
import { Reply } from '../../plugins/kit/reply.ts';
import { NO_BODY, type ResponseHead, type Trailers } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { copyOf } from './headers.ts';
import { asBytes, isBodiless } from './response-filters.ts';
import type { EditedHead } from './response-view.ts';
import type { PluginRun } from './run.ts';

const FIRST_BYTES = 16 * 1024;

export class BufferedResponse {
  readonly head: EditedHead;
  readonly #exchange: Exchange;
  readonly #run: PluginRun;
  #buffer: Buffer;
  #length = 0;
  #trailers: Trailers | null = null;
  #next = 0;

  constructor(exchange: Exchange, run: PluginRun, { status, reason, headers, bodyLength }: ResponseHead) {
    this.#exchange = exchange;
    this.#run = run;
    this.head = { status, reason, headers: copyOf(headers), bodyLength };
    this.#buffer = Buffer.allocUnsafe(bodyLength > 0 ? Math.min(bodyLength, FIRST_BYTES) : 0);
  }

  /** What the head says is more than may be kept: the exchange has failed. */
  get tooLarge(): boolean {
    if (this.head.bodyLength <= this.#limit) return false;
    this.#refuse();
    return true;
  }

  get #limit(): number {
    return this.#exchange.context.policy.pluginResponseLimit;
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#limit) return this.#refuse();
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(Math.max(length, this.#buffer.length * 2, FIRST_BYTES), this.#limit),
      );
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  end(trailers: Trailers | null): void {
    this.#trailers = trailers;
    this.#buffer = this.#buffer.subarray(0, this.#length);
    this.#run.view.response.begin(this.head);
    this.#go();
  }

  #go(): void {
    const run = this.#run;
    const entries = run.plan.response;
    while (this.#next < entries.length) {
      const entry = entries[this.#next++] as (typeof entries)[number];
      try {
        const result: unknown = entry.filters.response(run.view, this.#buffer);
        if (result instanceof Reply) return this.#answer(entry, result);
        if (isThenable(result)) {
          return run.wait(entry, 'response', result, (value) => {
            if (value instanceof Reply) return this.#answer(entry, value);
            try {
              this.#replace(value);
            } catch (error) {
              return run.fail(entry, error);
            }
            this.#go();
          });
        }
        this.#replace(result);
      } catch (error) {
        return run.fail(entry, error);
      }
    }
    run.view.response.sent();
    this.#deliver();
  }

  #replace(value: unknown): void {
    if (value !== undefined && value !== null) this.#buffer = asBytes(value);
  }

  #answer(entry: Parameters<PluginRun['answer']>[0], reply: Reply): void {
    this.#run.view.response.sent();
    this.#exchange.dropBuffered();
    this.#run.answer(entry, reply);
  }

  #deliver(): void {
    const { head } = this;
    const empty = isBodiless(this.#exchange, head.status);
    const body = empty ? Buffer.alloc(0) : this.#buffer;
    if (!(empty && head.bodyLength === NO_BODY)) head.bodyLength = body.length;
    this.#exchange.deliver(head, body, this.#trailers);
  }

  #refuse(): void {
    const names = this.#run.plan.response.map(({ entity }) => entity.name).join(', ');
    const init = {
      source: 'upstream',
      status: 502,
      cause: `the response is larger than plugin_response_limit (${this.#limit} octets), and ${names} wants all of it`,
    } as const;
    this.#exchange.fail(
      new GatewayError(
        'response_too_large',
        'An invalid response was received from the upstream server',
        init,
      ),
    );
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
