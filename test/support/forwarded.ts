/** What the gateway would send on for a message that it read: the bytes, through its own serializer. */
import type { Socket } from 'node:net';
import { Output, Scratch } from '../../src/wire/http1/output.ts';
import { writeLastChunk, writeRequestHead, writeResponseHead } from '../../src/wire/http1/head-writer.ts';
import type { Http1RequestHead, Http1ResponseHead } from '../../src/wire/http1/head.ts';
import { UNKNOWN_LENGTH } from '../../src/wire/message.ts';
import type { ReadMessage } from './wire-reader.ts';

/** As much of a socket as an output needs. The kernel takes everything at once. */
class Sink {
  readonly writes: Buffer[] = [];
  readonly writableLength = 0;
  readonly connecting = false;
  cork(): void {}
  uncork(): void {}
  write(chunk: Buffer): boolean {
    this.writes.push(Buffer.from(chunk));
    return true;
  }
}

const scratch = new Scratch();

function written(write: (output: Output) => void): Buffer {
  const sink = new Sink();
  const output = new Output(sink as unknown as Socket, scratch, false);
  write(output);
  output.flush();
  return Buffer.concat(sink.writes);
}

function putBody(output: Output, message: ReadMessage, chunked: boolean): void {
  const { body, trailers } = message;
  if (chunked && body.length > 0) output.chunk(body);
  else if (body.length > 0) output.bytes(body);
  if (chunked) writeLastChunk(output, trailers.length === 0 ? null : trailers);
}

export function forwardedRequest(message: ReadMessage): Buffer {
  const head = message.head as Http1RequestHead;
  return written((output) => {
    const authority = head.authority === '' ? 'upstream.test' : head.authority;
    const { method, target, headers, bodyLength, upgrade, acceptsTrailers } = head;
    writeRequestHead(output, { method, target, authority, headers, bodyLength, upgrade, acceptsTrailers });
    putBody(output, message, bodyLength === UNKNOWN_LENGTH);
  });
}

/** As sent to an HTTP/1.1 client. */
export function forwardedResponse(message: ReadMessage): Buffer {
  const head = message.head as Http1ResponseHead;
  const chunked = head.bodyLength === UNKNOWN_LENGTH;
  return written((output) => {
    writeResponseHead(output, head, { chunked, connection: '', upgrade: '' });
    putBody(output, message, chunked);
  });
}
