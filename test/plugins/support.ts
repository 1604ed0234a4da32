/** What the tests of authentication plugins have in common: an upstream that shows all it got, and short requests. */
import { type RawResponse } from '../support/response-reader.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startHttpUpstream, type Upstream } from '../support/upstream.ts';

/** What the upstream got. */
export interface Got {
  readonly method: string;
  readonly url: string;
  /** Lower-case names; repeated ones as an array. Latin-1. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Latin-1. */
  readonly body: string;
}

/** An upstream that answers with what it got, the body included. */
export function startMirror(headers: Readonly<Record<string, string>> = {}): Promise<Upstream> {
  return startHttpUpstream(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const got = {
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(
        Object.entries(request.headersDistinct).map(([name, list]) => [
          name,
          list?.length === 1 ? list[0] : list,
        ]),
      ),
      body: Buffer.concat(chunks).toString('latin1'),
    };
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(got));
  });
}

export interface Answer {
  readonly status: number;
  /** Of a refusal. */
  readonly message: string | null;
  readonly got: Got;
  readonly response: RawResponse;
  /** First value of a header of the response, or null. */
  header(name: string): string | null;
}

export interface Question {
  readonly method?: string;
  readonly target?: string;
  /** Lines without their end, Latin-1. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
  readonly chunked?: boolean;
}

/** One request on a connection of its own. */
export async function ask(port: number, question: Question = {}): Promise<Answer> {
  const { target = '/', headers = [], body, chunked = false } = question;
  const method = question.method ?? (body === undefined ? 'GET' : 'POST');
  const bytes = Buffer.from((body ?? '') as Uint8Array);
  const framing = chunked
    ? ['Transfer-Encoding: chunked']
    : body === undefined
      ? []
      : [`Content-Length: ${bytes.length}`];
  const head = Buffer.from(
    [`${method} ${target} HTTP/1.1`, 'Host: a.test', ...headers, ...framing, '', ''].join('\r\n'),
    'latin1',
  );
  const payload = chunked
    ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')])
    : bytes;
  const { responses } = await rawRequest(port, Buffer.concat([head, payload]));
  const [response] = responses;
  if (response === undefined) throw new Error('no response');
  const text = response.text();
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return {
    status: response.status,
    message: typeof json['message'] === 'string' ? json['message'] : null,
    got: json as unknown as Got,
    response,
    header: (name) => response.header(name) ?? null,
  };
}

/** An id that a number makes. */
export function testId(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}
