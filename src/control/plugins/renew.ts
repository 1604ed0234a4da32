/**
 * Brings changed plugins to the workers, in two steps like a configuration: every running worker makes the new filters
 * beside those that it serves, and only when all could are they told to serve them.
 */
import { PluginProblems } from '../../plugins/users/find.ts';
import type { PluginBundle } from '../../plugins/users/live.ts';
import type { HeldByPlugins } from '../protocol.ts';
import type { Supervisor } from '../supervisor.ts';
import { failureText } from '../worker-handle.ts';

const STAGE_MS = 30_000;
const TAKE_MS = 30_000;

export interface Renewed {
  /** Workers that do not have them yet. */
  readonly warnings: readonly string[];
  readonly held: ReadonlyMap<number, HeldByPlugins>;
}

/**
 * @param between when all could, and before they serve them.
 * @throws PluginProblems when a worker cannot make the filters; then everything is as it was.
 */
export async function renewPlugins(
  supervisor: Supervisor,
  bundle: PluginBundle,
  between: () => Promise<void>,
): Promise<Renewed> {
  const running = supervisor.workers.filter(({ state }) => state === 'running');
  const staged = await Promise.all(
    running.map(async (worker) => ({
      worker,
      result: await worker.call({ type: 'stage-plugins', bundle }, STAGE_MS),
    })),
  );
  const refused = staged.flatMap(({ worker, result }) =>
    result.ok ? [] : [`worker ${worker.id}: ${failureText(result)}`],
  );
  if (refused.length > 0) {
    await Promise.all(running.map((worker) => worker.call({ type: 'drop-plugins' }, TAKE_MS)));
    throw new PluginProblems(refused);
  }
  await between();
  supervisor.plugins = bundle;
  const warnings: string[] = [];
  const held = new Map<number, HeldByPlugins>();
  await Promise.all(
    supervisor.workers.map(async (worker) => {
      if (worker.state === 'dead') return;
      const result = await worker.call({ type: 'take-plugins', bundle }, TAKE_MS);
      if (!result.ok)
        warnings.push(`worker ${worker.id} has the plugins as they were: ${failureText(result)}`);
      else if (result.held !== undefined) held.set(worker.id, result.held);
    }),
  );
  return { warnings, held };
}
