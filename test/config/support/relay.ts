/** An Admin API in front of another one, which does something before a path is asked for. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Relay extends AsyncDisposable {
  readonly url: string;
}

export async function relay(to: string, path: string, first: () => Promise<unknown>): Promise<Relay> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url === path) await first();
    const { host: _, connection: _c, 'transfer-encoding': _t, ...headers } = request.headers;
    const answer = await fetch(to + String(request.url), {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const revision = answer.headers.get('x-sluice-revision');
    response.writeHead(answer.status, revision === null ? {} : { 'x-sluice-revision': revision });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
