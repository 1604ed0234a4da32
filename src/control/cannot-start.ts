/** Why a gateway does not start, for people. */

/** Problems that keep the gateway from starting, one sentence each. */
export class CannotStart extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

export function messageOf(error: unknown, withStack: boolean): string {
  if (!(error instanceof Error)) return String(error);
  return withStack ? (error.stack ?? error.message) : error.message;
}
