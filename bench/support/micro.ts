/**
 * Times small pieces of code against each other: cases take turns in short batches, so that noise hits all alike, and
 * the best and the median batch of each are given. Each case returns something that the loop uses, so that it cannot
 * be optimised away.
 */
import { median } from './statistics.ts';
import { table } from './table.ts';

export interface MicroCase {
  readonly name: string;
  /** One operation; the index changes from call to call, for cases that take their input from a list. */
  run(index: number): unknown;
}

export interface MicroResult {
  readonly name: string;
  /** Nanoseconds per operation. */
  readonly best: number;
  readonly median: number;
}

/** Where results go, so that they are used: a global, which the compiler must take for read by others. */
const sink = globalThis as { microResult?: unknown };

function batch(run: (index: number) => unknown, first: number, count: number): number {
  const begun = process.hrtime.bigint();
  for (let index = first; index < first + count; index++) sink.microResult = run(index);
  return Number(process.hrtime.bigint() - begun);
}

/** Operations that take about `target` nanoseconds. */
function calibrate(run: (index: number) => unknown, target: number): number {
  let count = 16;
  while (count < 1 << 24 && batch(run, 0, count) < target / 2) count *= 2;
  return count;
}

export interface MicroOptions {
  /** 30 unless said. */
  readonly batches?: number;
  /** Milliseconds of one batch; 20 unless said. */
  readonly batchTime?: number;
}

export function micro(cases: readonly MicroCase[], options: MicroOptions = {}): MicroResult[] {
  const target = (options.batchTime ?? 20) * 1e6;
  const counts = cases.map((one) => calibrate((index) => one.run(index), target));
  const times: number[][] = cases.map(() => []);
  const batches = options.batches ?? 30;
  for (let round = 0; round < batches; round++) {
    for (const [index, one] of cases.entries()) {
      const count = counts[index] ?? 1;
      times[index]?.push(batch((at) => one.run(at), round * count, count) / count);
    }
  }
  return cases.map(({ name }, index) => {
    const own = times[index] ?? [];
    return { name, best: Math.min(...own), median: median(own) };
  });
}

/** A Markdown table of results; times in nanoseconds per operation. */
export function microTable(title: string, results: readonly MicroResult[]): string {
  const rows = results.map((result) => [result.name, result.best.toFixed(0), result.median.toFixed(0)]);
  return `### ${title}\n\n${table(['', 'best ns', 'median ns'], rows)}\n`;
}
