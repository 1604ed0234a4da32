/** An upstream on all loopback addresses that counts on which of them it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Counting extends AsyncDisposable {
  readonly port: number;
  /** Requests, by the address that they were sent to. */
  readonly asked: Map<string, number>;
}

export async function startCounting(): Promise<Counting> {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const at = request.socket.localAddress ?? '';
    asked.set(at, (asked.get(at) ?? 0) + 1);
    response.end(at);
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
