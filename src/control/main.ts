/**
 * The main thread: starts the gateway, supervises it and ends it. It serves no proxied request and parses no
 * configuration.
 *
 * Start, in this order: the prefix is locked; the threads of the workers and the compiler start together while each
 * port is tried alone; the first configuration goes to the workers, which then listen; admin and status listeners come
 * last, so that what they import does not delay the first proxied request.
 */
import type { Server } from 'node:http';
import { rmSync } from 'node:fs';
import type { LoadedSettings } from '../settings/load.ts';
import type { Resolver } from '../balancer/resolver/resolver.ts';
import type { Settings } from '../settings/settings.ts';
import { openControlSocket, socketPathProblem } from './control-socket.ts';
import type { ConfigStore } from '../store/config-store.ts';
import type { SecretKeeper } from '../store/secret-keeper.ts';
import type { Reach } from '../store/follower.ts';
import type { ClusterLogLevel } from './cluster-log-level.ts';
import { controlHandlers } from './control-handlers.ts';
import type { TokenStore } from './access/token-store.ts';
import type { AdminSide } from './admin-side.ts';
import { Life } from './life.ts';
import { MainLog } from './log.ts';
import { LogLevelOverride } from './log-level-override.ts';
import type { OpenStore } from './open-store.ts';
import { portProblems } from './ports.ts';
import { type PrefixLock, PrefixInUse, controlSocketPath, lockPrefix } from './prefix-lock.ts';
import { RecordDesk } from './record-desk.ts';
import { unreadFile } from './configured-source.ts';
import { Reloader } from './reload.ts';
import { socketActivationProblem } from './socket-activation.ts';
import type { StorePublisher } from './store-publisher.ts';
import { DEFAULT_TUNING, Supervisor, type SupervisorTuning } from './supervisor.ts';

export interface RunOptions {
  /** Called at the start and at each reload. Throws SettingsError. */
  readonly loadSettings: () => LoadedSettings;
  /** Module that exports another `DataPlane`, and other times: tests of supervision. */
  readonly dataPlane?: string;
  readonly tuning?: Partial<SupervisorTuning>;
}

export const EXIT_STOPPED = 0;
export const EXIT_CANNOT_START = 1;
/** Internal error: the launcher starts the gateway again. */
export const EXIT_INTERNAL = 70;

/** Everything that the main thread holds. */
export interface Gateway {
  readonly log: MainLog;
  readonly supervisor: Supervisor;
  readonly reloader: Reloader;
  readonly life: Life;
  readonly records: RecordDesk;
  readonly logLevel: LogLevelOverride;
  /** Null where no other nodes are to be told. */
  clusterLogLevel: ClusterLogLevel | null;
  /** The configuration as the Admin API reads and changes it; null until it is open, which may be when it is asked. */
  store: ConfigStore | null;
  /** Looks names up for the Admin API; null until that is open. */
  resolver: Resolver | null;
  /** Whether a database that it needs is there; null without one. */
  reach: (() => Reach) | null;
  /** Who may use the Admin API; null: a file of the prefix says it, or the store is not open yet. */
  tokens: TokenStore | null;
  /** Null without a database, and until the store is open. */
  secrets: SecretKeeper | null;
}

/** Problems that keep the gateway from starting, one sentence each. */
class CannotStart extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Runs the gateway until it is told to stop, and returns the exit code of the process. */
export async function runGateway(options: RunOptions): Promise<number> {
  const { settings } = options.loadSettings();
  let log: MainLog | null = null;
  let lock: PrefixLock | null = null;
  try {
    const problems = [
      socketPathProblem(controlSocketPath(settings.prefix)),
      socketActivationProblem(process.env, process.pid),
    ].filter((problem) => problem !== null);
    if (problems.length > 0) throw new CannotStart(problems);
    lock = await havePrefix(settings.prefix);
    const held = lock;
    process.on('exit', () => held.release());
    log = new MainLog(settings);
    return await run(settings, log, options);
  } catch (error) {
    const expected = error instanceof CannotStart || error instanceof PrefixInUse || isSystemError(error);
    const problems = error instanceof CannotStart ? error.problems : [messageOf(error, !expected)];
    for (const problem of problems) {
      process.stderr.write(`sluice: ${problem}\n`);
      log?.log('emerg', problem);
    }
    return expected ? EXIT_CANNOT_START : EXIT_INTERNAL;
  } finally {
    await log?.close();
    lock?.release();
  }
}

/** The system's own words name a file in it, or none: a full disk says only that it is full. */
async function havePrefix(prefix: string): Promise<PrefixLock> {
  try {
    return await lockPrefix(prefix);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CannotStart([`cannot use the prefix ${prefix}: ${messageOf(error, false)}`]);
  }
}

async function run(settings: Settings, log: MainLog, options: RunOptions): Promise<number> {
  const records = new RecordDesk();
  let adminSide: AdminSide | null = null;
  const supervisor = new Supervisor({
    settings,
    log: log.log,
    dataPlane: options.dataPlane ?? null,
    tuning: { ...DEFAULT_TUNING, ...options.tuning },
    records,
  });
  const life = new Life(supervisor, log);
  const reloader = new Reloader({
    supervisor,
    log: log.log,
    readSettings: options.loadSettings,
    checkSettings: (next) => adminSide?.check(next),
    onSettings: (next) => {
      log.setLevel(next.log_level);
      adminSide?.renew(next);
    },
    settings,
  });
  const gateway: Gateway = {
    log,
    supervisor,
    reloader,
    life,
    records,
    logLevel: new LogLevelOverride(reloader),
    clusterLogLevel: null,
    store: null,
    resolver: null,
    reach: null,
    tokens: null,
    secrets: null,
  };
  const socketPath = controlSocketPath(settings.prefix);
  life.onSignals(() => void reloader.reload());
  const control = await openControlSocket(socketPath, controlHandlers(gateway));
  let store: OpenStore | null = null;
  try {
    if (settings.database !== 'off') {
      store = await openedUnlessStopped(gateway, settings);
      if (store === null) return EXIT_STOPPED;
    }
    await start(gateway, settings, store?.publisher ?? null);
    if (life.state === 'starting') {
      if (store !== null) await followLogLevel(gateway, store);
      adminSide = await openAdminSide(gateway, settings, async () => {
        store ??= await openedStore(gateway, settings);
      });
      life.running();
      log.log('notice', `${settings.nginx_worker_processes} workers serve revision ${supervisor.revision}`);
    }
    await life.stopped;
    return EXIT_STOPPED;
  } finally {
    await supervisor.stop(0);
    adminSide?.close();
    gateway.clusterLogLevel?.close();
    store?.close();
    closeServer(control);
    rmSync(socketPath, { force: true });
    life.dispose();
  }
}

/** A database that says nothing must not keep a start from ending. Null: it was told to stop meanwhile. */
async function openedUnlessStopped(gateway: Gateway, settings: Settings): Promise<OpenStore | null> {
  const opening = openedStore(gateway, settings);
  const opened = await Promise.race([opening, gateway.life.stopped]);
  if (opened !== undefined) return opened;
  void opening.then(
    (late) => late.close(),
    () => undefined,
  );
  return null;
}

/** Its code is loaded here: without a database only the Admin API needs it. */
async function openedStore(gateway: Gateway, settings: Settings): Promise<OpenStore> {
  const { openStore } = await import('./open-store.ts');
  try {
    const opened = await openStore(settings, gateway.reloader, gateway.log.log);
    gateway.store = opened.store;
    gateway.reach = opened.reach;
    gateway.tokens = opened.tokens;
    gateway.secrets = opened.secrets;
    if (opened.records !== null) gateway.records.open(opened.records);
    return opened;
  } catch (error) {
    throw new CannotStart([messageOf(error, false)]);
  }
}

/** Not before the workers serve: a level that was set is published to them. */
async function followLogLevel(gateway: Gateway, { records }: OpenStore): Promise<void> {
  if (records === null) return;
  const { ClusterLogLevel } = await import('./cluster-log-level.ts');
  gateway.clusterLogLevel = new ClusterLogLevel(records, gateway.logLevel, gateway.log.log);
}

/** Returns early, with nothing served, when a signal ends the start. */
async function start(gateway: Gateway, settings: Settings, publisher: StorePublisher | null): Promise<void> {
  const { supervisor, reloader, life, log } = gateway;
  const compiling = publisher === null || publisher.empty ? reloader.first() : null;
  if (publisher?.empty === false) {
    for (const line of unreadFile(settings)) log.log('notice', line);
  }
  supervisor.spawn();
  const { proxy_listen, admin_listen, status_listen } = settings;
  const problems = await portProblems([...proxy_listen, ...admin_listen, ...status_listen]);
  if (problems.length > 0) throw new CannotStart(problems);
  const compiled = await Promise.race([compiling, life.stopped]);
  if (compiled === undefined) return;
  if (compiled?.ok === false) throw new CannotStart(compiled.lines);
  try {
    const served = publisher === null ? reloader.serveFirst(compiled) : publisher.first(compiled);
    await Promise.race([served, life.stopped]);
  } catch (error) {
    if (life.state === 'starting') throw new CannotStart([messageOf(error, false)]);
    // The end that somebody wanted took the workers away while they were building.
    await life.stopped;
  }
}

/** What the admin side imports is loaded here, when the workers serve already. */
async function openAdminSide(
  gateway: Gateway,
  settings: Settings,
  openStore: () => Promise<void>,
): Promise<AdminSide | null> {
  if (settings.admin_listen.length === 0 && settings.status_listen.length === 0) return null;
  const { AdminSide } = await import('./admin-side.ts');
  const side = new AdminSide(gateway, openStore);
  try {
    await side.open(settings);
    return side;
  } catch (error) {
    side.close();
    throw new CannotStart([messageOf(error, false)]);
  }
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function messageOf(error: unknown, withStack: boolean): string {
  if (!(error instanceof Error)) return String(error);
  return withStack ? (error.stack ?? error.message) : error.message;
}
