/** One function for each event of all streams: a stream knows its request, so that its listeners need no closures. */
import { constants } from './codes.ts';
import { BROKEN_OFF, CANCELLED } from './reset-errors.ts';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

/** What a request is told by its stream. A defect in any of these ends this stream and no other. */
export interface StreamEvents {
  guard(event: (request: StreamEvents) => void): void;
  /** The stream is closed. */
  gone(): void;
  bodyData(chunk: Buffer): void;
  bodyEnd(): void;
  trailers(raw: readonly string[]): void;
  drained(): void;
  sendTrailers(): void;
}

const ATTACHED: unique symbol = Symbol('request of a stream');
type Attached = ServerHttp2Stream & { [ATTACHED]?: StreamEvents };

/** `hasBody`: the request's head did not end the stream. */
export function attach(stream: ServerHttp2Stream, request: StreamEvents, hasBody: boolean): void {
  (stream as Attached)[ATTACHED] = request;
  stream.on('close', onClose);
  stream.on('error', onError);
  if (!hasBody) return;
  stream.on('end', onEnd);
  stream.on('trailers', onTrailers);
}

export function listenBody(stream: ServerHttp2Stream): void {
  stream.on('data', onData);
  stream.on('aborted', onClose);
}

export function listenTrailers(stream: ServerHttp2Stream): void {
  stream.on('wantTrailers', onWantTrailers);
}

/** Told once. */
export function listenDrain(stream: ServerHttp2Stream): void {
  stream.once('drain', onDrain);
}

/**
 * Reads on to the end of a request that is answered, for nobody. A stream that closes without an error is over for
 * `node:http2` when its last octet was read: one that is paused would stay, and its connection with it.
 */
export function discardBody(stream: ServerHttp2Stream): void {
  stream.resume();
}

/** Closes a stream whose request nobody reads to its end, when its response has left (RFC 9113 §8.1). */
export function closeWhenFinished(stream: ServerHttp2Stream): void {
  stream.once('finish', () => setImmediate(closeUnread, stream));
}

/** Turns of the event loop in which what a response ends with leaves, unless its connection is full. */
const TURNS = 3;

/**
 * Not before the end of the response has left, which it may do long after `finish`: the reset would overtake it. While a
 * connection is full, the session's look tries again.
 */
export function closeUnread(stream: ServerHttp2Stream, turns = TURNS): void {
  if (stream.closed || stream.destroyed) return;
  if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
  else if (turns > 0) setImmediate(closeUnread, stream, turns - 1);
}

/** Resets a stream, with CANCEL when that is the code of the upstream's and else with INTERNAL_ERROR. */
export function breakOff(stream: ServerHttp2Stream, code = 0): void {
  stream.destroy(code === constants.NGHTTP2_CANCEL ? CANCELLED : BROKEN_OFF);
}

function onClose(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.gone());
}

function onError(): void {
  // `close` follows, and the code says all.
}

function onData(this: Attached, chunk: Buffer): void {
  this[ATTACHED]?.guard((request) => request.bodyData(chunk));
}

function onEnd(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.bodyEnd());
}

function onTrailers(this: Attached, _: IncomingHttpHeaders, __: number, raw: readonly string[]): void {
  this[ATTACHED]?.guard((request) => request.trailers(raw));
}

function onDrain(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.drained());
}

function onWantTrailers(this: Attached): void {
  this[ATTACHED]?.guard((request) => request.sendTrailers());
}
