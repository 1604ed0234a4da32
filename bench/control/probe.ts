/**
 * How long answers take while something else happens: one request after the other to each URL, from a thread of its own,
 * so that what the benchmark does meanwhile does not count.
 */
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { quantile } from '../support/statistics.ts';

/** Milliseconds of one URL's answers. */
export interface Probed {
  readonly count: number;
  readonly failed: number;
  readonly p99: number;
  readonly worst: number;
}

/** Milliseconds between two requests to a URL. */
const PACE = 5;

interface Thread {
  readonly urls: readonly string[];
}

/** @param job what happens meanwhile. Answers the probes of the URLs in their order, too. */
export async function probing<T>(urls: readonly string[], job: () => Promise<T>): Promise<[T, Probed[]]> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { urls } satisfies Thread });
  await once(thread, 'message');
  try {
    const result = await job();
    thread.postMessage('end', []);
    const [probed] = (await once(thread, 'message')) as [Probed[]];
    return [result, probed];
  } finally {
    await thread.terminate();
  }
}

function ask(url: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume().on('end', () => resolve((response.statusCode ?? 500) < 500));
    });
    request.on('error', () => resolve(false));
  });
}

async function probe(url: string, ended: AbortSignal): Promise<Probed> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  let failed = 0;
  while (!ended.aborted) {
    const begun = performance.now();
    if (!(await ask(url, agent))) failed++;
    times.push(performance.now() - begun);
    await delay(PACE);
  }
  agent.destroy();
  return { count: times.length, failed, p99: quantile(times, 0.99), worst: Math.max(...times) };
}

if (!isMainThread && parentPort !== null) {
  const ended = new AbortController();
  parentPort.once('message', () => ended.abort());
  const { urls } = workerData as Thread;
  const probes = urls.map((url) => probe(url, ended.signal));
  parentPort.postMessage('probing', []);
  parentPort.postMessage(await Promise.all(probes), []);
}
