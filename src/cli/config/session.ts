/** What `diff` and `sync` share: read files and server, compare, tell. */
import { CommandError, EXIT_USAGE, type Invocation, listOption } from '../command.ts';
import type { AdminClient } from './admin-client.ts';
import { adminClient } from './connection.ts';
import { readFiles } from './files.ts';
import { flatten } from './flatten.ts';
import { makePlan, type Plan } from './plan.ts';
import { Schemas } from './schemas.ts';
import { identify, type Server } from './server.ts';
import { MAX_TAGS, readState } from './state.ts';
import { Progress } from './terminal.ts';

export interface Session {
  readonly client: AdminClient;
  readonly server: Server;
  readonly plan: Plan;
}

/** Calls `use` with the comparison, and closes the connections after it. @throws CommandError */
export async function withSession<T>(
  invocation: Invocation,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const merged = readFiles(invocation.positionals);
  const selectTags = chosenTags(invocation, merged.selectTags);
  const client = adminClient(invocation);
  try {
    // It says which kinds its plugins bring.
    const server = await identify(client);
    const wanted = flatten(merged);
    const progress = new Progress('reading');
    const current = await readState(client, { tags: selectTags, onProgress: (count) => progress.at(count) });
    progress.end();
    const schemas = new Schemas(client);
    const plan = await makePlan({
      current,
      wanted,
      schemas,
      client,
      selectTags,
      transform: merged.transform,
    });
    if (server.product === 'kong') refuseHashed(plan);
    return await use({ client, server, plan });
  } finally {
    client.close();
  }
}

/** Of the command line and the files together. @throws CommandError when there are too many. */
export function chosenTags(invocation: Invocation, ofFiles: readonly string[]): readonly string[] {
  const tags = [
    ...new Set([...listOption(invocation, 'select-tag').flatMap((text) => text.split(',')), ...ofFiles]),
  ];
  if (tags.length > MAX_TAGS) {
    throw new CommandError(`at most ${MAX_TAGS} tags can be selected by, not ${tags.length}`, EXIT_USAGE);
  }
  return tags;
}

/** A Kong hashes what it gets. */
function refuseHashed({ changes }: Plan): void {
  const hashed = changes.find(
    ({ stored, kind, input }) =>
      stored && kind.name === 'basicauth_credentials' && input?.['password'] !== undefined,
  );
  if (hashed === undefined) return;
  throw new CommandError(
    `${hashed.op} ${hashed.label}: the file says _transform: false, and a Kong would hash the hashed password again`,
  );
}
