/** The upstream's side of the bare proxies: kept connections, an answer taken to come in one read. */
import { connect, type Socket } from 'node:net';

type Take = (response: Buffer) => void;

interface Upstream {
  readonly socket: Socket;
  take: Take | null;
}

/** Answers how to ask the upstream: on an idle connection, or a new one. A string is latin1. */
export function bareUpstream(port: number): (request: string | Buffer, take: Take) => void {
  const idle: Upstream[] = [];

  function newUpstream(): Upstream {
    const read = (length: number, buffer: Uint8Array): boolean => {
      const { take } = upstream;
      upstream.take = null;
      idle.push(upstream);
      take?.(Buffer.from(buffer.subarray(0, length)));
      return true;
    };
    const onread = { buffer: Buffer.alloc(64 * 1024), callback: read };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    const upstream: Upstream = { socket, take: null };
    return upstream;
  }

  return (request, take) => {
    const upstream = idle.pop() ?? newUpstream();
    upstream.take = take;
    if (typeof request === 'string') upstream.socket.write(request, 'latin1');
    else upstream.socket.write(request);
  };
}
