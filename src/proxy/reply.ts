/** Responses that the gateway makes itself: refusals, redirects, errors. */
import type { GatewayError } from '../lib/gateway-error.ts';
import { reasonPhrase } from '../lib/reason-phrases.ts';
import { FlatHeaders } from '../wire/flat-headers.ts';
import type { Reply, ReplyHeaders } from '../plugins/kit/reply.ts';
import type { Headers } from '../wire/message.ts';
import { stampReply } from './client-head.ts';
import type { Exchange } from './exchange.ts';
import { check, isFraming } from './plugins/headers.ts';
import { filterHead, framed, isBodiless } from './plugins/response-filters.ts';

/** Kong's own refusals (`kong.response.error`): a message in the form that the client accepts. */
export function replyMessage(
  exchange: Exchange,
  status: number,
  message: string,
  fields: readonly string[] = [],
): void {
  replyBody(exchange, 'kong', status, message, fields);
}

export function replyEmpty(exchange: Exchange, status: number, fields: readonly string[]): void {
  sendReply(exchange, status, new FlatHeaders(fields), Buffer.alloc(0));
}

/** What failed on the path: nginx's error pages, except for what Kong's balancer says itself. */
export function replyError(exchange: Exchange, error: GatewayError): void {
  const kind = error.source === 'gateway' || error.source === 'plugin' ? 'kong' : 'nginx';
  const fields = error.retryAfter > 0 ? ['Retry-After', String(error.retryAfter)] : [];
  replyBody(exchange, kind, error.status, error.message, fields);
}

function replyBody(
  exchange: Exchange,
  kind: 'kong' | 'nginx',
  status: number,
  message: string | undefined,
  fields: readonly string[],
): void {
  const { headers } = exchange.request;
  const accept = headers.has('accept') ? headers.all('accept').join(', ') : undefined;
  const made = exchange.context.errorBodies.errorBody({
    kind,
    status,
    message,
    accept,
    contentType: headers.get('content-type'),
    requestId: exchange.id,
    isGrpc: exchange.isGrpc,
  });
  const reply = new FlatHeaders(fields);
  reply.add('Content-Type', made.contentType);
  for (const [name, value] of made.headers ?? []) reply.add(name, value);
  sendReply(exchange, made.status, reply, made.body);
}

/** What a plugin answers in place of an upstream. @throws TypeError, RangeError for what is no answer; nothing is sent then. */
export function replyOfPlugin(exchange: Exchange, reply: Reply): void {
  const { status, message } = reply;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`${status} is no status`);
  const fields = flat(reply.headers);
  exchange.source = 'exit';
  if (message !== null) {
    return replyBody(exchange, 'kong', status, message === '' ? undefined : message, fields);
  }
  sendReply(exchange, status, new FlatHeaders(fields), reply.body ?? Buffer.alloc(0));
}

/** @throws TypeError for what is no header. */
function flat(headers: ReplyHeaders): string[] {
  const fields: string[] = [];
  for (const [name, values] of Object.entries(headers)) {
    for (const value of typeof values === 'string' ? [values] : values) {
      check(name, value);
      if (!isFraming(name)) fields.push(name, value);
    }
  }
  return fields;
}

function sendReply(exchange: Exchange, status: number, headers: Headers, body: Buffer): void {
  const made = { status, reason: reasonPhrase(status), headers, bodyLength: body.length };
  const { plugins } = exchange;
  const filtered = plugins === null ? made : filterHead(exchange, plugins, made);
  if (filtered === null) return;
  const head = framed(exchange, filtered);
  stampReply(exchange, head);
  exchange.send(head);
  if (body.length > 0 && !isBodiless(exchange, head.status)) exchange.sendBody(body);
  exchange.sendEnd(null);
  exchange.stream.flush();
}
