/**
 * The access log of streams, one line for each connection or UDP session, in Kong's format `basic`:
 *
 *     $remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time
 *
 * No value of it is a client's text.
 */
import { formatLocalTime } from './access-log.ts';
import type { LogFile } from './log-file.ts';

export interface StreamEntry {
  /** An address, or `unix:`. */
  readonly remoteAddr: string;
  readonly protocol: 'TCP' | 'UDP';
  /** nginx's: 200, 400 (not what the listener wants), 500 (no route), 502 (no upstream), 503 (a limit). */
  readonly status: number;
  /** To the client. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly milliseconds: number;
}

export class StreamLog {
  readonly #file: LogFile;

  constructor(file: LogFile) {
    this.#file = file;
  }

  write({ remoteAddr, protocol, status, bytesSent, bytesReceived, milliseconds }: StreamEntry): void {
    const time = formatLocalTime(new Date());
    const seconds = (milliseconds / 1000).toFixed(3);
    this.#file.writeLine(
      `${remoteAddr} [${time}] ${protocol} ${status} ${bytesSent} ${bytesReceived} ${seconds}`,
    );
  }
}
