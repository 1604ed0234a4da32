/** A target whose manners a test can change, on a port that it keeps while nobody listens there. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../../src/wire/reset-socket.ts';

/** A status; or: connections are refused, requests are not answered, the answer is no HTTP, cut off before it. */
export type Manner = number | 'refuse' | 'hang' | 'garbage' | 'cut';

export class Target implements AsyncDisposable {
  readonly port: number;
  /** First lines of the requests that were begun. */
  readonly lines: string[] = [];
  /** Whole heads. */
  readonly heads: string[] = [];
  connections = 0;
  #manner: Manner = 200;
  #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    this.#serve(server);
  }

  static async start(): Promise<Target> {
    const server = createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
    await once(server, 'listening');
    return new Target(server, (server.address() as AddressInfo).port);
  }

  get at(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Requests of clients, which have a path of their own. */
  count(path: string): number {
    return this.lines.filter((line) => line.includes(` ${path}`)).length;
  }

  async behave(manner: Manner): Promise<void> {
    const was = this.#manner;
    this.#manner = manner;
    if (manner === 'refuse' && was !== 'refuse') await this.#close();
    if (manner !== 'refuse' && was === 'refuse') {
      this.#server = createServer();
      this.#serve(this.#server);
      this.#server.listen({ port: this.port, host: '127.0.0.1', backlog: 1024 });
      await once(this.#server, 'listening');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.#close();
  }

  async #close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) resetSocket(socket);
    await once(this.#server, 'close');
  }

  #serve(server: Server): void {
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          this.#answer(socket, text.slice(0, end));
          text = text.slice(end + 4);
        }
      });
    });
  }

  #answer(socket: Socket, head: string): void {
    this.heads.push(head);
    this.lines.push(head.slice(0, head.indexOf('\r\n')));
    const manner = this.#manner;
    if (manner === 'hang') return;
    if (manner === 'cut') return void socket.destroy();
    if (manner === 'garbage') return void socket.end('SSH-2.0-x\r\n');
    const body = String(this.port);
    socket.write(`HTTP/1.1 ${manner} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }
}
