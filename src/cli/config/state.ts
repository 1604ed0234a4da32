/** The entities of an Admin API, all or those in scope, and how they are read from it. */
import { CommandError } from '../command.ts';
import { type AdminClient, refusal } from './admin-client.ts';
import { CONFIG_KINDS, type ConfigKind, configKind, idOf, identityTexts } from './kinds.ts';
import { forEachParallel } from './parallel.ts';
import { isObject } from './server.ts';

export type Entity = Readonly<Record<string, unknown>>;

export class State {
  readonly #byKind = new Map<string, Map<string, Entity>>();
  readonly #identities = new Map<string, string>();

  add(kind: ConfigKind, entity: Entity): void {
    const id = String(entity['id']);
    let list = this.#byKind.get(kind.name);
    if (list === undefined) this.#byKind.set(kind.name, (list = new Map()));
    list.set(id, entity);
    for (const text of identityTexts(kind, entity)) this.#identities.set(kind.name + text, id);
  }

  all(kind: ConfigKind): ReadonlyMap<string, Entity> {
    return this.#byKind.get(kind.name) ?? new Map<string, Entity>();
  }

  get(kind: ConfigKind, id: string): Entity | null {
    return this.#byKind.get(kind.name)?.get(id) ?? null;
  }

  /** The id of the entity known by one of the texts. */
  find(kind: ConfigKind, identities: readonly string[]): string | null {
    for (const text of identities) {
      const id = this.#identities.get(kind.name + text);
      if (id !== undefined) return id;
    }
    return null;
  }

  get count(): number {
    let sum = 0;
    for (const list of this.#byKind.values()) sum += list.size;
    return sum;
  }
}

export interface ReadOptions {
  /** Only entities with all of them. */
  readonly tags: readonly string[];
  readonly skipConsumers?: boolean;
  /** Called with the number of entities so far. */
  readonly onProgress?: (count: number) => void;
}

/** Kong lets one filter by so many. */
export const MAX_TAGS = 5;

const OF_CONSUMERS: ReadonlySet<string> = new Set([
  'consumers',
  'consumer_groups',
  'consumer_group_consumers',
]);

function isConsumerKind(kind: ConfigKind): boolean {
  return OF_CONSUMERS.has(kind.name) || kind.nestedBy[0] === 'consumer';
}

/** Reads page by page. @throws CommandError */
export async function readState(client: AdminClient, options: ReadOptions): Promise<State> {
  const state = new State();
  const take = (kind: ConfigKind, entity: Entity): void => {
    state.add(kind, normalIds(kind, entity));
    options.onProgress?.(state.count);
  };
  for (const kind of CONFIG_KINDS) {
    if (options.skipConsumers === true && isConsumerKind(kind)) continue;
    if (kind.path !== null) {
      for await (const entity of pages(client, kind, `/${kind.path}`, options.tags)) {
        if (options.skipConsumers === true && isOfConsumer(entity)) continue;
        take(kind, entity);
      }
    } else if (kind.name === 'targets') {
      await readTargets(client, state, options.tags, take);
    } else {
      await readMembers(client, state, take);
    }
  }
  return state;
}

function isOfConsumer(entity: Entity): boolean {
  return idOf(entity['consumer']) !== null || idOf(entity['consumer_group']) !== null;
}

/** Targets are listed below their upstreams, which need not be in scope themselves. */
async function readTargets(
  client: AdminClient,
  state: State,
  tags: readonly string[],
  take: (kind: ConfigKind, entity: Entity) => void,
): Promise<void> {
  const kind = configKind('targets');
  const upstreams = configKind('upstreams');
  const ids: Iterable<string> =
    tags.length === 0 ? state.all(upstreams).keys() : await allIds(client, upstreams);
  await forEachParallel(ids, client.options.parallel, async (id) => {
    for await (const target of pages(client, kind, `/upstreams/${id}/targets`, [])) {
      const { tags: own } = target;
      const list: readonly unknown[] = Array.isArray(own) ? own : [];
      if (tags.every((tag) => list.includes(tag))) take(kind, target);
    }
  });
}

async function allIds(client: AdminClient, kind: ConfigKind): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of pages(client, kind, `/${String(kind.path)}`, [])) ids.push(String(id));
  return ids;
}

/** Who is in which group: told below each group, without an id. Both must be in scope. */
async function readMembers(
  client: AdminClient,
  state: State,
  take: (kind: ConfigKind, entity: Entity) => void,
): Promise<void> {
  const kind = configKind('consumer_group_consumers');
  const consumers = configKind('consumers');
  const groups = state.all(configKind('consumer_groups'));
  await forEachParallel(groups.keys(), client.options.parallel, async (group) => {
    for await (const { id } of pages(client, kind, `/consumer_groups/${group}/consumers`, [])) {
      const consumer = String(id);
      if (state.get(consumers, consumer) === null) continue;
      take(kind, { id: `${group}/${consumer}`, consumer_group: { id: group }, consumer: { id: consumer } });
    }
  });
}

/** @throws CommandError when a page cannot be had; a kind that the server does not have holds nothing. */
async function* pages(
  client: AdminClient,
  kind: ConfigKind,
  path: string,
  tags: readonly string[],
): AsyncGenerator<Entity> {
  const query = new URLSearchParams({ size: '1000', ...(tags.length > 0 && { tags: tags.join(',') }) });
  for (;;) {
    const where = `${path}?${query.toString()}`;
    const answer = await client.call({ path: where });
    // Enterprise's kinds are 404 in Kong, and filter chains 400 without WebAssembly.
    if (answer.status === 404 || (answer.status === 400 && kind.optional)) return;
    const { body } = answer;
    if (answer.status !== 200 || !isObject(body)) {
      throw new CommandError(`${client.place}: GET ${where} answered ${refusal(answer)}`);
    }
    const list: unknown = body['data'] ?? body['consumers'];
    if (Array.isArray(list)) for (const entity of list) if (isObject(entity)) yield entity;
    const { offset } = body;
    if (typeof offset !== 'string') return;
    if (offset === query.get('offset')) {
      throw new CommandError(`${client.place}: GET ${where} answered its own offset: its pages have no end`);
    }
    query.set('offset', offset);
  }
}

/** What another server writes of a certificate's names is told by its SNIs. */
function normalIds(kind: ConfigKind, entity: Entity): Entity {
  if (kind.name !== 'certificates' || !('snis' in entity)) return entity;
  const { snis: _, ...rest } = entity;
  return rest;
}
