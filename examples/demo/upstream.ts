/** The demo's upstream: answers every request with what it got, as JSON. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

export async function startUpstream(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on('end', () => {
      const { method, url, headers } = request;
      const got = { method, url, headers, bodyBytes: size };
      response.setHeader('content-type', 'application/json');
      response.end(`${JSON.stringify(got, null, 2)}\n`);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
