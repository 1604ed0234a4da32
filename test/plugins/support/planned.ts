/**
 * Upstreams that follow a plan of the request: `X-Plan` says what becomes of its tries, one after the other, whichever of
 * the upstreams they come to, and `X-Case` which request it is. Beyond the plan every try gets 200.
 *
 *     503          that status, with the body `NAME TRY STATUS`
 *     503;7        with `Retry-After: 7`
 *     large        503 with a body that no kernel's buffers hold
 *     endless      503 with a body whose end never comes
 *     hold         nothing until the test says so (`go`), then 200
 *     doom         nothing until then, and then RST
 *     hang         nothing ever
 *     reset        RST, before anything is answered
 *     half         half a head, then FIN
 *     garbage      what is no HTTP
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { startHttpUpstream, type Upstream } from '../../support/upstream.ts';
import { waitFor } from '../../support/wait.ts';

const LARGE = Buffer.alloc(32 << 20, 'x');

export interface Try {
  /** Of the upstream. */
  readonly name: string;
  readonly method: string;
  /** Of the body, hex; '' without one. */
  readonly body: string;
  /** The connection is gone, or the answer is out. */
  state: 'open' | 'answered' | 'closed';
  readonly go: () => void;
}

export class Plans {
  readonly #tries = new Map<string, Try[]>();

  of(name: string): readonly Try[] {
    return this.#tries.get(name) ?? [];
  }

  /** Resolves when that many tries have come. */
  async came(name: string, count: number): Promise<void> {
    await waitFor(() => this.of(name).length >= count, { what: `try ${count} of ${name}`, interval: 1 });
  }

  /** Resolves when the n-th try (from 1) is in that state. */
  async is(name: string, number: number, state: Try['state']): Promise<void> {
    const what = `try ${number} of ${name} to be ${state}`;
    await waitFor(() => this.of(name)[number - 1]?.state === state, { what, interval: 1 });
  }

  /** The n-th try (from 1), which holds, is answered. */
  go(name: string, number: number): void {
    this.of(name)[number - 1]?.go();
  }

  async start(name: string, at: { port?: number; host?: string } = {}): Promise<Upstream> {
    return startHttpUpstream((request, response) => this.#answer(name, request, response), at);
  }

  async #answer(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = String(request.headers['x-case'] ?? '');
    const plan = String(request.headers['x-plan'] ?? '').split(' ');
    const tries = this.#tries.get(key) ?? [];
    this.#tries.set(key, tries);
    const number = tries.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    const body = await hashOf(request);
    const one: Try = { name, method: request.method ?? '', body, state: 'open', go: resolve };
    tries.push(one);
    response.on('close', () => (one.state = response.writableFinished ? 'answered' : 'closed'));
    const step = plan[number] || '200';
    if (step === 'hold' || step === 'doom') await promise;
    await act(step, `${name} ${number + 1}`, request, response);
  }
}

async function act(
  step: string,
  text: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { socket } = request;
  if (step === 'hang') return;
  if (step === 'reset' || step === 'doom') return void socket.resetAndDestroy();
  if (step === 'half') return void socket.end('HTTP/1.1 2');
  if (step === 'garbage') return void socket.end('garbage\r\n\r\n');
  if (step === 'large' || step === 'endless') {
    response.writeHead(503);
    response.write(`${text} 503`);
    await turn();
    if (step === 'large') response.end(LARGE);
    return;
  }
  const [status = '200', after] = (step === 'hold' ? '200' : step).split(';');
  if (after !== undefined) response.setHeader('retry-after', after);
  const body = `${text} ${status}`;
  response.writeHead(Number(status), { 'content-length': body.length });
  response.end(body);
}

async function hashOf(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  return length === 0 ? '' : hash.digest('hex');
}

export const sha256 = (text: string): string =>
  text === '' ? '' : createHash('sha256').update(text).digest('hex');
