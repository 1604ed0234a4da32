/**
 * Runs test files, each in a process of its own, and adds up what their reports say. A file that crashes, hangs,
 * exits with an error although its tests passed, or has no test at all is itself a failure.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestLine } from './test-reporter.ts';

const REPORTER = fileURLToPath(new URL('test-reporter.ts', import.meta.url));
/** Milliseconds between asking a hanging file to end and killing it. */
const GRACE = 3000;
/** Characters of a failing file's own output that are shown. */
const OUTPUT_SHOWN = 8000;
/** Failed files that run again; more of them are no accident. */
const MOST_AGAIN = 3;

export interface Tally {
  passed: number;
  failed: number;
  /** Files that failed once and passed when they ran again. */
  unsteady?: number;
}

export interface FileResult {
  readonly passed: number;
  readonly failed: number;
  readonly file: string;
  readonly seconds: number;
  /** Ready to print; empty when all is well. */
  readonly report: string;
}

export interface RunOptions {
  /** Milliseconds for one file. */
  readonly timeout: number;
  readonly concurrency: number;
  /** Called as each file ends. */
  onFile(result: FileResult): void;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly output: string;
}

async function runProcess(args: readonly string[], timeout: number): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_SHOWN);
    });
  }
  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    timedOut = true;
    // SIGTERM first: it lets the file's helpers end the servers that they started.
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), GRACE);
  }, timeout);
  const closed = once(child, 'close');
  await once(child, 'exit');
  clearTimeout(timer);
  clearTimeout(killer);
  // Its last output; bounded, since a grandchild that outlives its file may hold the pipes open for ever.
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  return { code: child.exitCode, signal: child.signalCode, timedOut, output };
}

async function readLines(path: string): Promise<TestLine[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  // A killed process may leave half a line.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestLine);
}

/** What is wrong with the file as a whole, apart from its failed tests. */
function fileProblem(ended: Ended, lines: readonly TestLine[], timeout: number): string | null {
  if (ended.timedOut)
    return `did not end within ${timeout / 1000} s (a test hangs, or something was left open)`;
  if (ended.signal !== null) return `was killed by ${ended.signal}`;
  if (ended.code !== 0 && !lines.some((line) => line.outcome === 'failed'))
    return `ended with code ${ended.code}`;
  if (lines.length === 0) return 'has no tests';
  return null;
}

function describeLine(line: TestLine, root: string): string {
  const place = line.file === null ? '' : ` (${relative(root, line.file)}:${line.line})`;
  const what = line.outcome === 'skipped' ? 'is skipped, which is a failure: nothing is skipped here' : '';
  const error = (line.error ?? what).replaceAll(/^/gm, '      ');
  return `    FAILED: ${line.name}${place}\n${error}\n`;
}

/** Runs one file and judges it. */
export async function runFile(file: string, timeout: number): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-report-'));
  const begun = performance.now();
  try {
    const destination = join(folder, 'report');
    const args = [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${destination}`, file];
    const ended = await runProcess(args, timeout);
    const lines = await readLines(destination);
    const bad = lines.filter((line) => line.outcome !== 'passed');
    const problem = fileProblem(ended, lines, timeout);
    let report = bad.map((line) => describeLine(line, process.cwd())).join('');
    if (problem !== null) report += `    FAILED: the file ${problem}\n`;
    if (report !== '' && ended.output.trim() !== '') {
      report += `    It printed:\n${ended.output.trimEnd().replaceAll(/^/gm, '      ')}\n`;
    }
    return {
      file,
      passed: lines.length - bad.length,
      failed: bad.length + (problem === null ? 0 : 1),
      seconds: (performance.now() - begun) / 1000,
      report,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs files, a few at a time. */
async function runQueue(files: readonly string[], options: RunOptions): Promise<FileResult[]> {
  const results: FileResult[] = [];
  const queue = [...files];
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, options.timeout);
      results.push(result);
      options.onFile(result);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return results;
}

/**
 * Runs all files and returns the sums. A few files that failed run once more, alone: what passes then was unsteady, is
 * counted as such beside what passed, and wants mending; what fails again, or comes with many others, has failed.
 */
export async function runFiles(files: readonly string[], options: RunOptions): Promise<Tally> {
  const results = await runQueue(files, options);
  const failed = results.filter((result) => result.failed > 0).map(({ file }) => file);
  const again = failed.length <= MOST_AGAIN ? failed : [];
  const second = await runQueue(again, { ...options, concurrency: 1 });
  const total: Tally = {
    passed: 0,
    failed: 0,
    unsteady: second.filter((result) => result.failed === 0).length,
  };
  for (const result of [...results.filter(({ file }) => !again.includes(file)), ...second]) {
    total.passed += result.passed;
    total.failed += result.failed;
  }
  return total;
}
