/** Runs wrk with load.lua. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CORES, pinned } from './cores.ts';

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));
const run = promisify(execFile);

export interface Load {
  readonly port: number;
  /** A file with one request per line (see load.lua); they are sent in turn. */
  readonly requests: string;
  /** Bytes. */
  readonly bodySize: number;
  readonly connections: number;
  readonly seconds: number;
  /**
   * Requests per second to aim at, with as many connections as that takes; the result says what it became. Without
   * it, each of `connections` sends its next request at once.
   */
  readonly rate?: number;
  /** Over TLS; nobody asks whose certificate it is. */
  readonly tls?: boolean;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Answers with status 400 and above. */
  readonly refused: number;
  /** Connections that broke, and answers that did not come in time. */
  readonly broken: number;
  /** Both. */
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

interface Raw {
  requests: number;
  microseconds: number;
  refused: number;
  broken: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** Milliseconds that a connection waits between two requests, on average, to hold a rate: wrk knows only whole ones. */
const MEAN_PAUSE = 10;

/** How many connections, and how long each waits: a rate is held by as many as it takes at about `MEAN_PAUSE`. */
function pace(load: Load): { connections: number; pause: number } {
  if (load.rate === undefined) return { connections: load.connections, pause: 0 };
  const connections = Math.max(1, Math.round((load.rate * MEAN_PAUSE) / 1000));
  return { connections, pause: Math.max(1, Math.round((connections / load.rate) * 1000)) };
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const { connections, pause } = pace(load);
  const options = `-t 1 -c ${connections} -d ${load.seconds}s --timeout 10s`.split(' ');
  const url = `${load.tls === true ? 'https' : 'http'}://127.0.0.1:${load.port}`;
  const forScript = [load.requests, String(load.bodySize), String(pause)];
  const words = ['wrk', ...options, '-s', SCRIPT, url, '--', ...forScript];
  const { stdout } = await run(...pinned(CORES.load, words), { maxBuffer: 1 << 24 });
  const line = /^RESULT (\{.*\})$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk said nothing of use:\n${stdout}`);
  const raw = JSON.parse(line) as Raw;
  const seconds = raw.microseconds / 1e6;
  return {
    requests: raw.requests,
    seconds,
    perSecond: raw.requests / seconds,
    refused: raw.refused,
    broken: raw.broken,
    failed: raw.refused + raw.broken,
    p50: raw.p50 / 1000,
    p95: raw.p95 / 1000,
    p99: raw.p99 / 1000,
    max: raw.max / 1000,
  };
}
