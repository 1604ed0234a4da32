/**
 * The side-by-side measurement. All subjects run the whole time (an idle one costs nothing) and take turns under load
 * within each round, so that what the machine does meanwhile hits all alike. Ratios are taken within a round, and the
 * median of them is what counts.
 *
 * Each turn has two parts: full load, for CPU time per request and requests per second; then, once all capacities are
 * known, a fixed rate of half the smallest one, for the latencies. Latencies under full load would show the queue of
 * the load generator, not the gateway.
 */
import type { Running } from '../contenders/contender.ts';
import { cpuTime } from './proc.ts';
import type { BenchOptions, Report } from './scenario.ts';
import { median } from './statistics.ts';
import { table } from './table.ts';
import { runLoad, type Load, type LoadResult } from './wrk.ts';

export interface Subject {
  readonly name: string;
  readonly running: Running;
  readonly load: Omit<Load, 'port' | 'seconds' | 'rate'>;
  /** Slow ones are left out where the common rate of the latency part is chosen, and have half their own. */
  readonly slow?: boolean;
}

interface Turn {
  /** CPU microseconds per request. */
  readonly user: number;
  readonly system: number;
  readonly cpu: number;
  /** How much of its core the gateway used, 0 to 1. */
  readonly busy: number;
  readonly perSecond: number;
  readonly result: LoadResult;
}

export interface Row {
  readonly name: string;
  readonly turns: readonly Turn[];
  readonly latencies: readonly LoadResult[];
  /** CPU per request over the base's, by round. */
  readonly ratios: readonly number[];
  /** Medians. */
  readonly cpu: number;
  readonly user: number;
  readonly system: number;
  readonly perSecond: number;
  readonly ratio: number;
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
  readonly refused: number;
  readonly broken: number;
}

async function fullLoad(subject: Subject, seconds: number): Promise<Turn> {
  const { pid, port } = subject.running;
  const before = cpuTime(pid);
  const result = await runLoad({ ...subject.load, port, seconds });
  const after = cpuTime(pid);
  const user = (after.user - before.user) / result.requests;
  const system = (after.system - before.system) / result.requests;
  const cpu = user + system;
  const { perSecond } = result;
  return { user, system, cpu, busy: (cpu * perSecond) / 1e6, perSecond, result };
}

/** JavaScript has its final code only after some 50,000 requests; nginx needs none of it. */
const WARM_REQUESTS = 60_000;
const WARM_SECONDS = 20;

async function warmUp({ load, running: { port } }: Subject, seconds: number): Promise<void> {
  const step = Math.max(2, seconds);
  let requests = 0;
  for (let spent = 0; spent < WARM_SECONDS && requests < WARM_REQUESTS; spent += step) {
    requests += (await runLoad({ ...load, port, seconds: step })).requests;
  }
}

/** One list per subject, filled round by round, each round beginning with another subject. */
async function inTurns<T>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject, index: number) => Promise<T>,
): Promise<T[][]> {
  const results: T[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const index = (round + turn) % subjects.length;
      const subject = subjects[index];
      if (subject !== undefined) results[index]?.push(await measure(subject, index));
    }
  }
  return results;
}

/** Requests per second of the latency part, by subject. */
function latencyRates(subjects: readonly Subject[], turns: readonly (readonly Turn[])[]): number[] {
  const capacities = turns.map((list) => median(list.map((turn) => turn.perSecond)));
  const common = Math.min(...capacities.filter((_, index) => subjects[index]?.slow !== true)) / 2;
  return capacities.map((capacity) => Math.round(Math.min(common, capacity / 2)));
}

/** Measures all subjects; the first is the base of the ratios. */
export async function compare(
  subjects: readonly Subject[],
  options: BenchOptions,
  say: (line: string) => void,
): Promise<Row[]> {
  for (const subject of subjects) {
    say(`warming up ${subject.name}`);
    await warmUp(subject, options.seconds);
  }
  const turns = await inTurns(subjects, options.rounds, async (subject) => {
    const turn = await fullLoad(subject, options.seconds);
    say(`${subject.name}: ${turn.cpu.toFixed(2)} µs/request, ${Math.round(turn.perSecond)} requests/s`);
    return turn;
  });
  const rates = latencyRates(subjects, turns);
  const latencies = await inTurns(subjects, options.rounds, (subject, index) => {
    const { load, running } = subject;
    return runLoad({ ...load, port: running.port, seconds: options.seconds, rate: rates[index] ?? 1 });
  });
  return subjects.map((subject, index) => {
    const own = turns[index] ?? [];
    const waits = latencies[index] ?? [];
    const base = turns[0] ?? [];
    const ratios = own.map((turn, round) => turn.cpu / (base[round]?.cpu ?? Number.NaN));
    const loads = [...own.map((turn) => turn.result), ...waits];
    const of = (field: 'cpu' | 'user' | 'system' | 'perSecond'): number =>
      median(own.map((turn) => turn[field]));
    return {
      name: subject.name,
      turns: own,
      latencies: waits,
      ratios,
      cpu: of('cpu'),
      user: of('user'),
      system: of('system'),
      perSecond: of('perSecond'),
      ratio: median(ratios),
      p50: median(waits.map((wait) => wait.p50)),
      p99: median(waits.map((wait) => wait.p99)),
      rate: median(waits.map((wait) => wait.perSecond)),
      refused: loads.reduce((sum, { refused }) => sum + refused, 0),
      broken: loads.reduce((sum, { broken }) => sum + broken, 0),
    };
  });
}

/** The rows as a Markdown table, with the ratio of every round and any failed requests below. */
export function report(title: string, rows: readonly Row[], notes: readonly string[] = []): Report {
  const base = rows[0]?.name ?? '';
  const header = [
    '',
    'CPU µs/request',
    'user',
    'system',
    `× ${base}`,
    'requests/s',
    'p50 ms',
    'p99 ms',
    'at requests/s',
  ];
  const cells = rows.map((row) => [
    row.name,
    row.cpu.toFixed(1),
    row.user.toFixed(1),
    row.system.toFixed(1),
    row.ratio.toFixed(2),
    String(Math.round(row.perSecond)),
    row.p50.toFixed(2),
    row.p99.toFixed(2),
    String(Math.round(row.rate)),
  ]);
  const rounds = rows
    .slice(1)
    .map((row) => `${row.name} × ${base} by round: ${row.ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`);
  const failures = rows
    .filter(({ refused, broken }) => refused + broken > 0)
    .map(
      ({ name, refused, broken }) => `FAILED: ${name}: ${refused} error answers, ${broken} broken or late`,
    );
  return {
    text: [`### ${title}`, '', table(header, cells), '', ...notes, ...rounds, ...failures].join('\n'),
    data: { title, rows },
  };
}
