/** Makes the changes of a plan: in one commit where the server can, else one by one. */
import type { AdminClient } from './admin-client.ts';
import type { Plan } from './plan.ts';
import { sendRequests } from './send-requests.ts';
import { sendTransaction } from './send-transaction.ts';
import type { Server } from './server.ts';
import { Progress } from './terminal.ts';

export interface Target {
  readonly client: AdminClient;
  readonly server: Server;
  readonly plan: Plan;
}

/**
 * Answers the new revision, null where there are none.
 * @param dryRun only ask whether it could be done, of a server that can be asked.
 * @throws CommandError
 */
export async function apply(
  { client, server, plan }: Target,
  message: string | null,
  dryRun = false,
): Promise<number | null> {
  const { changes } = plan;
  const progress = new Progress('writing', changes.length);
  const onProgress = (count: number): void => progress.at(count);
  try {
    if (server.product === 'sluice') {
      return await sendTransaction(client, changes, {
        message,
        ifRevision: server.revision,
        dryRun,
        onProgress,
      });
    }
    if (!dryRun) await sendRequests(client, changes, { onProgress });
    return null;
  } finally {
    progress.end();
  }
}
