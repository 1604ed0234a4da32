/**
 * A reporter for node:test that writes one JSON line per finished test, for scripts/test.ts to read.
 * It runs in the process of the test file, so it has the errors themselves and not copies.
 */
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** One line of the report. */
export interface TestLine {
  /** Names of the enclosing suites and tests are not known to a reporter; only its own. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly file: string | null;
  readonly line: number | null;
  /** For failures: the error with its difference and stack. */
  readonly error: string | null;
}

/** Frames inside Node tell nothing about the test. */
function withoutInternals(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s+at .*\(?node:/.test(line))
    .join('\n');
}

function describe(error: unknown): string {
  // node:test wraps what the test threw.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return withoutInternals(typeof cause === 'string' ? cause : inspect(cause, { depth: 8, breakLength: 100 }));
}

function toLine(event: TestEvent): TestLine | null {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return null;
  const { data } = event;
  const place = { name: data.name, file: data.file ?? null, line: data.line ?? null };
  const isSuite = data.details.type === 'suite';
  if (data.skip !== undefined || data.todo !== undefined)
    return { ...place, outcome: 'skipped', error: null };
  if (event.type === 'test:pass') return isSuite ? null : { ...place, outcome: 'passed', error: null };
  const { error } = event.data.details;
  // A suite or a parent test fails along with its children: those are counted already.
  const failureType: unknown = Reflect.get(error, 'failureType');
  if (failureType === 'subtestsFailed') return null;
  return { ...place, outcome: 'failed', error: describe(error) };
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const line = toLine(event);
    if (line !== null) yield `${JSON.stringify(line)}\n`;
  }
}
