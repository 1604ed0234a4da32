/** Taking a Kong over: read all of it, tell what has no meaning here, write the rest as one commit. */
import {
  CommandError,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  listOption,
  stringOption,
  type Invocation,
} from '../command.ts';
import type { AdminClient } from './admin-client.ts';
import { adminClient, sourceClient } from './connection.ts';
import { judge, type Judged, reportLines } from './judge.ts';
import { type KongTables, readKongTables } from './kong-tables.ts';
import type { Change } from './plan.ts';
import { sendTransaction } from './send-transaction.ts';
import { identify, isObject, type Server } from './server.ts';
import { readState } from './state.ts';
import { Progress } from './terminal.ts';

/** Kong Enterprise's lists, which a Kong Gateway OSS answers with 404. */
const ENTERPRISE: Readonly<Record<string, string>> = {
  '/rbac/users': 'RBAC users of Kong Enterprise: see sluice admin token',
  '/licenses': 'licenses of Kong Enterprise',
  '/event-hooks': 'event hooks of Kong Enterprise',
  '/partials': 'partials of Kong Enterprise',
};

export async function importKong(invocation: Invocation): Promise<number> {
  const from = stringOption(invocation, 'from');
  if (from === undefined) throw new CommandError('--from says where the Kong is', EXIT_USAGE);
  const { terminal, options } = invocation;
  const target = adminClient(invocation, stringOption(invocation, 'to'));
  try {
    const server = await identifyTarget(target);
    const tables = await readSource(invocation, from);
    const root = await target.need({ path: '/' });
    const configuration = isObject(root.body) ? root.body['configuration'] : null;
    const judged = judge(
      tables.state,
      server,
      isObject(configuration) ? configuration['router_flavor'] : null,
    );
    for (const line of reportLines(judged, tables.beside)) terminal.out(line);
    const { accepted, refused } = judged;
    terminal.out(`${accepted.length} entities can be taken over, ${refused.length} cannot`);
    if (refused.length > 0 && options['skip-unsupported'] !== true) {
      throw new CommandError('nothing was written: --skip-unsupported leaves out what cannot be taken over');
    }
    if (accepted.length === 0) return EXIT_OK;
    return await write(invocation, target, server, accepted.map(changeFor));
  } finally {
    target.close();
  }
}

async function identifyTarget(client: AdminClient): Promise<Server> {
  const server = await identify(client);
  if (server.product === 'sluice' && server.database !== 'off') return server;
  throw new CommandError(`${client.place} is no Sluice with a database: there is nothing to import into`);
}

async function readSource(invocation: Invocation, from: string): Promise<KongTables> {
  const progress = new Progress('reading');
  const onProgress = (count: number): void => progress.at(count);
  try {
    if (/^postgres(?:ql)?:\/\//.test(from)) return await readKongTables(from, onProgress);
    const client = sourceClient(invocation, from, listOption(invocation, 'from-header'));
    try {
      await identify(client);
      const state = await readState(client, { tags: [], onProgress });
      return { state, beside: await besides(client) };
    } finally {
      client.close();
    }
  } finally {
    progress.end();
  }
}

async function besides(client: AdminClient): Promise<string[]> {
  const found: string[] = [];
  for (const [path, sentence] of Object.entries(ENTERPRISE)) {
    const { status, body } = await client.call({ path });
    const data = status === 200 && isObject(body) ? body['data'] : null;
    if (Array.isArray(data) && data.length > 0) found.push(`${data.length} of ${path}: ${sentence}`);
  }
  const { status, body } = await client.call({ path: '/workspaces' });
  const data: unknown = status === 200 && isObject(body) ? body['data'] : null;
  for (const workspace of Array.isArray(data) ? (data as unknown[]) : []) {
    if (!isObject(workspace) || workspace['name'] === 'default') continue;
    found.push(`workspace '${String(workspace['name'])}' and what is in it: there is one workspace, default`);
  }
  return found;
}

/** The entity as it is, with its id, times and hashed secrets. What is there already is replaced. */
function changeFor({ kind, entity }: Judged['accepted'][number]): Change {
  const id = String(entity['id']);
  const label = `${kind.singular} ${id}`;
  return {
    op: 'update',
    kind,
    id,
    label,
    before: null,
    input: entity,
    merge: false,
    differences: [],
    stored: true,
  };
}

async function write(
  invocation: Invocation,
  target: AdminClient,
  server: Server,
  changes: readonly Change[],
): Promise<number> {
  const progress = new Progress('writing', changes.length);
  const dryRun = invocation.options['dry-run'] === true;
  try {
    const revision = await sendTransaction(target, changes, {
      message: stringOption(invocation, 'message') ?? 'import from a Kong',
      ifRevision: server.revision,
      dryRun,
      onProgress: (count) => progress.at(count),
    });
    progress.end();
    invocation.terminal.out(dryRun ? 'nothing was written: dry run' : `done: revision ${String(revision)}`);
    return EXIT_OK;
  } catch (error) {
    progress.end();
    if (!(error instanceof CommandError)) throw error;
    for (const line of error.message.split('\n')) invocation.terminal.error(`sluice: ${line}`);
    return EXIT_FAILED;
  }
}
