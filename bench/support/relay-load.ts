/**
 * Load on a relay, in a process of its own: connections that each keep so many messages under way, and send one more for
 * each that has come back. Arguments: port, connections, octets of a message, messages under way, seconds. Prints how
 * many messages came back, and in how many seconds.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/support/child.ts';
import { CORES, pinned } from './cores.ts';
import { HANDSHAKE } from './websocket-upstream.ts';

export interface RelayLoad {
  readonly port: number;
  readonly connections: number;
  readonly bytes: number;
  readonly underWay: number;
  readonly seconds: number;
}

export interface RelayResult {
  readonly messages: number;
  readonly seconds: number;
}

export async function runRelayLoad(load: RelayLoad): Promise<RelayResult> {
  const { port, connections, bytes, underWay, seconds } = load;
  const words = [port, connections, bytes, underWay, seconds].map(String);
  const child = new Child(
    ...pinned(CORES.load, [process.execPath, fileURLToPath(import.meta.url), ...words]),
  );
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`the load failed: ${child.output}`);
  return JSON.parse(child.output) as RelayResult;
}

/** A binary frame as a client masks it. */
function frame(bytes: number): Buffer {
  const head =
    bytes < 126
      ? [0x82, 0x80 | bytes]
      : bytes < 65_536
        ? [0x82, 0xfe, bytes >> 8, bytes & 0xff]
        : [0x82, 0xff, 0, 0, 0, 0, bytes >>> 24, (bytes >> 16) & 0xff, (bytes >> 8) & 0xff, bytes & 0xff];
  return Buffer.concat([Buffer.from([...head, 1, 2, 3, 4]), Buffer.alloc(bytes, 'x')]);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.write(HANDSHAKE);
  await once(socket, 'data');
  return socket;
}

async function main([
  port = 0,
  connections = 1,
  bytes = 1,
  underWay = 1,
  seconds = 1,
]: number[]): Promise<void> {
  const message = frame(bytes);
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  let octets = 0;
  const startedAt = performance.now();
  for (const socket of sockets) {
    let partial = 0;
    socket.on('data', (chunk: Buffer) => {
      octets += chunk.length;
      partial += chunk.length;
      const whole = Math.floor(partial / message.length);
      partial %= message.length;
      if (whole === 1) socket.write(message);
      else if (whole > 1) socket.write(Buffer.concat(Array.from({ length: whole }, () => message)));
    });
    socket.write(Buffer.concat(Array.from({ length: underWay }, () => message)));
  }
  setTimeout(() => {
    const took = (performance.now() - startedAt) / 1000;
    process.stdout.write(JSON.stringify({ messages: Math.floor(octets / message.length), seconds: took }));
    process.exit(0);
  }, seconds * 1000);
}

if (import.meta.main) await main(process.argv.slice(2).map(Number));
