/** What a scenario is given and what it hands back. */
import type { Nginx } from '../../test/support/nginx.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Seconds of load in each measurement. */
  readonly seconds: number;
  /** Length of the memory run. */
  readonly minutes: number;
  /** Only contenders whose name contains one of these; empty for all. */
  readonly contenders: readonly string[];
}

export interface Context {
  readonly options: BenchOptions;
  readonly upstream: Nginx;
  /** For files of request targets; removed at the end. */
  readonly folder: string;
  /** Progress, on standard error. */
  readonly say: (line: string) => void;
}

export interface Report {
  /** Markdown. */
  readonly text: string;
  /** For the JSON file. */
  readonly data: unknown;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  run(context: Context): Promise<Report>;
}
