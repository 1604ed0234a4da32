/** Header filters, body filters and logs: what runs on every response, whoever made it. */
import type { PluginInstance } from '../../plugins/engine/instance.ts';
import { NO_BODY, type ResponseHead, UNKNOWN_LENGTH } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { pluginError } from './error.ts';
import type { PluginRun } from './run.ts';

/**
 * The head as the filters leave it; null: one of them failed, and the request was answered.
 *
 * @param hasBody false: none follows whatever the head says (the answer to an upgrade).
 */
export function filterHead(
  exchange: Exchange,
  run: PluginRun,
  head: ResponseHead,
  hasBody = true,
): ResponseHead | null {
  const { headerFilters, bodyFilters } = run.plan;
  if (run.failed || (headerFilters.length === 0 && bodyFilters.length === 0)) return head;
  const { status, reason, headers, bodyLength } = head;
  const edited = { status, reason, headers, bodyLength };
  const { response } = run.view;
  response.begin(edited);
  for (const entry of headerFilters) {
    try {
      entry.filters.headerFilter(run.view);
    } catch (error) {
      run.failed = true;
      response.sent();
      exchange.fail(pluginError(entry, error));
      return null;
    }
  }
  response.sent();
  if (!hasBody) return { ...edited, status, reason };
  const filtered = bodyFilters.length > 0 && !isBodiless(exchange, edited.status);
  edited.bodyLength = filtered ? UNKNOWN_LENGTH : bodyLength;
  return edited;
}

/** No body follows such a head, whoever made it (RFC 9110 §6.4.1). */
export function isBodiless({ method }: Exchange, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** The head with a length that fits its status, which filters and plugins' methods may have changed. */
export function framed(exchange: Exchange, head: ResponseHead): ResponseHead {
  const { bodyLength, headers } = head;
  if (isBodiless(exchange, head.status)) {
    if (bodyLength === NO_BODY) return head;
    // What a HEAD would have got stays; the other two have no length.
    if (exchange.method === 'HEAD' && head.status !== 204 && head.status !== 304) return head;
    headers.remove('content-length');
    return { ...head, bodyLength: NO_BODY };
  }
  if (bodyLength !== NO_BODY) return head;
  headers.remove('content-length');
  return { ...head, bodyLength: 0 };
}

/** What is sent in place of the chunk. @throws GatewayError: the response breaks off. */
export function filterBody(run: PluginRun, chunk: Buffer, last: boolean): Buffer {
  let bytes = chunk;
  for (const entry of run.plan.bodyFilters) {
    try {
      const answer: unknown = entry.filters.bodyFilter(run.view, bytes, last);
      if (answer !== undefined && answer !== null) bytes = asBytes(answer);
    } catch (error) {
      throw pluginError(entry, error);
    }
  }
  return bytes;
}

/** A body as a plugin may give it. @throws TypeError */
export function asBytes(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === 'string') return Buffer.from(value);
  throw new TypeError(`a body is bytes or a text, not a value of type ${typeof value}`);
}

/** The exchange is over. */
export function runLogs(exchange: Exchange, run: PluginRun): void {
  run.stop();
  const { logs } = run.plan;
  if (logs.length === 0) {
    run.madeView?.over(false);
    return;
  }
  const { view } = run;
  let pending = false;
  for (const entry of logs) {
    try {
      const result: unknown = entry.filters.log(view);
      if (!(result instanceof Promise)) continue;
      pending = true;
      result.catch((error: unknown) => failed(exchange, entry, error));
    } catch (error) {
      failed(exchange, entry, error);
    }
  }
  view.over(pending);
}

function failed(exchange: Exchange, entry: PluginInstance, error: unknown): void {
  exchange.context.reportError(exchange, pluginError(entry, error));
}
