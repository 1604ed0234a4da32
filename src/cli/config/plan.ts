/**
 * What has to be done for a server to be as a file says: a list of changes in an order in which each can be made.
 *
 * Kinds come parents first, since the identity of a child has its parent in it. Entities that are new or different come
 * in that order; what nothing in the file means goes last, children first. An entity that is replaced by another of the
 * same name makes room first: it goes, or, when others still refer to it, it gives up its name.
 */
import { CommandError } from '../command.ts';
import type { AdminClient } from './admin-client.ts';
import { contentText, type Difference, differences, wantedForm } from './compare.ts';
import type { Wanted } from './flatten.ts';
import { changed, inputOf, laidOver, otherName, replacement } from './inputs.ts';
import { CONFIG_KINDS, type ConfigKind, configKind, idOf } from './kinds.ts';
import { labelOf, nameOf } from './labels.ts';
import { FileReferences, Matcher } from './references.ts';
import type { Schemas } from './schemas.ts';
import type { Entity, State } from './state.ts';

export interface Change {
  readonly op: 'create' | 'update' | 'delete' | 'rename';
  readonly kind: ConfigKind;
  readonly id: string;
  readonly label: string;
  readonly before: Entity | null;
  /** What is sent; null for a deletion. A `merge` is laid over what is there. */
  readonly input: Entity | null;
  readonly merge: boolean;
  readonly differences: readonly Difference[];
  /** Passwords in it are hashed already. */
  readonly stored: boolean;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly unchanged: number;
}

export interface PlanInput {
  readonly current: State;
  readonly wanted: readonly Wanted[];
  readonly schemas: Schemas;
  /** Asked for what is referred to and out of scope. */
  readonly client: AdminClient;
  readonly selectTags: readonly string[];
  /** False: passwords in the file are hashed. */
  readonly transform: boolean;
}

/** Secrets that a server hashes: a new value, and no other, may be sent. */
const HASHED: ReadonlySet<string> = new Set(['basicauth_credentials', 'oauth2_credentials']);

/** Keys that a server makes up: a file must say them, or each sync would make another. */
const MADE_UP: ReadonlySet<string> = new Set(['keyauth_credentials', 'jwt_secrets', 'oauth2_credentials']);

/** Kinds that others refer to, by a name that no two have. */
const REFERRED: ReadonlySet<string> = new Set([
  'key_sets',
  'consumer_groups',
  'consumers',
  'services',
  'upstreams',
  'routes',
]);

export async function makePlan(input: PlanInput): Promise<Plan> {
  const planner = new Planner(input);
  for (const kind of CONFIG_KINDS) await planner.kind(kind);
  return planner.finish();
}

class Planner {
  readonly #input: PlanInput;
  readonly #references: FileReferences;
  readonly #matcher: Matcher;
  readonly #byKind = new Map<ConfigKind, Wanted[]>();
  readonly #forms = new Map<string, Entity>();
  readonly #changes: Change[] = [];
  #unchanged = 0;

  constructor(input: PlanInput) {
    this.#input = input;
    this.#references = new FileReferences(input.current, input.client);
    this.#matcher = new Matcher(input.current, (kind, entity) =>
      contentText(entity, input.schemas.of(kind, entity)),
    );
    for (const wanted of input.wanted) {
      const list = this.#byKind.get(wanted.kind);
      if (list === undefined) this.#byKind.set(wanted.kind, [wanted]);
      else list.push(wanted);
      this.#references.register(wanted);
    }
  }

  async kind(kind: ConfigKind): Promise<void> {
    const { schemas, current } = this.#input;
    const list = this.#byKind.get(kind) ?? [];
    const existing = current.all(kind);
    if (list.length === 0 && existing.size === 0) return;
    await schemas.prepare(kind, [...list.map(({ values }) => values), ...existing.values()]);
    this.#matcher.prepare(kind);
    for (const wanted of list) this.#one(wanted, await this.#given(wanted));
  }

  /** The file's values with references as ids and the tags of the selection. */
  async #given(wanted: Wanted): Promise<Record<string, unknown>> {
    const given = { ...wanted.values, ...(await this.#references.resolve(wanted)) };
    const { selectTags } = this.#input;
    if (selectTags.length === 0 || wanted.kind.name === 'consumer_group_consumers') return given;
    const tags: readonly unknown[] = Array.isArray(given['tags']) ? given['tags'] : [];
    return { ...given, tags: [...new Set([...tags, ...selectTags])] };
  }

  #one(wanted: Wanted, given: Record<string, unknown>): void {
    const { kind } = wanted;
    if (MADE_UP.has(kind.name) && typeof given[String(kind.key)] !== 'string') {
      throw new CommandError(
        `${wanted.place}: ${String(kind.key)}: it must be said, or each sync would make another`,
      );
    }
    const current = this.#matcher.match(wanted, given);
    const id = String(wanted.id);
    const fields = this.#input.schemas.of(kind, given);
    if (current !== null) this.#keepUnknown(kind, given, current);
    const form = wantedForm(kind, given, current, fields);
    this.#forms.set(`${kind.name} ${id}`, { ...form, id });
    const stored = HASHED.has(kind.name) && !this.#input.transform;
    const base = { kind, id, label: '', before: current, stored };
    if (current === null) {
      this.#changes.push({
        ...base,
        op: 'create',
        input: inputOf(kind, given, id),
        merge: false,
        differences: [],
      });
      return;
    }
    const found = this.#hideUnknown(kind, given, differences(kind, current, form, fields));
    if (found.length === 0) {
      this.#unchanged++;
      return;
    }
    const merge = HASHED.has(kind.name);
    const input = merge ? changed(found, form) : replacement(given, form, current);
    this.#changes.push({ ...base, op: 'update', input, merge, differences: found });
  }

  /** Without its schema, a config says only what it says: the rest stays. */
  #keepUnknown(kind: ConfigKind, given: Record<string, unknown>, current: Entity): void {
    const known = kind.name === 'plugins' ? this.#input.schemas.knowsConfig(given) : kind.name !== 'vaults';
    if (known) return;
    given['config'] = laidOver(current['config'], given['config']);
  }

  /** Any value of a config whose fields are not known may be a secret. */
  #hideUnknown(kind: ConfigKind, given: Entity, found: readonly Difference[]): readonly Difference[] {
    if (kind.name !== 'plugins' || this.#input.schemas.knowsConfig(given)) return found;
    return found.map((one) => (one.path.startsWith('config') ? { ...one, secret: true } : one));
  }

  finish(): Plan {
    const rooms: Change[] = [];
    const deletions: Change[] = [];
    for (const kind of CONFIG_KINDS.toReversed()) {
      for (const [id, before] of this.#input.current.all(kind)) {
        if (this.#matcher.isMeant(kind, id)) continue;
        const base = { kind, id, label: '', before, merge: false, differences: [], stored: false };
        const replaced = this.#matcher.isReplaced(kind, before);
        const gone: Change = { ...base, op: 'delete', input: null };
        if (replaced && REFERRED.has(kind.name)) {
          rooms.push({ ...base, op: 'rename', input: otherName(kind, id), merge: true });
        }
        (replaced && !REFERRED.has(kind.name) ? rooms : deletions).push(gone);
      }
    }
    const all = [...rooms, ...this.#changes, ...deletions];
    return { changes: all.map((change) => this.#labelled(change)), unchanged: this.#unchanged };
  }

  #labelled(change: Change): Change {
    const lookup = (kind: ConfigKind, id: string): Entity | null =>
      this.#forms.get(`${kind.name} ${id}`) ?? this.#input.current.get(kind, id);
    const { kind } = change;
    const label = labelOf(kind, lookup(kind, change.id) ?? {}, lookup);
    const name = (reference: string, value: unknown): unknown => {
      const id = idOf(value);
      const entity = id === null ? null : lookup(configKind(reference), id);
      return entity === null ? value : nameOf(configKind(reference), entity);
    };
    const differences = change.differences.map((one) => {
      const reference = kind.references[one.path];
      return reference === undefined
        ? one
        : { ...one, before: name(reference, one.before), after: name(reference, one.after) };
    });
    return { ...change, label, differences };
  }
}
