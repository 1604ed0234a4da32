/**
 * The control socket, `PREFIX/control.sock`: how `sluice stop`, `quit`, `reload` and `health` reach the gateway. JSON
 * over HTTP over a unix socket that only its owner may open.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { chmodSync, rmSync } from '../lib/node-fs.ts';

export interface ControlReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** By `METHOD /path`. */
export type ControlHandlers = Readonly<
  Record<string, (body: Readonly<Record<string, unknown>>) => ControlReply | Promise<ControlReply>>
>;

const { createServer } = process.getBuiltinModule('node:http');

/** sun_path less its final NUL: 108 octets on Linux, 104 on BSD and macOS. */
const MAX_PATH = process.platform === 'linux' ? 107 : 103;
const MAX_BODY = 64 * 1024;

/** Why a socket cannot have this path, or null. */
export function socketPathProblem(path: string): string | null {
  const length = Buffer.byteLength(path);
  if (length <= MAX_PATH) return null;
  return `${path} is ${length} octets long; a unix socket's path may have ${MAX_PATH}: choose a shorter prefix`;
}

/**
 * Call only while holding the prefix's lock: a socket file that is there belongs to a dead gateway.
 * @param path one that `socketPathProblem` has nothing against.
 */
export async function openControlSocket(path: string, handlers: ControlHandlers): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(request, response, handlers);
  });
  rmSync(path, { force: true });
  // The file is made within `listen`, so nobody else can connect before its mode is set.
  const umask = process.umask(0o177);
  server.listen(path);
  process.umask(umask);
  await once(server, 'listening');
  chmodSync(path, 0o600);
  return server;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ControlHandlers,
): Promise<void> {
  let reply: ControlReply;
  try {
    const handler = handlers[`${request.method} ${request.url}`];
    reply =
      handler === undefined
        ? { status: 404, body: { message: 'Not found' } }
        : await handler(await readBody(request));
  } catch (error) {
    reply = { status: 400, body: { message: error instanceof Error ? error.message : String(error) } };
  }
  const text = JSON.stringify(reply.body);
  response.writeHead(reply.status, { 'content-type': 'application/json', connection: 'close' });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY) throw new Error('the body is too large');
  }
  if (text === '') return {};
  const body: unknown = JSON.parse(text);
  if (typeof body !== 'object' || body === null) throw new Error('the body must be an object');
  return body as Record<string, unknown>;
}
