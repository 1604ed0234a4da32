/**
 * The steps of a start, each of which ends early when a signal ends the start: the store, the first configuration, the
 * admin side. What a step imports is loaded when it is needed, so that nothing delays the first proxied request.
 */
import type { Settings } from '../settings/settings.ts';
import type { AdminSide } from './admin-side.ts';
import { CannotStart, messageOf } from './cannot-start.ts';
import { unreadFile } from './configured-source.ts';
import type { Gateway } from './gateway.ts';
import type { OpenStore } from './open-store.ts';
import { portProblems } from './ports.ts';
import { checkProxyTls } from './proxy-tls.ts';
import type { StorePublisher } from './store-publisher.ts';

/** A database that says nothing must not keep a start from ending. Null: it was told to stop meanwhile. */
export async function openedUnlessStopped(gateway: Gateway, settings: Settings): Promise<OpenStore | null> {
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
export async function openedStore(gateway: Gateway, settings: Settings): Promise<OpenStore> {
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
export async function followLogLevel(gateway: Gateway, { records }: OpenStore): Promise<void> {
  if (records === null) return;
  const { ClusterLogLevel } = await import('./cluster-log-level.ts');
  gateway.clusterLogLevel = new ClusterLogLevel(records, gateway.logLevel, gateway.log.log);
}

/** Returns early, with nothing served, when a signal ends the start. */
export async function start(
  gateway: Gateway,
  settings: Settings,
  publisher: StorePublisher | null,
): Promise<void> {
  const { supervisor, reloader, life, log } = gateway;
  const compiling = publisher === null || publisher.empty ? reloader.first() : null;
  if (publisher?.empty === false) {
    for (const line of unreadFile(settings)) log.log('notice', line);
  }
  try {
    checkProxyTls(settings);
  } catch (error) {
    throw new CannotStart([messageOf(error, false)]);
  }
  supervisor.spawn();
  const { proxy_listen, stream_listen, admin_listen, status_listen } = settings;
  const listeners = [...proxy_listen, ...stream_listen, ...admin_listen, ...status_listen];
  const problems = await portProblems(listeners);
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
export async function openAdminSide(
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
