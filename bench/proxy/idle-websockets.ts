/** What idle WebSockets hold of memory, upgraded and with one message each way behind them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { plainConfig, startSluice } from '../contenders/sluice.ts';
import { residentMemory } from '../support/proc.ts';
import type { Report, Scenario } from '../support/scenario.ts';
import { HANDSHAKE, startWebSocketUpstream } from '../support/websocket-upstream.ts';

const COUNT = 9000;
/** Opened at a time. */
const BATCH = 100;
const MEBIBYTE = 1024 ** 2;

/** A text frame of a client, masked; the gateway does not look into it. */
const MESSAGE = Buffer.concat([Buffer.from([0x81, 0x8a, 1, 2, 3, 4]), Buffer.alloc(10, 'x')]);

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(HANDSHAKE);
  await once(socket, 'data');
  socket.write(MESSAGE);
  await once(socket, 'data');
  socket.resume();
  return socket;
}

async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(BATCH, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => open(port)))));
  }
  return sockets;
}

async function measure(say: (line: string) => void): Promise<Report> {
  await using upstream = await startWebSocketUpstream();
  await using gateway = await startSluice({
    config: plainConfig(upstream.port),
  });
  const settled = async (): Promise<number> => {
    await delay(3000);
    return residentMemory(gateway.pid);
  };
  const empty = await settled();
  const sockets = await openMany(gateway.port, COUNT);
  const full = await settled();
  const alive = sockets.filter((socket) => !socket.destroyed).length;
  for (const socket of sockets) socket.destroy();
  const each = (full - empty) / alive / 1024;
  const lines = [
    '### Idle WebSockets',
    '',
    `${alive} open: ${((full - empty) / MEBIBYTE).toFixed(1)} MiB over the empty gateway (${(empty / MEBIBYTE).toFixed(1)} MiB), ${each.toFixed(1)} KiB each: ${((each * 10_000) / 1024).toFixed(0)} MiB for 10,000.`,
  ];
  say(lines.at(-1) ?? '');
  return { text: lines.join('\n'), data: { alive, empty, full, each } };
}

export const idleWebSockets: Scenario = {
  name: 'idle-websockets',
  summary: `${COUNT} idle WebSockets: memory over that of the empty gateway (10,000: at most 150 MiB)`,
  run: async ({ say }) => measure(say),
};
