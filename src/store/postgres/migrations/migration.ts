/**
 * A step from one version of the schema to the next. It runs in a transaction of its own, once, and must leave the
 * tables such that nodes of the version before can go on with them: a cluster is brought up to date node by node.
 */
import type { Db } from '../tables.ts';

export interface Migration {
  /** What it is about, for `sluice migrations list`. */
  readonly name: string;
  /** Names its tables with the schema. */
  up(db: Db, schema: string): Promise<void>;
}
