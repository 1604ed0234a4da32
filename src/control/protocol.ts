/**
 * What the main thread and its workers say to each other: calls with a number, each answered once; and the other way,
 * a worker's questions about records and names, which it has in no other way, with what is told of their changes.
 *
 * No other part of a request ever passes here. Images are SharedArrayBuffers, so posting one copies nothing.
 */
import type { MetricsReport } from '../observe/metrics/families.ts';
import type { Settings } from '../settings/settings.ts';
import type { NameState } from '../balancer/resolver/name-state.ts';
import type { RouterFlavor } from '../router/router.ts';
import type { BlockedPlugin } from '../plugins/users/blocked.ts';
import type { PluginBundle } from '../plugins/users/live.ts';
import type { RecordAsk, RecordTell } from '../store/records/remote-records.ts';
import type { DirectoryFeed } from '../zone/directory/feeds.ts';
import type { NodeTargets } from '../zone/targets/node-targets.ts';
import type { DirectoryKind } from '../zone/directory/row-kind.ts';

export interface WorkerData {
  readonly workerId: number;
  readonly settings: Settings;
  /** The node's counters. */
  readonly zone: SharedArrayBuffer;
  /** The node's keys of TLS session tickets. */
  readonly tickets: SharedArrayBuffer;
  /** What the node's workers know of targets, and its shape. */
  readonly targets: Pick<NodeTargets, 'buffer' | 'shape'>;
  /** The health of targets. */
  readonly health: SharedArrayBuffer;
  /** Counters and values that plugins share. */
  readonly shared: SharedArrayBuffer;
  /** Which names of the main thread's resolver are in use. */
  readonly nameUses: SharedArrayBuffer;
  /** The node's consumers and credentials. */
  readonly directory: DirectoryFeed;
  /** What lies in it; said, because a worker does not load the definitions of entities. */
  readonly directoryKinds: readonly DirectoryKind[];
  /** Module that exports `DataPlane`, when it is not the gateway's own (tests of supervision). */
  readonly dataPlane: string | null;
  /** Users' plugins, and those of them that answer 503. */
  readonly plugins: PluginBundle;
  readonly blocked: readonly BlockedPlugin[];
}

export type Command =
  /** Build the image's snapshot beside the one that is served. */
  | { readonly type: 'prepare'; readonly image: SharedArrayBuffer; readonly flavor: RouterFlavor }
  /** Serve the revision that was prepared (or goes on, when it is served already), with these settings; null: with those it has. */
  | { readonly type: 'commit'; readonly revision: number; readonly settings: Settings | null }
  | { readonly type: 'listen' }
  /** Accept no more; answer when nothing is in flight any more or the time is over. */
  | { readonly type: 'drain'; readonly graceMs: number }
  | { readonly type: 'reopen' }
  /** What plugins count, and what they cost. */
  | { readonly type: 'metrics' }
  /** Makes the filters of users' plugins that have changed, beside those that are served. */
  | { readonly type: 'stage-plugins'; readonly bundle: PluginBundle }
  /** Serves them (and makes them, where that was not done yet). */
  | { readonly type: 'take-plugins'; readonly bundle: PluginBundle }
  /** Another worker could not make them. */
  | { readonly type: 'drop-plugins' }
  /** These plugins answer 503 from now on, and only these. */
  | { readonly type: 'block-plugins'; readonly blocked: readonly BlockedPlugin[] };

export type CommandType = Command['type'];

export interface BrokenRoute {
  readonly id: string;
  readonly reason: string;
}

export type Reply =
  | {
      readonly ok: true;
      readonly broken?: readonly BrokenRoute[];
      /** What the thread holds after users' plugins were replaced. */
      readonly held?: HeldByPlugins;
      readonly metrics?: MetricsReport;
    }
  /** `stale`: a delta that does not fit; the whole image is wanted. */
  | { readonly ok: false; readonly stale: boolean; readonly message: string };

export interface HeldByPlugins {
  /** Versions of plugins whose modules stay although others have taken their place. */
  readonly versions: number;
  /** Timers of the whole thread that keep it alive: one that no `dispose` ends makes this rise with each reload. */
  readonly timers: number;
}

/** A user's plugin has thrown where no request waits for it. */
export interface PluginFault {
  readonly fault: string;
  readonly error: string;
}

export interface CallMessage {
  readonly call: number;
  readonly command: Command;
}

/** Call 0 is the worker's first word: it is there and takes commands. */
export interface ReplyMessage {
  readonly call: number;
  readonly reply: Reply;
}

/** A worker wants a name, or that it be refreshed. */
export interface NameAsk {
  readonly name: string;
}

/** What the main thread knows of names. */
export interface NamesTell {
  readonly names: readonly NameState[];
}

export type ToWorker = CallMessage | RecordTell | NamesTell;
export type FromWorker = ReplyMessage | RecordAsk | NameAsk | PluginFault;

/** How many broken routes a worker names; a list must not grow with the configuration. */
export const MAX_BROKEN_NAMED = 100;
