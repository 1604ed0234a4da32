/** Shapes that the declarative file's compiler hands out; see compile.ts. All of them can be sent between threads. */
import type { RouterFlavor, Values } from '../../entities/schema/field.ts';
import type { Segment } from '../../entities/schema/issue.ts';

export interface CompileOptions {
  /** Refuses plugins that only work with a database. */
  readonly withoutDatabase?: boolean;
  /** Only for messages, and to tell JSON (`.json`) from YAML where the text does not parse. */
  readonly filename: string;
  readonly flavor: RouterFlavor;
  /** Unix seconds: `created_at` of entities that do not say, `updated_at` of all. */
  readonly now: number;
  /** Works another format's keys in first: answers the file to compile, or what is wrong with it. */
  readonly prepare?: (file: Values) => Values | string;
}

/** A validated file. Every entity is complete: defaults filled, references resolved to `{ id }`, unset fields null. */
export interface DeclarativeConfig {
  /** MD5 of the text, 32 hex digits (Kong's `configuration_hash`). */
  readonly hash: string;
  /** Secrets are to be hashed, where they are kept so (`_transform`). */
  readonly transform: boolean;
  /** By kind, parents before children; every kind is there. */
  readonly entities: ReadonlyMap<string, readonly Values[]>;
}

export type DeclarativeErrorKind =
  | 'syntax'
  | 'format'
  | 'schema'
  | 'reference'
  | 'uniqueness'
  | 'unsupported';

export interface DeclarativeError {
  /** From 1; null when the place is not known. */
  readonly line: number | null;
  readonly column: number | null;
  /** `services[2].routes[0].paths[1]`, counted from 0; empty for the file as a whole. */
  readonly path: string;
  /** The same as data. */
  readonly at: readonly Segment[];
  /** The entity that the error belongs to, as the file wrote it. */
  readonly entity?: DeclarativeErrorEntity;
  readonly message: string;
  readonly kind: DeclarativeErrorKind;
}

/** One object for all errors of an entity. */
export interface DeclarativeErrorEntity {
  /** Kong's entity name, `services`. */
  readonly type: string;
  readonly name: string | null;
  /** Only when the file says it and it is a UUID. */
  readonly id: string | null;
  readonly tags: readonly string[] | null;
  /** What the file says, unvalidated, without nested entities; a child of a parent with an id names it. */
  readonly entity: Values;
  /** How many segments of an error's `at` lead to the entity. */
  readonly depth: number;
}

export type CompileResult =
  | { readonly ok: true; readonly config: DeclarativeConfig }
  | { readonly ok: false; readonly errors: readonly DeclarativeError[] };

export type { RouterFlavor } from '../../entities/schema/field.ts';
