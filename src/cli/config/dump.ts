/** What `config dump` reads, and the text that it makes of it. */
import type { Invocation } from '../command.ts';
import type { AdminClient } from './admin-client.ts';
import { adminClient } from './connection.ts';
import { jsonText, yamlText } from './dump-text.ts';
import { DumpTree } from './dump-tree.ts';
import { CONFIG_KINDS, type ConfigKind, configKind, idOf } from './kinds.ts';
import { Schemas } from './schemas.ts';
import { identify, isObject } from './server.ts';
import { chosenTags } from './session.ts';
import { readState, type State } from './state.ts';
import { Progress } from './terminal.ts';

/** Everything is read before the first part of the text is made. @throws CommandError */
export async function dumpText(invocation: Invocation, format: 'yaml' | 'json'): Promise<Iterable<string>> {
  const selectTags = chosenTags(invocation, []);
  const client = adminClient(invocation);
  try {
    await identify(client);
    const progress = new Progress('reading');
    const state = await readState(client, {
      tags: selectTags,
      skipConsumers: invocation.options['skip-consumers'] === true,
      onProgress: (count) => progress.at(count),
    });
    progress.end();
    const schemas = new Schemas(client);
    for (const kind of CONFIG_KINDS) {
      if (state.all(kind).size > 0) await schemas.prepare(kind, state.all(kind).values());
    }
    const names = await namesOutside(client, state);
    const tree = new DumpTree(state, schemas, {
      withIds: invocation.options['with-ids'] === true,
      selectTags,
      nameOutside: (kind, id) => names.get(`${kind.name} ${id}`) ?? id,
    });
    const head = { selectTags, hashed: tree.hashed };
    return format === 'yaml' ? yamlText(head, tree.kinds()) : jsonText(head, tree.kinds());
  } finally {
    client.close();
  }
}

/** Names of what is referred to and out of scope. */
async function namesOutside(client: AdminClient, state: State): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const kind of CONFIG_KINDS) {
    for (const entity of state.all(kind).values()) {
      for (const [field, reference] of Object.entries(kind.references)) {
        const id = idOf(entity[field]);
        const target = configKind(reference);
        if (id === null || state.get(target, id) !== null || names.has(`${reference} ${id}`)) continue;
        names.set(`${reference} ${id}`, await nameOf(client, target, id));
      }
    }
  }
  return names;
}

async function nameOf(client: AdminClient, kind: ConfigKind, id: string): Promise<string> {
  if (kind.key === null || kind.path === null) return id;
  const { status, body } = await client.call({ path: `/${kind.path}/${id}` });
  const entity = isObject(body) && isObject(body['consumer_group']) ? body['consumer_group'] : body;
  const name = status === 200 && isObject(entity) ? entity[kind.key] : null;
  return typeof name === 'string' ? name : id;
}
