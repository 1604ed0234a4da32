/** Shapes that the declarative file's compiler hands out; see compile.ts. */
import type { Route } from '../../entities/route.ts';
import type { Service } from '../../entities/service.ts';

export type RouterFlavor = 'traditional_compatible' | 'expressions' | 'traditional';

export interface CompileOptions {
  /** Only for messages. */
  readonly filename: string;
  readonly flavor: RouterFlavor;
  /** Unix seconds: `created_at` and `updated_at` of entities that do not say. */
  readonly now: number;
}

/** A validated file. Every entity is complete: defaults filled, references resolved to `{ id }`, unset fields null. */
export interface DeclarativeConfig {
  /** MD5 of the text, 32 hex digits (Kong's `configuration_hash`). */
  readonly hash: string;
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
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
  /** The entity that the error belongs to, as the file wrote it. */
  readonly entity?: DeclarativeErrorEntity;
  readonly message: string;
  readonly kind: DeclarativeErrorKind;
}

export interface DeclarativeErrorEntity {
  /** Kong's entity name, `services`. */
  readonly type: string;
  readonly name: string | null;
  readonly id: string | null;
  readonly tags: readonly string[] | null;
  /** What the file says, unknown and unvalidated, without nested entities. */
  readonly entity: Readonly<Record<string, unknown>>;
}

export type CompileResult =
  | { readonly ok: true; readonly config: DeclarativeConfig }
  | { readonly ok: false; readonly errors: readonly DeclarativeError[] };
