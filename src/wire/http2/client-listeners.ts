/**
 * The events of a stream of `node:http2`, told to the request that has it: shared functions that find it by a symbol, so
 * that no closure is made for a request, and each held so that a defect ends this exchange and no other.
 */
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Trailers } from '../message.ts';
import { constants } from './codes.ts';

/** Whom the events of a stream are told to. */
export interface StreamEvents {
  responded(fields: readonly string[], ended: boolean): void;
  informed(fields: readonly string[], status: number): void;
  received(chunk: Buffer): void;
  trailing(fields: Trailers): void;
  ended(): void;
  closed(): void;
  drained(): void;
  wantsTrailers(): void;
  /** One of the others threw. */
  defect(error: unknown): void;
}

const OWNER = Symbol('owner');
type OwnedStream = ClientHttp2Stream & { [OWNER]: StreamEvents };

export function listen(stream: ClientHttp2Stream, owner: StreamEvents): void {
  (stream as OwnedStream)[OWNER] = owner;
  stream.on('response', onResponse);
  stream.on('data', onData);
  stream.on('end', onEnd);
  stream.on('trailers', onTrailers);
  stream.on('headers', onHeaders);
  stream.on('error', ignore);
  stream.on('close', onClose);
}

/** Told once. */
export function listenDrain(stream: ClientHttp2Stream): void {
  stream.once('drain', onDrain);
}

export function listenTrailers(stream: ClientHttp2Stream): void {
  stream.once('wantTrailers', onWantTrailers);
}

function onResponse(
  this: ClientHttp2Stream,
  _headers: IncomingHttpHeaders,
  flags: number,
  fields: readonly string[],
): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.responded(fields, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
  } catch (error) {
    owner.defect(error);
  }
}

function onData(this: ClientHttp2Stream, chunk: Buffer): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.received(chunk);
  } catch (error) {
    owner.defect(error);
  }
}

function onTrailers(
  this: ClientHttp2Stream,
  _headers: IncomingHttpHeaders,
  _flags: number,
  fields: Trailers,
): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.trailing(fields);
  } catch (error) {
    owner.defect(error);
  }
}

function onEnd(this: ClientHttp2Stream): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.ended();
  } catch (error) {
    owner.defect(error);
  }
}

function onClose(this: ClientHttp2Stream): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.closed();
  } catch (error) {
    owner.defect(error);
  }
}

// Rare ones.

function onHeaders(
  this: ClientHttp2Stream,
  headers: IncomingHttpHeaders & { readonly ':status'?: number },
  _flags: number,
  fields: readonly string[],
): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.informed(fields, headers[':status'] ?? 0);
  } catch (error) {
    owner.defect(error);
  }
}

function onDrain(this: ClientHttp2Stream): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.drained();
  } catch (error) {
    owner.defect(error);
  }
}

function onWantTrailers(this: ClientHttp2Stream): void {
  const owner = (this as OwnedStream)[OWNER];
  try {
    owner.wantsTrailers();
  } catch (error) {
    owner.defect(error);
  }
}

/** `close` follows and says it all. */
function ignore(): void {}
