/**
 * The vocabulary in which entities are described: plain data in the shape of Kong's own schemas, because
 * `/schemas/<entity>` has to print exactly that shape, and because decK and Terraform read defaults from it.
 * From one description come validation with Kong's messages (compile.ts), TypeScript types ({@link Entity}),
 * `/schemas` (print.ts), OpenAPI and the reference pages. Why not zod: docs/adr/0002.
 */

/** A rule on a string. `lua` is what Kong's schema prints; `js` decides. */
export interface Pattern {
  readonly lua: string;
  readonly js: RegExp;
}

/** Answers null or what is wrong, in Kong's words. */
export type Validator<T> = (value: T, context: CheckContext) => string | null;

interface Common {
  readonly required?: boolean;
  readonly description?: string;
  /** Kong generates it when missing: ids, timestamps, random keys. */
  readonly auto?: true;
  readonly unique?: true;
  readonly unique_across_ws?: true;
  /** The value must be this one: null for all types, or a boolean. `err` replaces the message. */
  readonly eq?: null | boolean;
  readonly err?: string;
  /** Input only: not part of the stored entity. */
  readonly transient?: true;
}

export interface StringField extends Common {
  readonly type: 'string';
  readonly default?: string;
  readonly one_of?: readonly string[];
  readonly not_one_of?: readonly string[];
  readonly uuid?: true;
  readonly len_min?: number;
  readonly starts_with?: string;
  readonly match?: Pattern;
  readonly match_all?: ReadonlyArray<{ readonly pattern: Pattern; readonly err: string }>;
  readonly match_none?: ReadonlyArray<{ readonly pattern: Pattern; readonly err: string }>;
  readonly match_any?: { readonly patterns: readonly Pattern[]; readonly err: string };
  readonly custom_validator?: Validator<string>;
  /** May be a vault reference, which is stored as it is and resolved at use. */
  readonly referenceable?: true;
  readonly encrypted?: true;
  /** Sluice's own, not in `/schemas`: sealed at rest, and masked for whoever may not see secrets. */
  readonly secret?: true;
}

export interface NumberField extends Common {
  readonly type: 'integer' | 'number';
  readonly default?: number;
  readonly one_of?: readonly number[];
  readonly between?: readonly [number, number];
  readonly gt?: number;
  readonly timestamp?: true;
}

export interface BooleanField extends Common {
  readonly type: 'boolean';
  readonly default?: boolean;
  readonly ne?: boolean;
}

export interface ListField extends Common {
  /** A set drops repeated values and keeps the order. */
  readonly type: 'array' | 'set';
  readonly elements: Field;
  readonly default?: readonly unknown[];
  readonly len_min?: number;
  readonly len_eq?: number;
  readonly contains?: string;
  readonly mutually_exclusive_subsets?: ReadonlyArray<readonly string[]>;
  /** Why there are too many, before they are looked at one by one. */
  readonly limit?: (list: readonly unknown[]) => string | null;
}

export interface MapField extends Common {
  readonly type: 'map';
  readonly keys: StringField;
  readonly values: Field;
  readonly default?: Readonly<Record<string, unknown>>;
}

export interface RecordField extends Common {
  readonly type: 'record';
  readonly fields: Fields;
  readonly entity_checks?: readonly EntityCheck[];
  /** Only printed: what is stored comes from the fields' own defaults. */
  readonly default?: Values;
  /** The plugin or vault named by the entity decides; until it is built, any object passes. */
  readonly abstract?: true;
  readonly custom_validator?: Validator<Readonly<Record<string, unknown>>>;
  /** Older names of fields: input that stands for others, whose own values lose. */
  readonly shorthand_fields?: Readonly<Record<string, RecordShorthand>>;
}

export interface RecordShorthand {
  readonly type: 'string' | 'number' | 'boolean';
  readonly description?: string;
  /** What it stands for; null: nothing any more. */
  readonly expand: (value: unknown) => Values | null;
}

export interface ForeignField extends Common {
  readonly type: 'foreign';
  readonly reference: string;
  readonly on_delete?: 'cascade';
  readonly default?: null;
}

/** Any JSON value. */
export interface JsonField extends Common {
  readonly type: 'json';
}

export type Field =
  | StringField
  | NumberField
  | BooleanField
  | ListField
  | MapField
  | RecordField
  | ForeignField
  | JsonField;

export type Fields = Readonly<Record<string, Field>>;

/** Rules across fields; names and meaning are Kong's. */
export type EntityCheck =
  | { readonly at_least_one_of: readonly string[] }
  | { readonly only_one_of: readonly string[] }
  | { readonly mutually_exclusive: readonly string[] }
  | { readonly mutually_required: readonly string[] }
  | { readonly distinct: readonly string[] }
  | { readonly conditional: Conditional }
  | { readonly conditional_at_least_one_of: ConditionalAtLeastOneOf }
  | { readonly custom_entity_check: CustomCheck };

/** Constraints laid over a field of the entity: what it says replaces what the field says. */
export type Match = Readonly<Record<string, unknown>>;

export interface Conditional {
  readonly if_field: string;
  readonly if_match: Match;
  readonly then_field: string;
  readonly then_match: Match;
  readonly then_err?: string;
}

export interface ConditionalAtLeastOneOf {
  readonly if_field: string;
  readonly if_match: Match;
  readonly then_at_least_one_of: readonly string[];
  /** `%s` stands for the quoted list. */
  readonly then_err: string;
  readonly else_match?: Match;
  readonly else_then_at_least_one_of?: readonly string[];
  readonly else_then_err?: string;
}

export interface CustomCheck {
  readonly field_sources: readonly string[];
  /** Not run when one of its fields is wrong already. Answers null or what is wrong. */
  readonly fn: (entity: Values, context: CheckContext) => string | null;
}

/** An entity under validation: each field valid for itself, or null. */
export type Values = Readonly<Record<string, unknown>>;

export type RouterFlavor = 'traditional_compatible' | 'expressions' | 'traditional';

/** What the outside world says to a validation. */
export interface CheckContext {
  readonly flavor: RouterFlavor;
  /** Unix seconds, with a fraction if need be, for timestamps and expiry of certificates. */
  readonly now: number;
  /** A PATCH: some of Kong's messages say so. */
  readonly updating?: boolean;
  /** Why a route's regex does not compile, or null; the router supplies it where its reading is not RE2's. */
  readonly checkRegex?: (source: string) => string | null;
  /** Compiles a route's expression: null, or what is wrong with it. The router supplies it. */
  readonly checkExpression?: (expression: string, protocols: readonly string[]) => string | null;
}

/** An entity's whole description. */
export interface EntityDefinition {
  readonly name: string;
  readonly fields: Fields;
  /** The unique field by which the Admin API and references name an entity. */
  readonly endpoint_key?: string;
  /** The fields that identify an entity, when they are more or other than the endpoint key. */
  readonly cache_key?: readonly string[];
  /** Rows may carry `ttl`, seconds. */
  readonly ttl?: true;
  /** Path segment of the Admin API when it is not the name. */
  readonly admin_api_name?: string;
  /** The Admin API has no endpoints of its own for it. */
  readonly generate_admin_api?: false;
  /** Path segment below an entity that this kind refers to, when it is another one still. */
  readonly admin_api_nested_name?: string;
  readonly entity_checks?: readonly EntityCheck[];
  /** Input fields that stand for others. Answers what they stand for; an explicit value of those loses. */
  readonly shorthand_fields?: Readonly<Record<string, Shorthand>>;
  /** Changes of fields and checks by the entity's own values (Kong's subschemas, router flavours). */
  readonly variants?: (input: Values, flavor: RouterFlavor) => EntityVariant | null;
  /** Fields that the router's flavour adds, or describes otherwise, for all entities. */
  readonly flavored?: (flavor: RouterFlavor) => Fields;
  /** The variants that have a name of their own, a value of `subschema_key` (`/schemas/vaults/env`). */
  readonly subschemas?: ReadonlyMap<string, EntityVariant>;
  /** Which field chooses the variant: without a value of it nothing else is checked. */
  readonly subschema_key?: string;
  /** Says why there is no variant for this key, or null. */
  readonly subschema_error?: (key: unknown) => string | null;
  /** A secret that is stored as a function of another field: a change of that field needs the secret anew. */
  readonly derived?: { readonly secret: string; readonly from: string; readonly message: string };
  /** The secret `field` is kept as a slow hash: where the boolean `when` is true (`_transform`), else always when it is written. */
  readonly slow_hash?: { readonly field: string; readonly when?: string };
  /** Runs on a valid entity on its way to the store (`_transform`). */
  readonly transform?: (entity: Record<string, unknown>) => void;
}

export interface Shorthand {
  readonly expand: (value: unknown) => Readonly<Record<string, unknown>> | null;
  /** Null is a value of its own here. */
  readonly nullable?: true;
}

/** A variant is compiled once, so `variants` must answer the same object for the same case. */
export interface EntityVariant {
  readonly fields: Fields;
  readonly entity_checks: readonly EntityCheck[];
}

type Value<F> = F extends { readonly one_of: ReadonlyArray<infer V> }
  ? V
  : F extends { readonly type: 'string' }
    ? string
    : F extends { readonly type: 'integer' | 'number' }
      ? number
      : F extends { readonly type: 'boolean' }
        ? boolean
        : F extends { readonly type: 'foreign' }
          ? { readonly id: string }
          : F extends { readonly abstract: true }
            ? Readonly<Record<string, unknown>>
            : F extends { readonly type: 'array' | 'set'; readonly elements: infer E }
              ? ReadonlyArray<Value<E>>
              : F extends { readonly type: 'map'; readonly values: infer V }
                ? Readonly<Record<string, Value<V>>>
                : F extends { readonly type: 'record'; readonly fields: infer R }
                  ? Entity<R>
                  : unknown;

/** Null is impossible where the field is required, generated, or replaced by a default. */
type NeverNull<F> = F extends { readonly required: true } | { readonly auto: true }
  ? true
  : F extends { readonly default: infer D }
    ? D extends null
      ? false
      : true
    : F extends { readonly type: 'record'; readonly required?: true }
      ? true
      : false;

/** The TypeScript type of a complete entity: every field present, unset ones null. */
export type Entity<F> = {
  readonly [K in keyof F as F[K] extends { readonly transient: true } ? never : K]: NeverNull<
    F[K]
  > extends true
    ? Value<F[K]>
    : Value<F[K]> | null;
};
