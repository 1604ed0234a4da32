/** The schemas of one Admin API: its own where it tells them, else those of this gateway. Each is fetched once. */
import { DEFINITIONS } from '../../entities/registry.ts';
import type { AdminClient } from './admin-client.ts';
import { type FieldSchemas, readFields } from './field-schema.ts';
import type { ConfigKind } from './kinds.ts';
import { isObject } from './server.ts';

type Values = Readonly<Record<string, unknown>>;

const LOCAL: ReadonlyMap<string, FieldSchemas> = new Map(
  DEFINITIONS.map(({ name, fields }) => [name, readFields(fields)]),
);

const NONE: FieldSchemas = new Map();

export class Schemas {
  readonly #client: AdminClient | null;
  readonly #known = new Map<string, Promise<FieldSchemas | null>>();
  readonly #ready = new Map<string, FieldSchemas | null>();

  /** @param client null: this gateway's only. */
  constructor(client: AdminClient | null) {
    this.#client = client;
  }

  /** Fetches what `of` will be asked for. */
  async prepare(kind: ConfigKind, entities: Iterable<Values>): Promise<void> {
    await this.#need(kind.name, `/schemas/${kind.name}`);
    if (kind.name !== 'plugins') return;
    for (const { name } of entities) {
      if (typeof name === 'string')
        await this.#need(`plugin ${name}`, `/schemas/plugins/${encodeURIComponent(name)}`);
    }
  }

  /** @param entity decides its own schema: the plugin that it names, the protocols of a route. */
  of(kind: ConfigKind, entity: Values): FieldSchemas {
    const base = this.#ready.get(kind.name) ?? LOCAL.get(kind.name) ?? NONE;
    if (kind.name === 'plugins') return this.#pluginFields(base, entity);
    if (kind.name !== 'routes') return base;
    const { protocols } = entity;
    const grpc = Array.isArray(protocols) && protocols.some((one) => one === 'grpc' || one === 'grpcs');
    const strip = base.get('strip_path');
    // Kong's own exception, which its printed schema does not tell.
    return grpc && strip !== undefined ? new Map(base).set('strip_path', { ...strip, default: false }) : base;
  }

  /** Whether the fields of the plugin's config are known: without them, what a file leaves out cannot be told apart. */
  knowsConfig(entity: Values): boolean {
    return (this.#ready.get(`plugin ${String(entity['name'])}`) ?? null) !== null;
  }

  #pluginFields(base: FieldSchemas, entity: Values): FieldSchemas {
    const own = this.#ready.get(`plugin ${String(entity['name'])}`) ?? null;
    if (own === null) return base;
    const fields = new Map(base);
    for (const name of ['config', 'protocols']) {
      const field = own.get(name);
      if (field !== undefined) fields.set(name, field);
    }
    return fields;
  }

  async #need(name: string, path: string): Promise<void> {
    const client = this.#client;
    if (client === null) return;
    let pending = this.#known.get(name);
    if (pending === undefined) this.#known.set(name, (pending = fetchFields(client, path)));
    this.#ready.set(name, await pending);
  }
}

/** Null: there is no such schema, or the server tells none. */
async function fetchFields(client: AdminClient, path: string): Promise<FieldSchemas | null> {
  const { status, body } = await client.call({ path });
  if (status !== 200 || !isObject(body) || !Array.isArray(body['fields'])) return null;
  return readFields(body['fields']);
}
