/**
 * A large body, read to its end before anything is done with it: a commit must not wait for a slow client while others
 * wait for the commit. Beyond a first part that memory holds it goes to a file without a name, which the system takes
 * back whatever happens.
 */
import { createReadStream, mkdirSync, openSync, unlinkSync, writeSync, closeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { TooLarge } from '../body.ts';
import { RequestError } from '../request-error.ts';

const IN_MEMORY = 1024 * 1024;
const LINE_FEED = 0x0a;

export class Spool implements Disposable {
  readonly #folder: string;
  readonly #head: Uint8Array[] = [];
  #length = 0;
  #file: number | null = null;

  /** @param folder where a file may be. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param limit octets; 0 is unlimited. @throws TooLarge */
  async fill(request: Request, limit: number): Promise<void> {
    const max = limit === 0 ? Infinity : limit;
    if (Number(request.headers.get('content-length') ?? 0) > max) throw new TooLarge();
    for await (const chunk of request.body ?? []) {
      this.#length += chunk.length;
      if (this.#length > max) throw new TooLarge();
      if (this.#length <= IN_MEMORY) this.#head.push(chunk);
      else this.#write(chunk);
    }
  }

  /** Lines without their ends; empty ones are left out. @throws RequestError 413 for one that is longer than `max`. */
  async *lines(max: number): AsyncGenerator<Uint8Array> {
    let rest: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.#chunks()) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        const line = joined([...rest, chunk.subarray(start, end)]);
        if (line.length > max) throw lineTooLong(max);
        if (line.length > 0) yield line;
        rest = [];
        length = 0;
        start = end + 1;
      }
      rest.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > max) throw lineTooLong(max);
    }
    const last = joined(rest);
    if (last.length > 0) yield last;
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    yield* this.#head;
    if (this.#file === null) return;
    yield* createReadStream('', { fd: this.#file, start: 0, autoClose: false }) as AsyncIterable<Uint8Array>;
  }

  #write(chunk: Uint8Array): void {
    if (this.#file === null) {
      mkdirSync(this.#folder, { recursive: true });
      const path = join(this.#folder, `transaction-${randomUUID()}`);
      this.#file = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    }
    for (let done = 0; done < chunk.length;) done += writeSync(this.#file, chunk, done);
  }
}

function lineTooLong(max: number): RequestError {
  return new RequestError(413, `a line is longer than ${max} octets`);
}

/** Without the carriage return that may stand before a line feed. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const line = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}
