/** What the main thread holds. Parts of it come later than others: each says when. */
import type { Resolver } from '../balancer/resolver/resolver.ts';
import type { ConfigStore } from '../store/config-store.ts';
import type { Reach } from '../store/follower.ts';
import type { SecretKeeper } from '../store/secret-keeper.ts';
import type { TokenStore } from './access/token-store.ts';
import type { ClusterLogLevel } from './cluster-log-level.ts';
import type { HealthKeeper } from './health/health-keeper.ts';
import type { Life } from './life.ts';
import type { LogLevelOverride } from './log-level-override.ts';
import type { MainLog } from './log.ts';
import type { UserPlugins } from './plugins/user-plugins.ts';
import type { PluginMetricsDesk } from './plugin-metrics.ts';
import type { RecordDesk } from './record-desk.ts';
import type { Reloader } from './reload.ts';
import type { Supervisor } from './supervisor.ts';

export interface Gateway {
  readonly log: MainLog;
  readonly supervisor: Supervisor;
  readonly reloader: Reloader;
  readonly life: Life;
  readonly records: RecordDesk;
  /** What plugins of all workers count and cost. */
  readonly pluginMetrics: PluginMetricsDesk;
  /** Of targets. */
  readonly health: HealthKeeper;
  /** Those of users. */
  readonly plugins?: UserPlugins;
  readonly logLevel: LogLevelOverride;
  /** Null where no other nodes are to be told. */
  clusterLogLevel: ClusterLogLevel | null;
  /** The configuration as the Admin API reads and changes it; null until it is open, which may be when it is asked. */
  store: ConfigStore | null;
  /** The node's. */
  readonly resolver: Resolver;
  /** Whether a database that it needs is there; null without one. */
  reach: (() => Reach) | null;
  /** Who may use the Admin API; null: a file of the prefix says it, or the store is not open yet. */
  tokens: TokenStore | null;
  /** Null without a database, and until the store is open. */
  secrets: SecretKeeper | null;
}
