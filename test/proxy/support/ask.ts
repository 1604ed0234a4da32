/** Requests as a client writes them, and what an upstream saw of them, byte for byte. */
import assert from 'node:assert/strict';
import { rawRequest } from '../../support/raw-client.ts';
import type { RawResponse } from '../../support/response-reader.ts';
import { startRawUpstream, type RawUpstream } from '../../support/upstream.ts';

export interface Ask {
  /** GET unless said. */
  readonly method?: string;
  /** `/` unless said. */
  readonly target?: string;
  /** `example.test` unless said; null: no Host line. */
  readonly host?: string | null;
  /** Whole lines, `Name: value`. */
  readonly lines?: readonly string[];
  readonly version?: '1.0' | '1.1';
  /** Sent with its Content-Length. */
  readonly body?: string;
}

/** Latin-1 text of a request. */
export function requestText(ask: Ask): string {
  const { method = 'GET', target = '/', host = 'example.test', lines = [], version = '1.1', body } = ask;
  const head = [
    `${method} ${target} HTTP/${version}`,
    ...(host === null ? [] : [`Host: ${host}`]),
    ...lines,
    ...(body === undefined ? [] : [`Content-Length: ${body.length}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** One request on a connection of its own. */
export async function send(to: number | string, ask: Ask = {}): Promise<RawResponse> {
  const { responses, text } = await rawRequest(to, requestText(ask));
  assert.ok(responses[0], `no response but ${JSON.stringify(text)}`);
  return responses[0];
}

/** A head as an upstream received it. */
export class SeenHead {
  readonly method: string;
  readonly target: string;
  /** As they came, each `Name: value`. */
  readonly lines: readonly string[];

  constructor(head: string) {
    const [start = '', ...lines] = head.split('\r\n\r\n', 1)[0]?.split('\r\n') ?? [];
    [this.method = '', this.target = ''] = start.split(' ');
    assert.match(start, / HTTP\/1\.1$/);
    this.lines = lines;
  }

  /** Values of a header, in order. */
  all(name: string): string[] {
    const start = `${name.toLowerCase()}:`;
    return this.lines
      .filter((line) => line.toLowerCase().startsWith(start))
      .map((line) => line.slice(start.length).trim());
  }

  /** The value of a header that may come once at most. */
  one(name: string): string | undefined {
    const values = this.all(name);
    assert.ok(values.length < 2, `${name} came ${values.length} times`);
    return values[0];
  }
}

/** An upstream that answers each request (none has a body) with the bytes of its head. */
export function startMirror(): Promise<RawUpstream> {
  return startRawUpstream(async (peer) => {
    peer.socket.setMaxListeners(0);
    let at = 0;
    for (let request = 1; ; request++) {
      await peer.heads(request);
      const end = peer.received.indexOf('\r\n\r\n', at) + 4;
      const head = peer.received.subarray(at, end);
      at = end;
      peer.write(
        Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n`), head]),
      );
    }
  });
}

/** What the mirror saw of a request. */
export async function mirrored(to: number | string, ask: Ask = {}): Promise<SeenHead> {
  const response = await send(to, ask);
  assert.equal(response.status, 200, response.text());
  return new SeenHead(response.body.toString('latin1'));
}
