/**
 * Ports for servers that tests start.
 *
 * They come from below the kernel's ephemeral range, so that no outgoing connection of another test takes one
 * between the check and the server's own bind, and each test process draws from a stretch of its own: it holds the
 * stretch's first port as long as it lives.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 20_000;
const STRETCH = 250;
const STRETCHES = 48;

const base = await takeStretch();
let next = 1;

async function takeStretch(): Promise<number> {
  for (let tried = 0; tried < STRETCHES; tried++) {
    const first = FIRST + ((process.pid + tried) % STRETCHES) * STRETCH;
    const guard = createServer().unref();
    try {
      guard.listen({ port: first, host: '127.0.0.1', exclusive: true });
      await once(guard, 'listening');
      return first;
    } catch {
      // Another test process has it.
    }
  }
  throw new Error('all stretches of ports are taken');
}

async function canBind(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '0.0.0.0', exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    if (server.listening) {
      server.close();
      await once(server, 'close');
    }
  }
}

/** A TCP port that nothing listens on, not handed out before by this process while others are left. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < STRETCH; tried++) {
    const port = base + (next++ % STRETCH);
    if (await canBind(port)) return port;
  }
  throw new Error(`no free port from ${base} to ${base + STRETCH - 1}`);
}

/** `count` different ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
