/**
 * One probe of an address: a connection of its own, and for http and https the bytes that Kong sends.
 *
 *     tcp     connected ──> healthy
 *     http    connected ──> GET path HTTP/1.0 ──> status line ──> its status
 *     https   the same behind a handshake
 *     grpc    grpc-probe.ts
 *
 * The time-out holds for each step, as in Kong, and strikes up to 20 ms late. Only the status line is read, at most 1 KiB
 * of it.
 */
import { TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts';
import { connectUpstream, type UpstreamSocket } from '../../wire/tls/upstream-connect.ts';
import type { Destination } from '../../wire/tls/destination.ts';
import { grpcProbe } from './grpc-probe.ts';
import { ProbeSocket } from './probe-socket.ts';
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

/** All probes over TLS read into it: what is there is looked at before the next read. */
const READ = Buffer.allocUnsafeSlow(1024);
const MAX_LINE = 1024;
const STATUS = /^HTTP\/\d+\.\d+[ \t]+(\d+)/i;

/** @param answer called once, never before this returns. */
export function probe(spec: ProbeSpec, answer: Answer): Probe {
  return spec.type === 'grpc' || spec.type === 'grpcs'
    ? grpcProbe(spec, answer)
    : spec.to.tls === null
      ? new PlainProbe(spec, answer)
      : new TlsProbe(spec, answer);
}

/** One clock for the time-outs of all probes. */
const wheel = new TimerWheel();

/** A status line, as far as it has come. */
class StatusLine {
  #line = '';

  /** @returns the status, 0 for a line that is none, null: it is not whole yet. */
  read(bytes: Buffer): number | null {
    this.#line += bytes.toString('latin1');
    const end = this.#line.indexOf('\n');
    if (end < 0 && this.#line.length < MAX_LINE) return null;
    return Number(STATUS.exec(end < 0 ? this.#line : this.#line.slice(0, end))?.[1] ?? NO_STATUS);
  }
}

/** What plain and TLS probes have in common: time-outs, the request, and that they answer once. */
abstract class SocketProbe implements Probe {
  readonly #spec: ProbeSpec;
  readonly #answer: Answer;
  readonly #timer: WheelTimer;
  readonly #line = new StatusLine();
  protected over = false;

  constructor(spec: ProbeSpec, answer: Answer) {
    this.#spec = spec;
    this.#answer = answer;
    this.#timer = new WheelTimer(() => this.end('timeout', `nothing for ${spec.timeoutMs} ms`));
    wheel.arm(this.#timer, spec.timeoutMs);
  }

  cancel(): void {
    this.over = true;
    wheel.remove(this.#timer);
    this.close();
  }

  connected(): void {
    const { type, request, timeoutMs } = this.#spec;
    if (this.over) return;
    if (type === 'tcp') return this.end('connected', 'connected');
    wheel.arm(this.#timer, timeoutMs);
    this.write(request);
  }

  received(bytes: Buffer): void {
    const status = this.#line.read(bytes);
    if (status === NO_STATUS) this.end(NO_STATUS, 'bad status line');
    else if (status !== null) this.end(status, `status ${status}`);
  }

  broken(error: Error | null, what: 'closed' | 'ended'): void {
    const cause = what === 'ended' ? 'closed without a status line' : 'closed';
    this.end('tcp failure', error?.message ?? cause);
  }

  protected end(outcome: Outcome, cause: string): void {
    if (this.over) return;
    this.cancel();
    this.#answer({ outcome, cause });
  }

  protected abstract write(text: string): void;
  protected abstract close(): void;
}

class PlainProbe extends SocketProbe {
  readonly #socket: ProbeSocket;

  constructor(spec: ProbeSpec, answer: Answer) {
    super(spec, answer);
    this.#socket = ProbeSocket.connect(spec.to.host, spec.to.port, this);
  }

  protected write(text: string): void {
    this.#socket.write(text);
  }

  protected close(): void {
    this.#socket.release();
  }
}

class TlsProbe extends SocketProbe {
  readonly #socket: UpstreamSocket;

  constructor(spec: ProbeSpec, answer: Answer) {
    super(spec, answer);
    const callback = (bytes: number, buffer: Uint8Array): boolean => {
      if (!this.over) this.received(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
      return !this.over;
    };
    this.#socket = connectUpstream(spec.to, {
      alpn: null,
      onread: { buffer: READ, callback },
      onReady: () => this.connected(),
    });
    this.#socket.on('error', (error) => this.broken(error, 'closed'));
    this.#socket.on('end', () => this.broken(null, 'ended'));
    this.#socket.on('close', () => this.broken(null, 'closed'));
  }

  protected write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  protected close(): void {
    this.#socket.destroy();
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
