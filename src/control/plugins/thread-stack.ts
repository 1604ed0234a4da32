/**
 * The JavaScript stack of a thread at this moment, also of one in an endless loop: Node's diagnostic report interrupts every
 * thread and has them. (A CPU profile would be the usual way; it does not know code that V8 has replaced while it ran, which
 * is what an endless loop is.)
 *
 * It takes some 30 ms, and waits for every worker to come to a place where it can be interrupted: the caller has made sure of
 * the one that stands still.
 */

interface Report {
  readonly workers?: ReadonlyArray<{
    readonly header?: { readonly threadId?: number };
    readonly javascriptStack?: { readonly stack?: readonly string[] };
  }>;
}

/** Lines of the stack, the innermost first; '' when there is none. */
export function stackOfThread(threadId: number): string {
  const { report } = process;
  // Names of peers would be asked for, and the environment has secrets.
  Object.assign(report, { excludeNetwork: true });
  report.excludeEnv = true;
  const { workers = [] } = report.getReport() as Report;
  const found = workers.find(({ header }) => header?.threadId === threadId);
  return (found?.javascriptStack?.stack ?? []).join('\n');
}
