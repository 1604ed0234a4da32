/** What a plugin is handed when it is created: never sockets, and never the store of the configuration. */
import type { DirectoryEntities } from '../../entities/directory-kinds.ts';
import type { Plugin } from '../../entities/plugin.ts';

export interface PluginLog {
  debug(message: string): void;
  info(message: string): void;
  notice(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Consumers and credentials of the node, by index: in memory, never stale for longer than a second. */
export interface EntityLookup {
  find<K extends keyof DirectoryEntities & string>(
    kind: K,
    field: string,
    value: string,
  ): DirectoryEntities[K] | null;
  get<K extends keyof DirectoryEntities & string>(kind: K, id: string): DirectoryEntities[K] | null;
  owned<K extends keyof DirectoryEntities & string>(
    kind: K,
    ownerId: string,
  ): readonly DirectoryEntities[K][];
}

export interface PluginServices {
  /** The entity that the filters are created for, with its scope. */
  readonly plugin: Plugin;
  readonly log: PluginLog;
  readonly entities: EntityLookup;
}
