/**
 * Answers that do not go to the client: one that another try follows, and one that waits whether a better one comes.
 *
 * What is discarded is read as long as it is short, so that its connection can be used again; else the try is given up.
 * What waits keeps what came with its head, at most what one read brought, and stops its source.
 */
import type { ResponseHead, Trailers } from '../../wire/message.ts';
import { FlatHeaders } from '../../wire/flat-headers.ts';

/** Octets of a body, and milliseconds, that a connection is worth. */
export const WORTH_BYTES = 64 * 1024;
export const WORTH_MS = 1000;

/** Where the body goes. */
export interface Aside {
  /** False: it is to be given up. */
  add(chunk: Buffer): boolean;
  end(trailers: Trailers | null): void;
}

export class Discarded implements Aside {
  #left = WORTH_BYTES;

  add(chunk: Buffer): boolean {
    this.#left -= chunk.length;
    return this.#left >= 0;
  }

  end(): void {}
}

export class Held implements Aside {
  readonly head: ResponseHead;
  readonly chunks: Buffer[] = [];
  ended = false;
  trailers: Trailers | null = null;

  /** The memory of the head is another's soon. */
  constructor(head: ResponseHead) {
    const fields: string[] = [];
    head.headers.each((name, value) => fields.push(name, value));
    const { status, reason, bodyLength } = head;
    this.head = { status, reason, bodyLength, headers: FlatHeaders.of(fields) };
  }

  add(chunk: Buffer): boolean {
    this.chunks.push(Buffer.from(chunk));
    return true;
  }

  end(trailers: Trailers | null): void {
    this.ended = true;
    this.trailers = trailers;
  }
}
