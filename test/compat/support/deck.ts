/**
 * A stand-in for decK, which cannot be installed where these tests run. It makes the requests that decK 1.x makes by
 * way of its public sources (go-database-reconciler's dump and order of kinds, go-kong's clients), in their order:
 *
 * - `GET /` for version and database; then every list in pages of 1000, all select tags joined by commas, walked by
 *   `offset`; targets of each upstream; each consumer group by its name. What Kong OSS has not may answer 404, filter
 *   chains 400.
 * - creation and change of everything is PUT by an id of decK's own, credentials below their consumer; but a target that
 *   is not there (404) is then created by POST, a consumer group is changed by PATCH, members are added by POST.
 * - deletion is DELETE by id, children first.
 */
import assert from 'node:assert/strict';

export type Entity = Readonly<Record<string, unknown>>;
export type State = Readonly<Record<string, readonly Entity[]>>;

/** What decK lists, in the notation of go-kong's clients, and what they may answer instead of a page. */
const LISTS: Readonly<Record<string, readonly number[]>> = {
  consumer_groups: [404, 403],
  consumers: [],
  'key-auths': [404],
  'hmac-auths': [404],
  jwts: [404],
  'basic-auths': [404],
  oauth2: [404],
  acls: [404],
  'mtls-auths': [404, 403],
  services: [],
  routes: [],
  plugins: [],
  'filter-chains': [404, 400],
  certificates: [],
  ca_certificates: [],
  snis: [],
  upstreams: [],
  vaults: [404],
  partials: [404, 403],
  keys: [404],
  'key-sets': [404],
};

/** Kinds whose entities stand below their consumer. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  'key-auths': 'key-auth',
  'hmac-auths': 'hmac-auth',
  jwts: 'jwt',
  'basic-auths': 'basic-auth',
  oauth2: 'oauth2',
  acls: 'acls',
};

/** Kinds of one level are written at once, the levels one after the other. */
const LEVELS: ReadonlyArray<readonly string[]> = [
  ['certificates', 'ca_certificates', 'consumers', 'vaults', 'key-sets'],
  ['consumer_groups', 'snis', 'services', 'upstreams', 'keys', ...Object.keys(CREDENTIALS)],
  ['routes', 'targets', 'members'],
  ['plugins'],
];

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export class Deck {
  readonly #origin: string;
  readonly #tags: readonly string[];
  /** `METHOD path` of everything that was asked. */
  readonly asked: string[] = [];

  constructor(origin: string, tags: readonly string[] = []) {
    this.#origin = origin;
    this.#tags = tags;
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Answer> {
    this.asked.push(`${method} ${path}`);
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { 'content-type': 'application/json' };
    }
    const response = await fetch(this.#origin + path, init);
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  async #want(method: string, path: string, body?: unknown): Promise<Entity> {
    const answer = await this.#ask(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as Entity;
  }

  /** Version and kind of store, which decide how decK goes on. */
  async ping(): Promise<{ readonly version: string; readonly database: string }> {
    const { version, configuration } = await this.#want('GET', '/');
    return { version: String(version), database: String((configuration as Entity)['database']) };
  }

  async #list(path: string, tolerated: readonly number[]): Promise<Entity[]> {
    const all: Entity[] = [];
    for (let offset = ''; ;) {
      const query = new URLSearchParams({ ...(offset === '' ? {} : { offset }), size: '1000' });
      if (this.#tags.length > 0) query.set('tags', this.#tags.join(','));
      const { status, body } = await this.#ask('GET', `${path}?${query.toString()}`);
      if (tolerated.includes(status)) return [];
      assert.equal(status, 200, `${path} ${JSON.stringify(body)}`);
      const { data, offset: next } = body as { readonly data: readonly Entity[]; readonly offset?: string };
      all.push(...data);
      if (next === undefined) return all;
      offset = next;
    }
  }

  async dump(): Promise<State> {
    await this.ping();
    const state: Record<string, readonly Entity[]> = {};
    for (const [kind, tolerated] of Object.entries(LISTS)) {
      state[kind] = await this.#list(`/${kind}`, tolerated);
    }
    const targets = (state['upstreams'] ?? []).map(({ id }) =>
      this.#list(`/upstreams/${String(id)}/targets`, []),
    );
    state['targets'] = (await Promise.all(targets)).flat();
    const members: Entity[] = [];
    for (const { id, name } of state['consumer_groups'] ?? []) {
      const { consumers } = await this.#want('GET', `/consumer_groups/${String(name)}`);
      for (const consumer of (consumers ?? []) as readonly Entity[]) {
        members.push({ group: id, consumer: consumer['id'] });
      }
    }
    state['members'] = members;
    return state;
  }

  /** What an entity says nothing of has the default of the kind's schema. */
  async defaults(kind: string): Promise<Readonly<Record<string, unknown>>> {
    const { fields } = await this.#want('GET', `/schemas/${kind}`);
    const known = (fields as ReadonlyArray<Record<string, Entity>>).flatMap((field) =>
      Object.entries(field).filter(([, one]) => 'default' in one),
    );
    return Object.fromEntries(known.map(([name, one]) => [name, one['default']]));
  }

  async create(state: State): Promise<void> {
    for (const level of LEVELS) {
      const writes = level.flatMap((kind) => (state[kind] ?? []).map((entity) => this.#put(kind, entity)));
      await Promise.all(writes);
    }
  }

  async #put(kind: string, entity: Entity): Promise<void> {
    if (kind === 'members') {
      const { consumer, group } = entity;
      await this.#want('POST', `/consumer_groups/${String(group)}/consumers`, { consumer });
    } else if (kind === 'targets') {
      const { status } = await this.#ask('PUT', pathOf(kind, entity), entity);
      if (status !== 404) return;
      await this.#want('POST', `/upstreams/${parent(entity, 'upstream')}/targets`, entity);
    } else await this.#want('PUT', pathOf(kind, entity), entity);
  }

  /** Entities that are there, with what is new. */
  async update(state: State): Promise<void> {
    for (const level of LEVELS) {
      for (const kind of level) {
        for (const entity of state[kind] ?? []) {
          const method = kind === 'consumer_groups' ? 'PATCH' : 'PUT';
          await this.#want(method, pathOf(kind, entity), entity);
        }
      }
    }
  }

  async remove(state: State): Promise<void> {
    for (const level of LEVELS.toReversed()) {
      const paths = level.flatMap((kind) => (state[kind] ?? []).map((entity) => pathOf(kind, entity)));
      await Promise.all(paths.map((path) => this.#want('DELETE', path)));
    }
  }
}

function parent(entity: Entity, field: string): string {
  return String((entity[field] as Entity)['id']);
}

function pathOf(kind: string, entity: Entity): string {
  const id = String(entity['id']);
  const nested = CREDENTIALS[kind];
  if (nested !== undefined) return `/consumers/${parent(entity, 'consumer')}/${nested}/${id}`;
  if (kind === 'targets') return `/upstreams/${parent(entity, 'upstream')}/targets/${id}`;
  if (kind === 'members')
    return `/consumer_groups/${String(entity['group'])}/consumers/${String(entity['consumer'])}`;
  return `/${kind}/${id}`;
}
