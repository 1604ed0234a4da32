/**
 * The main thread: starts the gateway, supervises it and ends it. It serves no proxied request and parses no
 * configuration.
 *
 * Start, in this order: the prefix is locked; the threads of the workers and the compiler start together while each
 * port is tried alone; the first configuration goes to the workers, which then listen; admin and status listeners come
 * last, so that what they import does not delay the first proxied request.
 */
import type { Server } from 'node:http';
import { rmSync } from '../lib/node-fs.ts';
import type { LoadedSettings } from '../settings/load.ts';
import type { Settings } from '../settings/settings.ts';
import { openControlSocket, socketPathProblem } from './control-socket.ts';
import { CannotStart, isSystemError, messageOf } from './cannot-start.ts';
import { controlHandlers } from './control-handlers.ts';
import type { AdminSide } from './admin-side.ts';
import type { Gateway } from './gateway.ts';
import { HealthKeeper } from './health/health-keeper.ts';
import { Life } from './life.ts';
import { MainLog } from './log.ts';
import { LogLevelOverride } from './log-level-override.ts';
import { NameDesk } from './names/name-desk.ts';
import type { OpenStore } from './open-store.ts';
import { PluginProblems } from '../plugins/users/find.ts';
import { configuredPlugins } from './plugins/configured.ts';
import { UserPlugins } from './plugins/user-plugins.ts';
import { watchPlugins } from './plugins/watch.ts';
import { type PrefixLock, PrefixInUse, controlSocketPath, lockPrefix } from './prefix-lock.ts';
import { checkProxyTls } from './proxy-tls.ts';
import { RecordDesk } from './record-desk.ts';
import { Reloader } from './reload.ts';
import { socketActivationProblem } from './socket-activation.ts';
import { followLogLevel, openAdminSide, openedStore, openedUnlessStopped, start } from './start.ts';
import { PluginMetricsDesk } from './plugin-metrics.ts';
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
  const names = new NameDesk(settings, log.log);
  let adminSide: AdminSide | null = null;
  const supervisor = new Supervisor({
    settings,
    log: log.log,
    dataPlane: options.dataPlane ?? null,
    tuning: { ...DEFAULT_TUNING, ...options.tuning },
    records,
    names,
  });
  const life = new Life(supervisor, log);
  const plugins = new UserPlugins({
    settings,
    supervisor,
    log: log.log,
    configured: () => configuredPlugins(gateway),
  });
  const reloader = new Reloader({
    supervisor,
    log: log.log,
    readSettings: options.loadSettings,
    checkSettings: (next) => {
      checkProxyTls(next);
      adminSide?.check(next);
    },
    onSettings: (next) => {
      log.setLevel(next.log_level);
      adminSide?.renew(next);
    },
    settings,
    plugins,
  });
  const health = new HealthKeeper({
    writer: supervisor.health,
    log: log.log,
    settings: () => reloader.settings,
    resolver: names,
  });
  supervisor.follow = (next) => {
    names.follow(next);
    return health.follow(next);
  };
  const gateway: Gateway = {
    log,
    health,
    plugins,
    supervisor,
    reloader,
    life,
    records,
    pluginMetrics: new PluginMetricsDesk(supervisor),
    logLevel: new LogLevelOverride(reloader),
    clusterLogLevel: null,
    store: null,
    resolver: names,
    reach: null,
    tokens: null,
    secrets: null,
  };
  const socketPath = controlSocketPath(settings.prefix);
  life.onSignals(() => void reloader.reload());
  const control = await openControlSocket(socketPath, controlHandlers(gateway));
  let store: OpenStore | null = null;
  using watching = new DisposableStack();
  try {
    await readPlugins(plugins);
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
      watching.use(watchPlugins(plugins.keeper, () => void reloader.reloadPlugins(), log.log));
      watching.use(plugins.watchdog(() => reloader.settings.plugin_block_limit));
      log.log('notice', `${settings.nginx_worker_processes} workers serve revision ${supervisor.revision}`);
    }
    await life.stopped;
    return EXIT_STOPPED;
  } finally {
    watching.dispose();
    await supervisor.stop(0);
    health.close();
    names.close();
    adminSide?.close();
    gateway.clusterLogLevel?.close();
    store?.close();
    closeServer(control);
    rmSync(socketPath, { force: true });
    life.dispose();
  }
}

/** What they are wrong in keeps the gateway from starting. */
async function readPlugins(plugins: UserPlugins): Promise<void> {
  try {
    await plugins.first();
  } catch (error) {
    throw error instanceof PluginProblems ? new CannotStart(error.problems) : error;
  }
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}
