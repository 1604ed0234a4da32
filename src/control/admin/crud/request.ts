/**
 * One request for entities: what it names, what it sends, and the commit that it makes.
 *
 * Every answer has `X-Sluice-Revision`, the revision that it was made from, which `If-Match` takes on a write. It is no
 * ETag: a revision is of the whole configuration and not of one resource, and proxies and browsers that Kong's clients
 * stand behind would make conditional requests of it.
 */
import type { Resolver } from '../../../balancer/resolver/resolver.ts';
import type { Values } from '../../../entities/schema/field.ts';
import type { Settings } from '../../../settings/settings.ts';
import type { CommitOptions, Committed, ConfigStore, Write } from '../../../store/config-store.ts';
import type { RecordStore } from '../../../store/records/records.ts';
import { CODES, StoreError, StoreUnavailable } from '../../../store/errors.ts';
import type { HealthKeeper } from '../../health/health-keeper.ts';
import type { Principal } from '../../access/principal.ts';
import { readArguments, type Stored } from '../body/arguments.ts';
import type { Endpoint } from '../endpoints.ts';
import { definitionOf } from '../kinds.ts';
import { decodeSegment, isSet, queryOf, rawSegments, type Query } from '../query.ts';
import { type AdminContext, json, warningField } from '../resource.ts';
import { authorOf, expectedRevision } from './conditions.ts';
import { checkKind, judgeOf, shown } from './permission.ts';

/** What the resources of entities need of the gateway. */
export interface Admin {
  store(): ConfigStore | null;
  /** Null without a database. */
  records(): RecordStore | null;
  settings(): Settings;
  /** Looks names up; null until it is there. */
  resolver(): Resolver;
  /** Of targets. */
  health(): HealthKeeper | null;
}

export class AdminRequest {
  readonly context: AdminContext;
  readonly endpoint: Endpoint;
  readonly admin: Admin;
  readonly store: ConfigStore;
  readonly query: Query;
  /** What stands in the place of each placeholder, as it came and decoded. */
  readonly raw: readonly string[];
  readonly params: readonly string[];

  /** @throws RequestError, StoreUnavailable */
  constructor(context: AdminContext, endpoint: Endpoint, admin: Admin) {
    const store = admin.store();
    if (store === null) throw new StoreUnavailable('it is not open yet');
    this.context = context;
    this.endpoint = endpoint;
    this.admin = admin;
    this.store = store;
    this.query = queryOf(context);
    const segments = rawSegments(context);
    this.raw = endpoint.path
      .split('/')
      .slice(1)
      .flatMap((part, index) => (part.startsWith('{') ? [segments[index] ?? ''] : []));
    this.params = this.raw.map(decodeSegment);
  }

  /** The reference that the endpoint's path goes along. */
  get along(): NonNullable<Endpoint['along']> {
    if (this.endpoint.along === null) throw new Error(`${this.endpoint.path} goes along no reference`);
    return this.endpoint.along;
  }

  get principal(): Principal | null {
    return this.context.get('principal');
  }

  /** An entity as the one who asks may see it. */
  show(entity: Values, kind = this.kind): Values {
    return shown(this.principal, kind, entity);
  }

  get kind(): string {
    if (this.endpoint.kind === null) throw new Error(`${this.endpoint.path} has no kind`);
    return this.endpoint.kind;
  }

  /** @param stored what is there already, asked only for a form that leaves open what it is a form of. */
  async arguments(stored: Stored = () => null): Promise<Values> {
    const settings = this.admin.settings();
    return await readArguments(this.context, {
      limit: settings.nginx_admin_client_max_body_size,
      flavor: settings.router_flavor,
      definition: definitionOf(this.kind),
      stored,
    });
  }

  get dryRun(): boolean {
    return isSet(this.query, 'dry_run');
  }

  /** @throws RequestError */
  commitOptions(): CommitOptions {
    return {
      author: authorOf(this.context),
      judge: judgeOf(this.principal),
      dryRun: this.dryRun,
      ...expectedRevision(this.context, this.store.revision),
    };
  }

  /** Commits, and answers what the write has made. @throws StoreError */
  async write(status: 200 | 201, write: Write): Promise<Response> {
    return await this.writeAll(status, [write], 0);
  }

  /** @param answered the write whose entity is the answer. */
  async writeAll(status: 200 | 201, writes: readonly Write[], answered: number): Promise<Response> {
    const committed = await this.#commitFew(writes);
    const entity = committed.results[answered]?.entity ?? null;
    const kind = writes[answered]?.kind ?? this.kind;
    return this.answer(status, entity === null ? null : this.show(entity, kind), committed);
  }

  /** Commits, and answers something of its own. @throws StoreError */
  async writeFor(status: 201 | 204, body: unknown, writes: readonly Write[]): Promise<Response> {
    return this.answer(status, body, await this.#commitFew(writes));
  }

  async delete(write: Write): Promise<Response> {
    return this.answer(204, null, await this.#commitFew([write]));
  }

  async #commitFew(writes: readonly Write[]): Promise<Committed> {
    for (const write of writes) checkKind(this.principal, write);
    for (const write of writes) this.checkWrite(write);
    return await this.store.commit(writes, this.commitOptions());
  }

  /** Before it is even looked at. @throws RequestError 403, StoreError 405 */
  checkWrite(write: Write): void {
    checkKind(this.principal, write);
    if (!this.store.writable) throw this.unsupported(write);
  }

  answer(status: number, body: unknown, committed?: Committed): Response {
    const warnings = committed?.warnings ?? [];
    const headers = {
      'X-Sluice-Revision': String(committed?.revision ?? this.store.revision),
      ...(warnings.length === 0 ? {} : { Warning: warningField(warnings) }),
    };
    return status === 204 ? new Response(null, { status, headers }) : json(status, body, headers);
  }

  /** Kong's words for a write without a database. */
  unsupported(write: Write): StoreError {
    const verb = VERBS[write.op];
    const key = 'select' in write && write.select.id === undefined ? write.select.key : undefined;
    const by = key === undefined ? '' : ` by '${definitionOf(write.kind).endpoint_key ?? 'id'}'`;
    const message = `cannot ${verb} '${write.kind}' entities${by} when not using a database`;
    return new StoreError(CODES.operationUnsupported, message);
  }
}

const VERBS = { create: 'create', put: 'create or update', patch: 'update', delete: 'remove' } as const;
