/**
 * `GET /events`: commits as server-sent events, the revision as their id; `Last-Event-ID` goes on behind it.
 *
 * A listener has no queue: it knows the revision that it has told last and reads the next from the log when its client
 * takes more. A client that takes nothing for a while is let go. What has left the log is told as `reset`.
 */
import type { ConfigStore } from '../../../store/config-store.ts';
import type { AdminRequest } from '../crud/request.ts';
import { RequestError } from '../request-error.ts';
import { revisionBody } from './revisions.ts';

const MAX_LISTENERS = 100;
const HEARTBEAT_MS = 15_000;
/** Heartbeats without a byte taken before a client is let go. */
const PATIENCE = 4;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

let listeners = 0;

export function listen(request: AdminRequest): Response {
  const after = lastEventId(request);
  if (request.context.req.method === 'HEAD') return new Response(null, { headers: HEADERS });
  if (listeners >= MAX_LISTENERS) throw new RequestError(503, 'too many listeners');
  return new Response(eventStream(request.store, after), { headers: HEADERS });
}

function lastEventId({ context, store, query }: AdminRequest): number {
  const text = context.req.header('last-event-id') ?? query.get('after')?.[0];
  if (text === undefined || text === '') return store.revision;
  if (text === true || !/^\d{1,15}$/.test(text)) {
    throw new RequestError(400, 'Last-Event-ID must be the number of a revision');
  }
  return Math.min(Number(text), store.revision);
}

/** @param heartbeatMs time between comments, which keep the connection open. */
export function eventStream(
  store: ConfigStore,
  after: number,
  heartbeatMs = HEARTBEAT_MS,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let told = after;
  let unread = 0;
  let stop = (): void => undefined;
  const send = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    while (told < store.revision && (controller.desiredSize ?? 0) > 0) {
      const { text, revision } = nextEvent(store, told);
      told = revision;
      controller.enqueue(encoder.encode(text));
    }
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      listeners++;
      controller.enqueue(encoder.encode(`: revision ${after}\n\n`));
      const end = store.onCommit(() => send(controller));
      const timer = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) {
          unread = 0;
          controller.enqueue(encoder.encode(':\n\n'));
        } else if (++unread >= PATIENCE) {
          stop();
          controller.error(new Error('the client reads too slowly'));
        }
      }, heartbeatMs);
      timer.unref();
      stop = () => {
        listeners--;
        clearInterval(timer);
        end();
        stop = () => undefined;
      };
    },
    pull: send,
    cancel: () => stop(),
  });
}

function nextEvent(store: ConfigStore, told: number): { readonly text: string; readonly revision: number } {
  const found = store.describe(told + 1);
  if (found !== null) {
    const data = JSON.stringify(revisionBody(found));
    return { revision: found.revision, text: `id: ${found.revision}\nevent: commit\ndata: ${data}\n\n` };
  }
  const revision = Math.min(Math.max(store.oldest, told + 1), store.revision);
  return { revision, text: `id: ${revision}\nevent: reset\ndata: {"revision":${revision}}\n\n` };
}
