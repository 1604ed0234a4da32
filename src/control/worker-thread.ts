/**
 * One worker: a whole data plane on an event loop of its own.
 *
 * The thread builds snapshots from images beside its traffic and obeys the supervisor's calls one after the other.
 * An uncaught error ends the thread: the supervisor logs it and starts another with the current image. Only an error of a
 * user's plugin does not: it is the plugin's, and nothing of the gateway's has been left half done.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ToldNames } from '../balancer/resolver/told-names.ts';
import type { PlaneResolver } from '../balancer/resolver/resolver.ts';
import type { DirectoryEntities } from '../entities/directory-kinds.ts';
import type { Plugin } from '../entities/plugin.ts';
import { monotonicClock, monotonicMs } from '../lib/monotonic.ts';
import type { PluginInstance } from '../plugins/engine/instance.ts';
import { blame } from '../plugins/users/blame.ts';
import { setBlocked } from '../plugins/users/blocked.ts';
import type { UserPlugin } from '../plugins/users/live.ts';
import { type MetricsReport, NO_METRICS } from '../observe/metrics/families.ts';
import type { Settings } from '../settings/settings.ts';
import { SnapshotBuilder, StaleBase } from '../snapshot/builder.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Trust } from '../snapshot/trust.ts';
import { CachedRecords, type CacheBounds } from '../store/records/cached-records.ts';
import type { RecordStore } from '../store/records/records.ts';
import { RemoteRecords } from '../store/records/remote-records.ts';
import { Directory } from '../zone/directory/directory.ts';
import { CircuitZone } from '../zone/circuits/circuit-zone.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import { HealthZone } from '../zone/health/health-zone.ts';
import { CELL, WorkerZone } from '../zone/worker-zone.ts';
import {
  type BrokenRoute,
  type Command,
  type FromWorker,
  MAX_BROKEN_NAMED,
  type Reply,
  type ToWorker,
  type WorkerData,
} from './protocol.ts';
import { FaultGate } from './plugins/fault-gate.ts';
import { WorkerPlugins } from './plugins/worker-plugins.ts';

/** What supervision needs of a data plane. */
export interface SupervisedDataPlane {
  applySnapshot(snapshot: Snapshot): void;
  createPlugin?(entity: Plugin, trust?: Trust, staged?: UserPlugin): Promise<PluginInstance>;
  listen(): Promise<void>;
  /** Stops accepting and resolves when nothing is in flight; cuts what is left after `graceMs`. */
  drain(graceMs: number): Promise<void>;
  updateSettings(settings: Settings): void;
  reopenLogs(): Promise<void>;
  metrics?(): MetricsReport;
}

interface DataPlaneModule {
  readonly DataPlane: new (options: {
    settings: Settings;
    workerId: number;
    zone: WorkerZone;
    records: RecordStore;
    recordCache: CachedRecords;
    directory: Directory<DirectoryEntities>;
    tickets: SharedArrayBuffer;
    shared: SharedArrayBuffer;
    resolver: PlaneResolver;
    circuits: CircuitZone;
  }) => SupervisedDataPlane;
}

const HEARTBEAT_MS = 250;
/** Characters of an error of a plugin. */
const MAX_FAULT = 4000;
/** Milliseconds that a request may wait for a record. */
const RECORDS_MS = 2000;
/** Milliseconds that the main thread may take to say what a name is. */
const NAMES_MS = 30_000;
/** Milliseconds between two looks at the vaults of plugins' configurations; vaults have times of their own. */
const SECRETS_MS = 1000;
const RECORDS_KEPT: CacheBounds = { entries: 10_000, characters: 8 * 1024 * 1024 };

if (parentPort === null) throw new Error('this module runs as a worker thread');
const port = parentPort;
const {
  workerId,
  settings,
  zone: buffer,
  tickets,
  targets,
  circuits,
  health,
  shared,
  nameUses,
  directory: feed,
  directoryKinds,
  dataPlane: dataPlaneUrl,
  plugins: bundle,
  blocked,
} = workerData as WorkerData;
const zone = new WorkerZone(buffer, workerId);
const records = new RemoteRecords({ post: say, timeoutMs: RECORDS_MS });
const recordCache = new CachedRecords(records, RECORDS_KEPT);
const resolver = new ToldNames({
  ask: (name) => say({ name }),
  size: settings.dns_cache_size,
  uses: new Uint8Array(nameUses),
  now: monotonicClock(),
  random: Math.random,
  timeoutMs: NAMES_MS,
});
const directory = new Directory<DirectoryEntities>(directoryKinds, feed);
setBlocked(blocked);
if (bundle.plugins.length > 0) {
  const { applyBundle } = await import('../plugins/users/bundle.ts');
  await applyBundle(bundle);
}
const dataPlane = await loadDataPlane();
const builder = new SnapshotBuilder(settings.router_flavor, {
  workerId,
  targets: new TargetZone(targets.buffer, workerId, targets.shape),
  health: new HealthZone(health),
  createPlugin,
});
const plugins = new WorkerPlugins({
  builder,
  create: (entity, staged) => createPlugin(entity, undefined, staged),
  serve: (snapshot) => dataPlane.applySnapshot(snapshot),
});
const faults = new FaultGate();
let prepared: Snapshot | null = null;
dataPlane.applySnapshot(builder.current);

function createPlugin(entity: Plugin, trust?: Trust, staged?: UserPlugin): Promise<PluginInstance> {
  if (dataPlane.createPlugin === undefined) throw new Error('this data plane has no plugins');
  return dataPlane.createPlugin(entity, trust, staged);
}

async function loadDataPlane(): Promise<SupervisedDataPlane> {
  const module = (await (dataPlaneUrl === null
    ? import('../proxy/data-plane.ts')
    : import(dataPlaneUrl))) as DataPlaneModule;
  return new module.DataPlane({
    settings,
    workerId,
    zone,
    directory,
    tickets,
    shared,
    circuits: new CircuitZone(circuits.buffer, workerId, circuits.shape),
    records,
    recordCache,
    resolver,
  });
}

async function obey(command: Command): Promise<Reply> {
  switch (command.type) {
    case 'prepare':
      prepared = await builder.prepare(command.image, command.flavor);
      return { ok: true, broken: brokenRoutes() };
    case 'commit':
      if (prepared?.revision === command.revision) {
        builder.commit(prepared);
        prepared = null;
        dataPlane.applySnapshot(builder.current);
        zone.set(CELL.balancedAlone, builder.current.upstreams.alone);
        zone.set(CELL.revision, command.revision);
      } else if (builder.current.revision !== command.revision) {
        throw new StaleBase(`revision ${command.revision} is not prepared`);
      }
      if (command.settings !== null) dataPlane.updateSettings(command.settings);
      break;
    case 'listen':
      await dataPlane.listen();
      break;
    case 'drain':
      await dataPlane.drain(command.graceMs);
      break;
    case 'reopen':
      await dataPlane.reopenLogs();
      break;
    case 'metrics':
      return { ok: true, metrics: dataPlane.metrics?.() ?? NO_METRICS };
    case 'stage-plugins':
      await plugins.stage(command.bundle);
      break;
    case 'take-plugins':
      return { ok: true, held: await plugins.take(command.bundle) };
    case 'drop-plugins':
      await plugins.drop();
      break;
    case 'block-plugins':
      await plugins.block(command.blocked);
      break;
  }
  return { ok: true };
}

function brokenRoutes(): BrokenRoute[] {
  const routes: BrokenRoute[] = [];
  for (const [id, reason] of builder.broken) {
    if (routes.length === MAX_BROKEN_NAMED) break;
    routes.push({ id, reason });
  }
  return routes;
}

/** Thrown again, an error ends the thread as if nobody had listened. */
process.on('uncaughtException', (error: unknown) => {
  const plugin = blame(error);
  if (plugin === null) throw error;
  zone.increment(CELL.pluginFaults);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (faults.admit(plugin)) say({ fault: plugin, error: text.slice(0, MAX_FAULT) });
});

function say(message: FromWorker): void {
  port.postMessage(message);
}

function answer(call: number, reply: Reply): void {
  say({ call, reply });
}

port.on('message', (message: ToWorker) => {
  if ('names' in message) return resolver.hear(message.names);
  if (!('call' in message)) return records.hear(message);
  const { call, command } = message;
  obey(command).then(
    (reply) => answer(call, reply),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      answer(call, { ok: false, stale: error instanceof StaleBase, message });
    },
  );
});

setInterval(() => void plugins.renewSecrets(), SECRETS_MS).unref();
zone.set(CELL.heartbeat, monotonicMs());
setInterval(() => {
  zone.set(CELL.heartbeat, monotonicMs());
  directory.refresh();
}, HEARTBEAT_MS).unref();
answer(0, { ok: true });
