/**
 * Connections of HTTP/2 that nobody uses: `node:http2` keeps them for good, and a listener has only so many. Those of
 * HTTP/1.1 end by the time-outs of `node:http`.
 */
import type { Http2Session, Http2Stream } from 'node:http2';
import type { Server } from 'node:net';

/** @param milliseconds without a request, and without anything that would begin one. */
export function endIdleSessions(server: Server, milliseconds: number): void {
  server.on('session', (session: Http2Session) => {
    let open = 0;
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      timer = setTimeout(() => session.destroy(), milliseconds).unref();
    };
    session.on('stream', (stream: Http2Stream) => {
      open++;
      clearTimeout(timer);
      stream.on('close', () => {
        if (--open === 0 && !session.destroyed) wait();
      });
    });
    session.on('close', () => clearTimeout(timer));
    wait();
  });
}
