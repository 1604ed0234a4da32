/** Runs wrk with load.lua. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CORES, pinned } from './cores.ts';

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));
const run = promisify(execFile);

export interface Load {
  readonly port: number;
  readonly method: 'GET' | 'POST';
  /** A file with one request target per line; they are asked for in turn. */
  readonly paths: string;
  /** Bytes. */
  readonly bodySize: number;
  readonly connections: number;
  readonly seconds: number;
  /** Requests per second to aim at; without it each connection sends its next request at once. */
  readonly rate?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Answers that were neither 2xx nor 3xx, and connections that broke or answers that did not come. */
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Raw {
  requests: number;
  microseconds: number;
  failed: number;
  broken: number;
  p50: number;
  p99: number;
  max: number;
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const pause = load.rate === undefined ? 0 : Math.max(1, Math.round((load.connections / load.rate) * 1000));
  const options = `-t 1 -c ${load.connections} -d ${load.seconds}s --timeout 10s`.split(' ');
  const url = `http://127.0.0.1:${load.port}`;
  const forScript = [load.method, load.paths, String(load.bodySize), String(pause)];
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
    failed: raw.failed + raw.broken,
    p50: raw.p50 / 1000,
    p99: raw.p99 / 1000,
    max: raw.max / 1000,
  };
}
