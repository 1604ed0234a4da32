/**
 * One probe of an address: a connection of its own, and for http and https the bytes that Kong sends.
 *
 *     tcp     connected ──> healthy
 *     http    connected ──> GET path HTTP/1.0 ──> status line ──> its status
 *     https   the same behind a handshake
 *     grpc    grpc-probe.ts
 *
 * The time-out holds for each step, as in Kong. Only the status line is read, at most 1 KiB of it.
 */
import { connectUpstream } from '../../wire/tls/upstream-connect.ts';
import { resetSocket } from '../../wire/reset-socket.ts';
import type { Destination } from '../../wire/tls/destination.ts';
import { grpcProbe } from './grpc-probe.ts';
import { NO_STATUS, type Outcome } from '../../balancer/health/report.ts';

export type ProbeType = 'tcp' | 'http' | 'https' | 'grpc' | 'grpcs';

export interface ProbeSpec {
  readonly type: ProbeType;
  readonly to: Destination;
  /** What is sent for http and https: `requestOf`. */
  readonly request: string;
  /** The authority of gRPC calls. */
  readonly authority: string;
  readonly timeoutMs: number;
}

export interface ProbeResult {
  readonly outcome: Outcome;
  /** Why, for the log. */
  readonly cause: string;
}

export interface Probe {
  /** Ends it without an answer. */
  cancel(): void;
}

export type Answer = (result: ProbeResult) => void;

/** All probes read into it: what is there is looked at before the next read. */
const READ = Buffer.allocUnsafeSlow(1024);
const MAX_LINE = 1024;
const STATUS = /^HTTP\/\d+\.\d+[ \t]+(\d+)/i;

/** @param answer called once, never before this returns. */
export function probe(spec: ProbeSpec, answer: Answer): Probe {
  return spec.type === 'grpc' || spec.type === 'grpcs'
    ? grpcProbe(spec, answer)
    : new SocketProbe(spec, answer);
}

class SocketProbe implements Probe {
  readonly #socket: ReturnType<typeof connectUpstream>;
  readonly #timer: NodeJS.Timeout;
  readonly #answer: Answer;
  readonly #plain: boolean;
  #line = '';
  #over = false;

  constructor({ type, to, request, timeoutMs }: ProbeSpec, answer: Answer) {
    this.#answer = answer;
    this.#plain = to.tls === null;
    this.#timer = setTimeout(() => this.#end('timeout', `nothing for ${timeoutMs} ms`), timeoutMs);
    this.#socket = connectUpstream(to, {
      alpn: null,
      onread: { buffer: READ, callback: (bytes, buffer) => this.#read(buffer, bytes) },
      onReady: () => {
        if (this.#over) return;
        if (type === 'tcp') return this.#end('connected', 'connected');
        this.#timer.refresh();
        this.#socket.write(request, 'latin1');
      },
    });
    this.#socket.on('error', (error) => this.#end('tcp failure', error.message));
    this.#socket.on('end', () => this.#end('tcp failure', 'closed without a status line'));
    this.#socket.on('close', () => this.#end('tcp failure', 'closed'));
  }

  /** By a reset where nothing is lost: a thousand probes a second would leave 60,000 sockets waiting for their end. */
  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#plain && !this.#socket.connecting) resetSocket(this.#socket);
    else this.#socket.destroy();
  }

  #read(buffer: Uint8Array, bytes: number): boolean {
    this.#line += Buffer.from(buffer.buffer, buffer.byteOffset, bytes).toString('latin1');
    const end = this.#line.indexOf('\n');
    if (end < 0 && this.#line.length < MAX_LINE) return true;
    const line = end < 0 ? this.#line : this.#line.slice(0, end);
    const status = STATUS.exec(line)?.[1];
    if (status === undefined) this.#end(NO_STATUS, 'bad status line');
    else this.#end(Number(status), `status ${status}`);
    return false;
  }

  #end(outcome: Outcome, cause: string): void {
    if (this.#over) return;
    this.cancel();
    this.#answer({ outcome, cause });
  }
}

/** @param headers names with their values, as configured. */
export function requestOf(
  path: string,
  host: string,
  headers: Readonly<Record<string, readonly string[]>> | null,
): string {
  const lines = Object.entries(headers ?? {}).flatMap(([name, values]) =>
    values.map((value) => `${clean(name)}: ${clean(value)}\r\n`),
  );
  const named = lines.some((line) => /^host:/i.test(line));
  return `GET ${clean(path)} HTTP/1.0\r\n${lines.join('')}${named ? '' : `Host: ${host}\r\n`}\r\n`;
}

/** No value ends its line. */
function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, '');
}
