/**
 * Client of the running gateway's control socket: JSON over HTTP over the unix socket `PREFIX/control.sock`, which only
 * its owner may open.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { controlSocketPath, pidFilePath } from '../control/prefix-lock.ts';
import { isAlive } from '../lib/is-alive.ts';

export type ControlFailure = 'not-running' | 'permission' | 'no-answer' | 'bad-answer';

export class ControlError extends Error {
  readonly failure: ControlFailure;

  constructor(failure: ControlFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ControlError';
    this.failure = failure;
  }
}

export interface ControlRequest {
  readonly method: 'GET' | 'POST';
  readonly path:
    | '/health'
    | '/reload'
    | '/quit'
    | '/stop'
    | '/reopen'
    | '/tokens/list'
    | '/tokens/create'
    | '/tokens/revoke'
    | '/secrets/status'
    | '/secrets/rotate';
  readonly body?: Readonly<Record<string, unknown>>;
  /** Milliseconds until the answer must be there; none unless given, since a large reload takes its time. */
  readonly timeout?: number;
}

export interface ControlAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A health answer or a list of errors is far below. */
const MAX_ANSWER = 16 * 1024 * 1024;

/** Throws ControlError when there is no answer; an answer with any status is returned. */
export async function callControl(prefix: string, call: ControlRequest): Promise<ControlAnswer> {
  const { status, text } = await exchange(prefix, call);
  try {
    const body: unknown = text === '' ? {} : JSON.parse(text);
    if (typeof body === 'object' && body !== null) return { status, body: body as Record<string, unknown> };
  } catch {
    // Told below.
  }
  throw new ControlError(
    'bad-answer',
    `${controlSocketPath(prefix)} answered ${status} with something that is not JSON`,
  );
}

function exchange(prefix: string, call: ControlRequest): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const payload = call.body === undefined ? '' : JSON.stringify(call.body);
  const outgoing = request(
    {
      socketPath: controlSocketPath(prefix),
      method: call.method,
      path: call.path,
      agent: false,
      headers: {
        host: 'localhost',
        ...(call.method === 'POST' && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
      },
    },
    (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER) outgoing.destroy(new Error('the answer is too long'));
      });
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      incoming.on('error', (error) => reject(explain(prefix, error)));
    },
  );
  const deadline =
    call.timeout === undefined
      ? undefined
      : setTimeout(() => outgoing.destroy(new Error(`no answer within ${call.timeout} ms`)), call.timeout);
  outgoing.on('error', (error) => reject(explain(prefix, error)));
  outgoing.on('close', () => clearTimeout(deadline));
  outgoing.end(payload);
  return promise;
}

function explain(prefix: string, error: NodeJS.ErrnoException): ControlError {
  const socket = controlSocketPath(prefix);
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ControlError('not-running', `Sluice is not running in ${prefix} (no ${socket})`, error);
    case 'ECONNREFUSED':
      return new ControlError(
        'not-running',
        `Sluice is not running in ${prefix} (${socket} was left behind by a gateway that died)`,
        error,
      );
    case 'EACCES':
    case 'EPERM':
      return new ControlError(
        'permission',
        `no permission to open ${socket}: only its owner and root may`,
        error,
      );
    default:
      return new ControlError('no-answer', `${socket} did not answer: ${error.message}`, error);
  }
}

/** The process id in the pid file, or null. */
export function readPid(prefix: string): number | null {
  try {
    const text = readFileSync(pidFilePath(prefix), 'utf8').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** Waits until the process is gone; false when it still is there after `timeout` milliseconds. */
export async function waitUntilGone(pid: number, timeout: number): Promise<boolean> {
  const end = performance.now() + timeout;
  for (let pause = 5; isAlive(pid); pause = Math.min(pause * 2, 100)) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return true;
}
