/** What `stop` and `quit` share: ask the gateway to end, then wait until its process is gone. */
import { CommandError, EXIT_OK, type Invocation } from './command.ts';
import { callControl, ControlError, readPid, waitUntilGone, type ControlRequest } from './control-client.ts';
import { readPrefix } from './read-settings.ts';

export interface Stopping {
  readonly request: ControlRequest;
  /** Milliseconds that the gateway may take. */
  readonly patience: number;
  /** What is printed in the end, without the prefix. */
  readonly done: string;
}

export async function stopGateway(invocation: Invocation, stopping: Stopping): Promise<number> {
  const prefix = readPrefix(invocation);
  // Before the gateway has a chance to remove the file.
  const pid = readPid(prefix) ?? (await askPid(prefix));
  const answer = await callOrFail(prefix, stopping.request);
  if (answer.status >= 300) {
    const { message } = answer.body;
    throw new CommandError(`the gateway refused: ${typeof message === 'string' ? message : answer.status}`);
  }
  if (pid !== null && !(await waitUntilGone(pid, stopping.patience))) {
    throw new CommandError(`the gateway (process ${pid}) still runs after ${stopping.patience / 1000} s`);
  }
  invocation.terminal.out(`${stopping.done} (prefix ${prefix})`);
  return EXIT_OK;
}

/** As `callControl`, with failures as `CommandError`. */
export async function callOrFail(prefix: string, request: ControlRequest): ReturnType<typeof callControl> {
  try {
    return await callControl(prefix, request);
  } catch (error) {
    if (error instanceof ControlError) throw new CommandError(error.message);
    throw error;
  }
}

async function askPid(prefix: string): Promise<number | null> {
  const { body } = await callOrFail(prefix, { method: 'GET', path: '/health', timeout: 5000 });
  return typeof body['pid'] === 'number' ? body['pid'] : null;
}
