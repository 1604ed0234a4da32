/** What the compiler thread is asked and what it answers. */
import type { PluginBundle } from '../plugins/users/live.ts';
import type { RouterFlavor } from '../router/router.ts';

export type ConfigSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string; readonly name: string }
  /** Body of `POST /config`, as it came. */
  | { readonly kind: 'body'; readonly body: Uint8Array; readonly contentType: string };

export interface CompileJob {
  readonly type: 'compile';
  readonly source: ConfigSource;
  readonly flavor: RouterFlavor;
  /** The file is the configuration, and not the beginning of a store: what needs a database is refused. */
  readonly withoutDatabase?: boolean;
  /** Number of the revision that this becomes. */
  readonly revision: number;
  /** What is served now; null when empty. A configuration with the same hash and flavour is `unchanged`. */
  readonly current: {
    readonly image: SharedArrayBuffer;
    readonly hash: string;
    readonly flavor: RouterFlavor;
    readonly generation?: number;
  } | null;
  /** Users' plugins that it may use. With others than those of `current` it is not `unchanged`. */
  readonly plugins?: PluginBundle;
  /** Answer the entities as `POST /config` does, or an error body with `flattened_errors`. */
  readonly wantEntities: boolean;
  readonly flattenErrors: boolean;
}

/** The configuration that is served, as a declarative file. */
export interface DumpJob {
  readonly type: 'dump';
  readonly image: SharedArrayBuffer | null;
  readonly plugins?: PluginBundle;
}

export type CompilerJob = CompileJob | DumpJob;

/** What the thread is started with. */
export interface CompilerStart {
  /** Its nice value; 0 leaves it. */
  readonly nice: number;
}

export interface CompilerReply {
  readonly answer: Compiled | CompileFailure | Dumped;
  /** What the thread's heap has grown to. */
  readonly heapBytes: number;
}

export interface Compiled {
  readonly ok: true;
  readonly unchanged: boolean;
  readonly hash: string;
  /** Of the job's plugins. */
  readonly generation: number;
  readonly image: SharedArrayBuffer;
  /** From the current revision to this one; null when there is no current one. */
  readonly delta: SharedArrayBuffer | null;
  /** JSON, UTF-8; null unless wanted. */
  readonly entities: Uint8Array<ArrayBuffer> | null;
  /** How many entities. */
  readonly records: number;
}

export interface CompileFailure {
  readonly ok: false;
  /** HTTP status of the answer. */
  readonly status: number;
  /** For people: one line for each error with its place. */
  readonly lines: readonly string[];
  /** Kong's error body, JSON. */
  readonly body: string;
}

export interface Dumped {
  readonly ok: true;
  /** YAML. */
  readonly text: string;
}
